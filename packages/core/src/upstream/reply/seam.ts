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
  push(events: UpstreamEvent[]): UpstreamEvent[]
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

/** Compares only what is new with each place where a copy may have begun: linear in what is said, not quadratic. */
function createMatcher(sent: string, copies: SeamOptions['copies']): Matcher {
  const target = sent.trimStart()
  const last = copies === 'overlap' ? target.length - minCopy : copies === 'always' || target.length >= minCopy ? 0 : -1
  let starts: number[] | undefined
  let lead = 0
  let at = 0
  let best = 0

  const step = (said: string, start: number): boolean => {
    const left = target.length - start - at
    const isSame = target.startsWith(said.slice(0, left), start + at)
    if (isSame && said.length >= left) best = Math.max(best, target.length - start)
    return isSame && said.length < left
  }
  return {
    push(said) {
      if (starts === undefined) {
        const text = said.trimStart()
        lead += said.length - text.length
        if (text === '') return undefined
        starts = Array.from({ length: last + 1 }, (_, start) => start)
        said = text
      }
      starts = starts.filter((start) => step(said, start))
      at += said.length
      return starts.length > 0 ? undefined : decided()
    },
    end: (held) => (copies === 'always' && starts && starts.length > 0 ? held : decided()),
  }
  function decided(): number {
    return best === 0 ? 0 : lead + best
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
