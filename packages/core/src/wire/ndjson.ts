import { ChatError } from './errors.ts'
import { createWholeLines } from './whole-lines.ts'

/** @public */
export interface LineDecoder {
  /**
   * Lines completed by these bytes, without their ends and without blank ones.
   * @throws {ChatError} `overflow` once a line is longer than `maxChars`.
   */
  push(bytes: Uint8Array): string[]
  /** What stands after the last line end, to be called once at the end of the body. */
  end(): string[]
}

const defaultMaxChars = 1_048_576

/** @public */
export interface LineDecoderOptions {
  /** Longest line, UTF-16 code units: what is held in memory until it is complete. @defaultValue 1048576 */
  readonly maxChars?: number | undefined
}

const lineEnd = /* @__PURE__ */ Uint8Array.of(0x0a)

/**
 * Creates a decoder that cuts a body into lines at LF, CRLF or CR (a raw CR cannot stand inside JSON text).
 * Any split of the bytes, also inside a character, gives the same lines; one leading BOM is dropped.
 * @public
 */
export function createLineDecoder(options: LineDecoderOptions = {}): LineDecoder {
  const { maxChars = defaultMaxChars } = options
  const utf8 = new TextDecoder()
  // Pieces of an unfinished line that is long: joined once, as adding to a string at every read is quadratic.
  const pieces: string[] = []
  let pending = 0
  let overflow = false

  const take = (text: string): string[] => {
    const lines: string[] = []
    // CRLF then makes a blank line, and blank lines are dropped, so a split between the two needs no memory.
    if (text.includes('\r')) text = text.replaceAll('\r', '\n')
    let from = 0
    for (let at = text.indexOf('\n'); at >= 0 && !overflow; at = text.indexOf('\n', from)) {
      const line = completed(text.slice(from, at))
      from = at + 1
      if (line.trim() !== '') lines.push(line)
    }
    if (!overflow) hold(text.slice(from))
    return lines
  }
  const hold = (piece: string): void => {
    pending += piece.length
    overflow = pending > maxChars
    if (overflow) pieces.length = 0
    else if (piece !== '') pieces.push(piece)
  }
  /** The line that ends so; blank when it is too long. */
  const completed = (end: string): string => {
    if (pieces.length === 0 && end.length <= maxChars) return end
    hold(end)
    const line = pieces.join('')
    pieces.length = 0
    pending = 0
    return line
  }
  const feed = createWholeLines((bytes) => (overflow ? [] : take(utf8.decode(bytes, { stream: true }))), maxChars)
  const push = (bytes: Uint8Array): string[] => {
    const lines = feed(bytes)
    // What came before the long line is given out first; a decoder that has overflowed throws ever after.
    if (overflow && lines.length === 0) throw new ChatError('overflow', `A line is longer than ${maxChars} characters.`)
    return lines
  }
  return { push, end: () => push(lineEnd) }
}

/**
 * One line of an NDJSON body: its value, or the text of a line that is no JSON. A bad line is data, not an error:
 * whoever counts them decides (three in a row blow the fuse).
 * @public
 */
export type NdjsonLine = { readonly value: unknown } | { readonly malformed: string }

/**
 * NDJSON decoding as a stage: bytes in, parsed lines out. Backpressure and cancel pass through.
 * @public
 */
export function ndjsonDecode(options: LineDecoderOptions = {}): TransformStream<Uint8Array, NdjsonLine> {
  const decoder = createLineDecoder(options)
  return new TransformStream({
    transform(bytes, out) {
      for (const line of decoder.push(bytes)) out.enqueue(parseLine(line))
    },
    flush(out) {
      for (const line of decoder.end()) out.enqueue(parseLine(line))
    },
  })
}

/** Parses one line. @public */
export function parseLine(line: string): NdjsonLine {
  try {
    return { value: JSON.parse(line) as unknown }
  } catch {
    // Not thrown on: a bad line is counted by the fuse, and one alone is survived.
    return { malformed: line }
  }
}
