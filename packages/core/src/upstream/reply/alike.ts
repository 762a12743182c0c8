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
  /** Learns from a frame that was read in the ordinary way, and meant this event alone: it changed nothing else. */
  learn(frame: string, event: UpstreamEvent): void
  /** Something has changed, so that the frame that was learnt may mean something else now. */
  forget(): void
}

/**
 * Two frames are alike when they are the same to the letter outside of some strings: that of the text, and stamps.
 * @param stamps - Fields that change with every frame and mean nothing.
 */
export function createAlike(stamps: readonly string[]): Alike {
  /** What stands between the strings. */
  let pieces: readonly string[] = []
  let textAt = 0
  let kind: 'message' | 'thinking' = 'message'
  let left = maxLearnt
  return {
    read(frame) {
      if (pieces.length === 0 || !stands(pieces[0]!, frame, 0)) return undefined
      let from = pieces[0]!.length
      let text = ''
      for (let i = 1; i < pieces.length; i++) {
        const end = frame.indexOf('"', from)
        if (end < 0 || !stands(pieces[i]!, frame, end)) return undefined
        const said = frame.slice(from, end)
        if (!isVerbatim.test(said)) return undefined
        if (i === textAt) text = said
        from = end + pieces[i]!.length
      }
      if (from !== frame.length || text === '' || text.length > maxText) return undefined
      return kind === 'message' ? { message: text } : { thinking: text }
    },
    forget: () => void (pieces = []),
    learn(frame, event) {
      if (left === 0 || frame.length > maxChars || frame.includes('\\')) return
      const text = 'message' in event ? event.message : 'thinking' in event ? event.thinking : ''
      const at = text === '' ? -1 : onlyValue(frame, `"${text}"`)
      if (at < 0) return
      left -= 1
      kind = 'message' in event ? 'message' : 'thinking'
      const holes = [{ from: at + 1, to: at + 1 + text.length }]
      for (const stamp of stamps) {
        const place = onlyPlace(frame, `"${stamp}":`)
        const behind = place + stamp.length + 3
        const from = behind + (frame[behind] === ' ' ? 2 : 1)
        if (place >= 0 && frame[from - 1] === '"') holes.push({ from, to: frame.indexOf('"', from) })
      }
      holes.sort((a, b) => a.from - b.from)
      textAt = holes.findIndex((hole) => hole.from === at + 1) + 1
      const ends = [...holes.map((hole) => hole.from), frame.length]
      pieces = ends.map((end, i) => copy(frame.slice(i === 0 ? 0 : holes[i - 1]!.to, end)))
    },
  }
}

/** Whether a piece stands at a place. Engines compare whole texts much faster than they find out what one starts with. */
function stands(piece: string, frame: string, at: number): boolean {
  return frame.slice(at, at + piece.length) === piece
}

/** Where something stands that stands there only once; else -1. */
function onlyPlace(frame: string, what: string): number {
  const at = frame.indexOf(what)
  return at === frame.lastIndexOf(what) ? at : -1
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
