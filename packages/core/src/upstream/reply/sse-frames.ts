import { ChatError } from '../../wire/errors.ts'
import type { SseFrame } from '../../wire/sse.ts'
import { createWholeLines } from '../../wire/whole-lines.ts'
import { plainWords } from './plain-words.ts'
import { isDone, readObjects } from './readable.ts'

/** Longest frame, UTF-16 code units. */
const defaultMaxChars = 1_048_576
const lineEnd = /* @__PURE__ */ Uint8Array.of(0x0a)

/** What model servers send, cut into frames. */
export interface FrameDecoder {
  /** @throws {ChatError} `overflow` once a frame is longer than `maxChars`. */
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
 * one that stands behind `data: data:`; an object may stand in no field, on one line or on many; comments are given out, and so
 * are errors that are said in a field of their own (llama.cpp until September 2025, its PR #16109). While its stream is silent,
 * it holds little memory.
 */
export function createSseFrames({ maxChars = defaultMaxChars, isLines = false }: FrameOptions = {}): FrameDecoder {
  // One BOM at the start is dropped.
  const utf8 = new TextDecoder()
  /** Made anew for each read, so that no old array keeps what was in it. */
  let frames: SseFrame[] = []
  /** Pieces of a line that has not ended. */
  let pieces: string[] = []
  let pieceChars = 0
  /** Lines of a frame that has not ended, and whether the first one is a frame by itself, once that was asked. */
  let lines: string[] = []
  let isFirstWhole: boolean | undefined
  let lineChars = 0
  let event: string | undefined
  /** An object that stands in no field, on several lines. */
  let isObject = false
  /** Lines in fields hold whole objects: each is a frame. */
  let isByLine = false
  let isOver = false
  let afterReturn = false
  let overflow = false

  const give = (name: string | undefined, data: string): void => void frames.push({ id: undefined, event: name, data })
  const hold = (line: string): void => {
    lines.push(line)
    lineChars += line.length
  }
  const isComplete = (): boolean => lines.length === 1 && (isFirstWhole ??= isWhole(lines[0]!))
  const dispatch = (isTorn = false): void => {
    // A name behind which a blank line stands is the next frame's.
    if (lines.length === 0) return
    const data = lines.length === 1 ? lines[0]! : lines.join('\n')
    if (!isOver || isTorn || isObject || lines[0] === '' || isWhole(data)) give(event, data)
    lines = []
    lineChars = 0
    isFirstWhole = event = undefined
    isObject = false
  }
  /** A frame has begun with an object that has not ended. */
  const isOpen = (): boolean => isObject || (lines[0]?.startsWith('{') === true && !isComplete())
  /** What is an object itself is no part of one: what had begun was torn. */
  const isTornBy = (line: string): boolean => line.startsWith('{') && isWhole(line)
  const addData = (line: string): void => {
    let from = 0
    while (line.startsWith('data:', from)) from += line[from + 5] === ' ' ? 6 : 5
    const value = line.slice(from)
    if (isComplete()) isByLine = true
    if (isOpen() ? isObject || isTornBy(value) : isComplete()) dispatch(true)
    hold(value)
    if (isByLine && isComplete()) dispatch()
  }
  /** A line of no field. */
  const addStray = (line: string): void => {
    if (isOpen() && !isTornBy(line)) {
      hold(line)
      if (isObject && line.trimEnd() === '}') dispatch()
    } else if (isLines || line.startsWith('{')) {
      dispatch(true)
      isObject = line.trimEnd() === '{'
      if (isObject) hold(line)
      else give(undefined, line)
    } else if (/^\s/.test(line)) {
      // A template or a proxy has indented what it sends.
      const said = line.trimStart()
      if (said.startsWith('data:')) addData(said)
      else if (said.startsWith('{') && isWhole(said)) addStray(said)
    }
  }
  const take = (line: string): void => {
    if (lineChars + line.length > maxChars) overflow = true
    else if (line === '') {
      if (!isObject) dispatch()
    } else if (line.startsWith('data:')) addData(line)
    else if (line === 'data') hold('')
    else if (line[0] === ':') give('comment', line.slice(line[1] === ' ' ? 2 : 1))
    else if (line.startsWith('event:')) {
      if (event !== undefined && isComplete()) dispatch()
      event = line.slice(6).trim() || undefined
    } else if (line.startsWith('error:')) {
      const said = line.slice(6).trimStart()
      if (!isOver || isWhole(said)) give('error', said)
    } else if (!/^(?:id|retry)(?::|$)/.test(line)) addStray(line)
  }
  const feedText = (said: string): never[] => {
    let text = afterReturn && said[0] === '\n' ? said.slice(1) : said
    if (said !== '') afterReturn = said.endsWith('\r')
    if (text.includes('\r')) text = text.replaceAll(/\r\n?/g, '\n')
    let from = 0
    for (let at = text.indexOf('\n'); at >= 0 && !overflow; at = text.indexOf('\n', from)) {
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
      overflow ||= lineChars + pieceChars > maxChars
    }
    return []
  }
  const feed = createWholeLines((bytes) => (overflow ? [] : feedText(utf8.decode(bytes, { stream: true }))), maxChars)
  const push = (bytes: Uint8Array): SseFrame[] => {
    feed(bytes)
    const given = frames
    frames = []
    if (overflow) pieces = lines = []
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

/** Whether a line is all of a frame: then the next line is another one. */
function isWhole(line: string): boolean {
  if (line === '') return false
  return isDone(line) || plainWords(line) !== undefined || readObjects(line) !== undefined
}
