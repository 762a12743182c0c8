import type { UpstreamEvent } from '../upstream.ts'

/** Shorter copies may be chance, UTF-16 units (DESIGN rule 6). */
const minCopy = 16

/** What is known of the place where old and new text meet. */
export interface SeamOptions {
  /** The partial as the server has it. */
  readonly sent: string
  /** White space of the partial behind that: on the page, but not with the server. */
  readonly tail: string
  /** Whether the server says the partial again; `overlap`: a model that was asked in words may say the end of it again. */
  readonly copies: 'never' | 'maybe' | 'always' | 'overlap'
}

/** Takes out of a continuation what the person has already. */
export interface Seam {
  push(events: readonly UpstreamEvent[]): readonly UpstreamEvent[]
  /** The body has ended: gives what was held back. */
  end(): UpstreamEvent[]
}

/**
 * Text is held back only while it may still be a copy: of the whole partial from its start, or, with `overlap`, of any end
 * of it, the longest one counts. Text that turns out to be none is given whole.
 */
export function createSeam({ sent, tail, copies }: SeamOptions): Seam {
  const matcher = createMatcher(sent, copies)
  let held = ''
  let settled = copies === 'never'
  let owed = tail

  const given = (said: string): UpstreamEvent[] => {
    const message = withoutOwed(said)
    return message === '' ? [] : [{ message }]
  }
  /** A server writes the white space again that it was not sent. */
  const withoutOwed = (said: string): string => {
    let same = 0
    while (same < Math.min(owed.length, said.length) && owed[same] === said[same]) same += 1
    owed = same === said.length ? owed.slice(same) : ''
    return said.slice(same)
  }
  const take = (said: string): UpstreamEvent[] => {
    if (settled) return given(said)
    held += said
    const copied = matcher.push(said)
    return copied === undefined ? [] : settle(copied)
  }
  const settle = (copied: number): UpstreamEvent[] => {
    settled = true
    const rest = held.slice(copied)
    held = ''
    // A model that was asked in words begins a message of its own, and so without the space between two words.
    const gap = copies === 'overlap' && copied === 0 && tail === '' ? gapBetween(sent, rest) : ''
    return given(gap + rest)
  }
  const end = (): UpstreamEvent[] => (settled ? [] : settle(matcher.end(held.length)))

  return {
    push(events) {
      if (settled && owed === '') return events
      return events.flatMap((event) => {
        if ('message' in event) {
          const said = take(event.message)
          return said.length === 0 ? [{ alive: true } as const] : said
        }
        const isOver = 'finish' in event || 'error' in event || 'tool_call' in event
        return isOver ? [...end(), event] : [event]
      })
    },
    end,
  }
}

interface Matcher {
  /** How much of everything pushed so far is a copy; undefined while that is open. */
  push(said: string): number | undefined
  /** Nothing follows: the decision, given how much is held. */
  end(held: number): number
}

/** More white space in front of a copy than the partial has itself is none of a copy, UTF-16 units. */
const maxLead = 1_024

/**
 * Looks for the longest end of the partial that is the beginning of what is said: Knuth, Morris and Pratt's search with a
 * pattern that still grows. Each character of the partial and of what is said is looked at twice at most, on average.
 */
function createMatcher(sent: string, copies: SeamOptions['copies']): Matcher {
  const target = sent.trimStart()
  const last = copies === 'overlap' ? target.length - minCopy : copies === 'always' || target.length >= minCopy ? 0 : -1
  let lead = 0
  /** How much is said, without the white space in front. */
  let length = 0
  /** What was said before this push stands in the partial from here on: no second copy of it is kept. */
  let origin = 0
  let known = 0
  let fresh = ''
  /** How far the partial has been looked through, and how much of what is said ends there. */
  let at = 0
  let same = 0
  /** Of so many characters that are said, how many at their end are also at their beginning. */
  const borders: number[] = [0, 0]

  const code = (i: number): number => (i < known ? target.charCodeAt(origin + i) : fresh.charCodeAt(i - known))
  const border = (chars: number): number => {
    for (let next = borders.length; next <= chars; next++) {
      const added = code(next - 1)
      let shared = borders[next - 1]!
      while (shared > 0 && code(shared) !== added) shared = borders[shared]!
      borders.push(code(shared) === added ? shared + 1 : 0)
    }
    return borders[chars]!
  }
  /** The next place where a copy may have begun. */
  const leave = (): void => {
    if (same === 0) at += 1
    else same = border(same)
  }
  const isPast = (): boolean => at - same > last
  const found = (): number => (same === 0 || isPast() ? 0 : lead + same)

  return {
    push(said) {
      if (length === 0) {
        const text = said.trimStart()
        lead += said.length - text.length
        if (text === '') return lead > sent.length + maxLead ? 0 : undefined
        said = text
      }
      fresh = said
      length += said.length
      while (at < target.length && !isPast()) {
        if (same === length) {
          // All that is said is a copy so far.
          origin = at - same
          known = length
          return undefined
        }
        if (target.charCodeAt(at) === code(same)) {
          at += 1
          same += 1
        } else leave()
      }
      return found()
    },
    end(held) {
      if (length === 0) return 0
      if (copies === 'always') return held
      for (leave(); at < target.length && !isPast();) {
        if (same < length && target.charCodeAt(at) === code(same)) {
          at += 1
          same += 1
        } else leave()
      }
      return found()
    },
  }
}

const spacedEnd = /(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}])[\p{L}\p{N}]$/u
const spacedStart = /^(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}])[\p{L}\p{N}]/u

/** One space between two words, or behind the end of a sentence; none where a number or an address may go on. */
function gapBetween(before: string, after: string): string {
  if (!spacedStart.test(after)) return ''
  const end = before.slice(-2)
  return spacedEnd.test(end) || /[,;!?]$/.test(end) || (/[.:]$/.test(end) && /^\p{Lu}/u.test(after)) ? ' ' : ''
}
