import { ChatError } from '../../wire/errors.ts'
import type { SseFrame } from '../../wire/sse.ts'
import { createWholeLines } from '../../wire/whole-lines.ts'
import { createBegunFrame, isWholeFrame } from './begun-frame.ts'
import { wordsOf } from './plain-words.ts'

/** Longest frame, UTF-16 code units. */
const defaultMaxChars = 1_048_576
/** How many lines of one read that are a word alone are looked up: what they mean takes long to tell. */
const maxLooked = 16
const lineEnd = /* @__PURE__ */ Uint8Array.of(0x0a)

/** A field that is known, by its name in whatever letters, with white space around it. */
const looseField = /^\s*(data|event|error|id|retry)\s*(?::([^]*)|$)/i
const strictField = /^(?:data|event|error|id|retry)(?::|$)/
/** A field that nobody knows, or the beginning of a broken name of `data`: an object in it is read all the same. */
const unknownField = /^\s*(?:[\w.-]{0,40}\s?:\s*){1,3}(?=[{[])/
/** The standard ignores a field that nobody knows, and a word alone, which is the name of one. */
const ignored = /^[\w.-]+(?:\s?:|$)/
/** What stands around the objects of a list. */
const listMarks = /^[\s,[\]]+(?=\{|$)/

/** How an object begins: what begins in another way is none, and waits for no other line. */
const mayGoOn = /^\{\s*(?:"|$)/
/** Where each line is a frame, only what was written for people goes on: a line that was cut off is told at once. */
const isSpread = /^\{\s*$|^\{\s*".*[[{,]\s*$/

/** What model servers send, cut into frames. */
export interface FrameDecoder {
  /**
   * Frames by the name of their event: `comment` for a comment, and `line` for a line that stands in no field and is no object.
   * @throws {ChatError} `overflow` once a frame is longer than `maxChars`.
   */
  push(bytes: Uint8Array): SseFrame[]
  /** The body has ended. A frame without its blank line counts where it is whole; one that was cut off does not. */
  end(): SseFrame[]
}

export interface FrameOptions {
  /** @defaultValue 1048576 */
  readonly maxChars?: number | undefined
  /** A body of lines, each of them a frame without a field: NDJSON. @defaultValue false */
  readonly isLines?: boolean | undefined
}

/**
 * The frames of a model server: those of the standard, and what servers make of it. A frame may end with its line, and so may
 * one that stands behind `data: data:`; names of fields may be in capitals; an object may stand in no field, on one line or on
 * many, alone or in a list; comments are given out, and so are errors that are said in a field of their own (llama.cpp until
 * September 2025, its PR #16109). A line that is no field at all may be a piece of a reply, or an error: it is a frame, too.
 * While its stream is silent, it holds little memory.
 */
export function createSseFrames({ maxChars = defaultMaxChars, isLines = false }: FrameOptions = {}): FrameDecoder {
  // One BOM at the start is dropped.
  const utf8 = new TextDecoder()
  /** Made anew for each read, so that no old array keeps what was in it. */
  let frames: SseFrame[] = []
  /** Pieces of a line that has not ended. */
  let pieces: string[] = []
  let pieceChars = 0
  const begun = createBegunFrame()
  let event: string | undefined
  /** What has begun stands in no field. */
  let isStray = false
  /** Lines in fields hold whole objects: each is a frame. */
  let isByLine = false
  /** Fields have been named in other letters than the standard's. */
  let isLoose = false
  let isOver = false
  let afterReturn = false
  /** How many lines of this read may still be looked up. */
  let left = 0
  let overflow = false

  const give = (name: string | undefined, data: string): void => void frames.push({ id: undefined, event: name, data })
  /** @param isTorn - Something else has begun. */
  const dispatch = (isTorn = false): void => {
    // A name behind which a blank line stands is the next frame's.
    if (begun.isEmpty()) return
    const data = begun.take()
    if (!isOver || isTorn || isStray || data === '' || isWholeFrame(data)) give(event, data)
    event = undefined
    isStray = false
  }
  /** What is an object itself is no part of one: what had begun was torn. */
  const isTornBy = (said: string): boolean => said.startsWith('{') && isWholeFrame(said)
  const add = (said: string, inField: boolean): void => {
    const state = begun.state()
    // Outside of fields, an object on many lines is indented, or a torn one is followed by the next.
    if (state === 'open' && !(isStray ? inField || mayGoOn.test(said) : isTornBy(said))) {
      begun.add(said)
      if ((isStray || isByLine) && begun.state() === 'whole') dispatch()
      return
    }
    if (state === 'words' && inField) return begun.add(said)
    if (state === 'whole' && inField) isByLine = true
    if (state !== 'none') dispatch(true)
    // Empty data are a sign of life, and no part of what follows them.
    else if (!begun.isEmpty()) give('comment', begun.take())
    const value = said.startsWith('{') ? said : said.replace(listMarks, '')
    if (inField) {
      begun.add(value)
      if (isByLine && begun.state() === 'whole') dispatch()
      return
    }
    // Most lines are whole: what ends like an object is not looked at twice.
    if (!(isLines ? isSpread : mayGoOn).test(value) || value.trimEnd().endsWith('}')) return giveLine(value)
    begun.add(value)
    isStray = true
    if (begun.state() === 'whole') dispatch()
  }
  /** A line that is a frame by itself. */
  const giveLine = (value: string): void => {
    give(value.startsWith('{') ? event : 'line', value)
    event = undefined
  }
  const addData = (line: string): void => {
    let from = 0
    while (line.startsWith('data:', from)) from += line[from + 5] === ' ' ? 6 : 5
    add(line.slice(from), true)
  }
  /** A line that is no field, or none that is known. */
  const addStray = (line: string): void => {
    if (isLines || begun.state() === 'open') return add(line, false)
    const [name = ''] = unknownField.exec(line) ?? []
    if (name !== '') add(line.slice(name.length), true)
    // Nobody's field has braces in it, but a piece of a chunk has.
    else if (!ignored.test(line) || /[{}]/.test(line)) add(line.replace(/^\s+(?=\{)/, ''), false)
    else if (!isOver && !line.includes(':') && wordsOf(line, () => (left -= 1) >= 0) === 'error') give('line', line)
  }
  const takeComment = (said: string): void => {
    // What is left of `data: {…}` where its name was torn off.
    const at = said.indexOf('{"')
    const rest = at >= 0 && isTornBy(said.slice(at)) ? said.slice(at) : said.replace(unknownField, '')
    if (isTornBy(rest) || (rest.startsWith('{"') && begun.state() !== 'open')) add(rest, true)
    // What is left of an object whose beginning was torn off.
    else if (said.split('}').length > said.split('{').length) add(said, false)
    else give('comment', said)
  }
  const takeField = (line: string): void => {
    const [, name, value] = looseField.exec(line) ?? []
    const isStrict = strictField.test(line)
    // A line of a text that holds line breaks may begin like a field.
    if (name === undefined || (!isStrict && !isLoose && begun.state() === 'open')) return addStray(line)
    // No name of an event, no id and no wait has an object in it: it stood in the next line.
    const at = /^(?:data|error)$/i.test(name) ? -1 : (value ?? '').indexOf('{"')
    if (at >= 0) return add(value!.slice(at), true)
    switch (name.toLowerCase()) {
      case 'data':
        isLoose ||= !isStrict
        return addData(`data:${value ?? ''}`)
      case 'event': {
        const state = begun.state()
        if (state === 'open' || (event !== undefined && state === 'whole')) dispatch(true)
        event = value?.trim() || undefined
        return
      }
      case 'error': {
        const said = value?.trim() ?? ''
        if (value === undefined || (begun.state() === 'open' && !isTornBy(said))) return addStray(line)
        if (!isOver || isWholeFrame(said)) give('error', said)
      }
    }
  }
  const take = (line: string): void => {
    if (begun.chars() + line.length > maxChars) overflow = true
    else if (line === '') {
      if (!isStray) dispatch()
    } else if (line.startsWith('data:')) addData(line)
    else if (isLines && line[0] === '{' && line.endsWith('}') && begun.isEmpty()) giveLine(line)
    else if (line[0] === ':') takeComment(line.slice(line[1] === ' ' ? 2 : 1))
    else takeField(line)
  }
  /** Whether a frame stands there as most do: it is cut out at once, as the rest of this file would. */
  const isPlain = (text: string, from: number, at: number): boolean =>
    at - from <= maxChars &&
    (isLines ? text[from] === '{' && text[at - 1] === '}' : text[at + 1] === '\n' && text.startsWith('data: {', from))
  const feedText = (said: string): never[] => {
    let text = afterReturn && said[0] === '\n' ? said.slice(1) : said
    if (said !== '') afterReturn = said.endsWith('\r')
    if (text.includes('\r')) text = text.replaceAll(/\r\n?/g, '\n')
    let from = 0
    for (let at = text.indexOf('\n'); at >= 0 && !overflow; at = text.indexOf('\n', from)) {
      if (pieces.length === 0 && begun.isEmpty() && isPlain(text, from, at)) {
        give(event, text.slice(isLines ? from : from + 6, at))
        event = undefined
        // The blank line behind it, too.
        from = isLines ? at + 1 : at + 2
        continue
      }
      const end = text.slice(from, at)
      if (pieces.length === 0) take(end)
      else {
        const line = [...pieces, end].join('')
        pieces = []
        pieceChars = 0
        take(line)
      }
      from = at + 1
    }
    if (from < text.length) {
      pieces.push(text.slice(from))
      pieceChars += text.length - from
      overflow ||= begun.chars() + pieceChars > maxChars
    }
    return []
  }
  const feed = createWholeLines((bytes) => (overflow ? [] : feedText(utf8.decode(bytes, { stream: true }))), maxChars)
  const push = (bytes: Uint8Array): SseFrame[] => {
    left = maxLooked
    feed(bytes)
    const given = frames
    frames = []
    if (overflow) {
      pieces = []
      begun.take()
    }
    // What came before the long frame, in the same read, is given out first; after that it throws ever after.
    if (overflow && given.length === 0)
      throw new ChatError('overflow', `A frame of the model server is longer than ${maxChars} characters.`)
    return given
  }
  return {
    push,
    end() {
      isOver = true
      const last = push(lineEnd)
      dispatch()
      return [...last, ...frames]
    },
  }
}
