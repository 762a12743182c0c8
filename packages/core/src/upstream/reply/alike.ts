import type { UpstreamEvent } from '../upstream.ts'

/** A longer frame is not learnt, UTF-16 code units: what is learnt is held in memory. */
const maxChars = 2_048
/** How often a reply's frames are learnt anew: of a server whose frames all differ it is not tried for ever. */
const maxLearnt = 8
/** Longer text is read in the ordinary way: engines take so many characters out of a text without keeping all of it in memory. */
const maxText = 12
/** What JSON writes as it reads: everything but control characters and the backslash; a quote ends it. */
const isVerbatim = /^[ -[\]-\uffff]*$/

/** Reads frames that say the same as an earlier one, but for their text, without parsing them: most tokens come in such frames. */
export interface Alike {
  /** What a frame says; undefined where it has to be read in the ordinary way. */
  read(frame: string): UpstreamEvent | undefined
  /**
   * Learns from a frame that was read in the ordinary way, and meant this event alone: it changed nothing else.
   * @returns Whether it did.
   */
  learn(frame: string, event: UpstreamEvent): boolean
  /** Something has changed, so that the frame that was learnt may mean something else now. */
  forget(): void
}

/** A place in a frame that may differ: the text, a stamp, a figure. */
interface Hole {
  readonly from: number
  readonly to: number
  readonly isFigure: boolean
}

/**
 * Two frames are alike when they are the same to the letter outside of some strings and figures: that of the text, and stamps.
 * @param stamps - Fields that change with every frame: what they say means nothing, or is looked at elsewhere.
 */
export function createAlike(stamps: readonly string[]): Alike {
  /** What stands between the holes, and which of these, by the piece behind it, are figures. */
  let pieces: readonly string[] = []
  let isFigure: readonly boolean[] = []
  let textAt = 0
  let kind: 'message' | 'thinking' = 'message'
  let left = maxLearnt
  return {
    read(frame) {
      if (pieces.length === 0 || !stands(pieces[0]!, frame, 0)) return undefined
      let from = pieces[0]!.length
      let text = ''
      for (let i = 1; i < pieces.length; i++) {
        const end = isFigure[i] ? figureEnd(frame, from) : frame.indexOf('"', from)
        if (end < 0 || !stands(pieces[i]!, frame, end)) return undefined
        if (!isFigure[i]) {
          const said = frame.slice(from, end)
          if (!isVerbatim.test(said)) return undefined
          if (i === textAt) text = said
        }
        from = end + pieces[i]!.length
      }
      if (from !== frame.length || text === '' || text.length > maxText) return undefined
      return kind === 'message' ? { message: text } : { thinking: text }
    },
    forget: () => void (pieces = []),
    learn(frame, event) {
      if (left === 0 || frame.length > maxChars || frame.includes('\\')) return false
      const text = 'message' in event ? event.message : 'thinking' in event ? event.thinking : ''
      const at = text === '' ? -1 : onlyValue(frame, `"${text}"`)
      if (at < 0) return false
      left -= 1
      kind = 'message' in event ? 'message' : 'thinking'
      const said: Hole = { from: at + 1, to: at + 1 + text.length, isFigure: false }
      const holes = [said, ...stamps.flatMap((stamp) => holeOf(frame, stamp))].sort((a, b) => a.from - b.from)
      textAt = holes.indexOf(said) + 1
      isFigure = [false, ...holes.map((hole) => hole.isFigure)]
      const ends = [...holes.map((hole) => hole.from), frame.length]
      pieces = ends.map((end, i) => copy(frame.slice(i === 0 ? 0 : holes[i - 1]!.to, end)))
      return true
    },
  }
}

/** Where the value of a stamp stands, if there is one. */
function holeOf(frame: string, stamp: string): Hole[] {
  const place = onlyPlace(frame, `"${stamp}":`)
  if (place < 0) return []
  const behind = place + stamp.length + 3
  const from = frame[behind] === ' ' ? behind + 1 : behind
  if (frame[from] === '"') return [{ from: from + 1, to: frame.indexOf('"', from + 1), isFigure: false }]
  const to = figureEnd(frame, from)
  return to < 0 ? [] : [{ from, to, isFigure: true }]
}

/** Where a figure ends, as JSON writes it; -1 where none stands. A loop, as it runs for every figure of every frame. */
function figureEnd(frame: string, from: number): number {
  let at = frame.charCodeAt(from) === 0x2d ? from + 1 : from
  const first = at
  at = digitsEnd(frame, at)
  // Before a point there is no 0 in front.
  if (at === first || (frame.charCodeAt(first) === 0x30 && at > first + 1)) return -1
  if (frame.charCodeAt(at) === 0x2e) {
    const end = digitsEnd(frame, at + 1)
    if (end === at + 1) return -1
    at = end
  }
  if ((frame.charCodeAt(at) | 0x20) !== 0x65) return at
  const sign = frame.charCodeAt(at + 1)
  const power = sign === 0x2b || sign === 0x2d ? at + 2 : at + 1
  const end = digitsEnd(frame, power)
  return end === power ? -1 : end
}

function digitsEnd(frame: string, from: number): number {
  let at = from
  for (let code = frame.charCodeAt(at); code >= 0x30 && code <= 0x39; code = frame.charCodeAt(at)) at += 1
  return at
}

/** Whether a piece stands at a place. Engines compare whole texts much faster than they find out what one starts with. */
function stands(piece: string, frame: string, at: number): boolean {
  return frame.slice(at, at + piece.length) === piece
}

/** Where something stands that stands there only once; else -1. */
function onlyPlace(frame: string, what: string): number {
  const at = frame.indexOf(what)
  // From its end engines look for a text much more slowly.
  return at >= 0 && frame.includes(what, at + 1) ? -1 : at
}

/** The place of the one string of a frame that is this: a value, and no name of a field. */
function onlyValue(frame: string, literal: string): number {
  const at = onlyPlace(frame, literal)
  return at > 0 && /: ?$/.test(frame.slice(Math.max(0, at - 2), at)) ? at : -1
}

/** The same text, in memory of its own: a piece of a text keeps all of it. */
function copy(piece: string): string {
  return JSON.parse(JSON.stringify(piece)) as string
}
