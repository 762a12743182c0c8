import type { LogEvent, ToolCall } from '../wire/events.ts'
import { blockBytes, boundaryBytes, stringBytes } from './held-bytes.ts'
import type { LogEntry, ReadLog } from './log-view.ts'

/**
 * The append-only log of one run. A position counts units before a point: one UTF-16 code unit of text or thinking,
 * or one whole other event. Memory is O(text).
 * @public
 */
export interface RunLog extends ReadLog {
  /** What it takes in memory, bytes, about. */
  bytes(): number
  /** Appends an event; text of no length leaves no trace, and half a surrogate pair waits for its other half. */
  append(event: LogEvent): void
  /** Forgets what stands after a position, for good. */
  cut(position: number): void
  /** Nothing more is appended: what it holds takes no more than it needs. */
  close(): void
  /** The last position at or before this one where a delta of the upstream ended; 0 when there is none. */
  boundary(position: number): number
  /** Where deltas of text ended, in UTF-16 units of the reply's text. */
  deltaEnds(): number[]
}

type Kind = 'message' | 'thinking'
type Block =
  | { readonly at: number; readonly kind: Kind; text: string }
  /** An event as JSON: nobody can say what an object takes in memory. */
  | { readonly at: number; readonly json: string }

/** Text is copied block by block when it is read, so this bounds what reading a short tail can cost. */
const blockChars = 512

/** Merged text is given in events of about this length: readers bear frames of 4 MiB, and JSON may need six letters for one. */
const entryChars = 262_144

const textEvent = (kind: Kind, text: string): LogEvent => (kind === 'message' ? { message: text } : { thinking: text })

/** Creates an empty log. @public */
export function createRunLog(): RunLog {
  let blocks: Block[] = []
  let boundaries: number[] = []
  /** Deltas that the last block does not hold yet. Adding each to its text would keep 32 bytes of rope for every one. */
  const tail: string[] = []

  const settle = (): void => {
    const last = blocks.at(-1)
    if (tail.length === 0 || !last || 'json' in last) return
    last.text = [last.text, ...tail].join('')
    tail.length = 0
  }
  /** High half of a surrogate pair whose low half has not come: no frame and no cut may end between the two. */
  let half: { readonly kind: Kind; readonly code: string } | undefined

  const appendText = (kind: Kind, added: string): void => {
    if (added === '') return
    if (half && half.kind !== kind) writeHalf()
    const text = (half?.code ?? '') + added
    const isCut = (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800
    half = isCut ? { kind, code: text.slice(-1) } : undefined
    if (text.length > (isCut ? 1 : 0)) write(kind, isCut ? text.slice(0, -1) : text)
  }
  /** Something else came: the half stays one. */
  const writeHalf = (): void => {
    if (half) write(half.kind, half.code)
    half = undefined
  }
  const write = (kind: Kind, text: string): void => {
    const last = blocks.at(-1)
    if (last && !('json' in last) && last.kind === kind && log.length - last.at < blockChars) tail.push(text)
    else {
      settle()
      blocks.push({ at: log.length, kind, text })
    }
    log.length += text.length
  }

  /** The index of the block that holds the unit at a position. */
  const find = (position: number): number => {
    let low = 0
    let high = blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (blocks[middle]!.at <= position) low = middle
      else high = middle - 1
    }
    return low
  }

  const unit = (position: number): { kind: Kind; code: number } | undefined => {
    const block = blocks[find(position)]
    if (!block || 'json' in block) return undefined
    return { kind: block.kind, code: block.text.charCodeAt(position - block.at) }
  }

  // Fields and no getters: it is looked at for every token (see run.ts).
  const log: { -readonly [Name in keyof RunLog]: RunLog[Name] } = {
    length: 0,
    urgentTo: 0,
    bytes() {
      settle()
      let bytes = boundaries.length * boundaryBytes
      for (const block of blocks) bytes += blockBytes + stringBytes('json' in block ? block.json : block.text)
      return bytes
    },

    append(event) {
      const before = log.length
      if ('message' in event) appendText('message', event.message)
      else if ('thinking' in event) appendText('thinking', event.thinking)
      else {
        writeHalf()
        settle()
        blocks.push({ at: log.length, json: JSON.stringify(event) })
        log.length += 1
        log.urgentTo = log.length
      }
      if (log.length > before) boundaries.push(log.length)
    },

    read(from, to = log.length) {
      const entries: LogEntry[] = []
      if (from >= to) return entries
      settle()
      let kind: Kind | undefined
      let texts: string[] = []
      let chars = 0
      let position = from
      const flush = (): void => {
        if (kind) entries.push({ event: textEvent(kind, texts.join('')), position })
        kind = undefined
        texts = []
        chars = 0
      }
      for (let i = find(from); i < blocks.length && blocks[i]!.at < to; i++) {
        const block = blocks[i]!
        if ('json' in block) {
          flush()
          position = block.at + 1
          entries.push({ event: JSON.parse(block.json) as LogEvent, position })
          continue
        }
        if (kind !== block.kind || chars >= entryChars) flush()
        kind = block.kind
        const text = block.text.slice(Math.max(0, from - block.at), to - block.at)
        texts.push(text)
        chars += text.length
        position = Math.min(to, block.at + block.text.length)
      }
      flush()
      return entries
    },

    place(position = log.length) {
      if (!(position > 0)) return 0
      const at = Math.min(Math.floor(position), log.length)
      if (at === 0 || at === log.length) return at
      settle()
      const before = unit(at - 1)
      const after = unit(at)
      const isPair =
        before !== undefined &&
        after !== undefined &&
        before.kind === after.kind &&
        (before.code & 0xfc00) === 0xd800 &&
        (after.code & 0xfc00) === 0xdc00
      return isPair ? at - 1 : at
    },

    cut(position) {
      half = undefined
      if (position >= log.length) return
      settle()
      while (blocks.length > 0 && blocks.at(-1)!.at >= position) blocks.pop()
      const last = blocks.at(-1)
      if (last && !('json' in last)) last.text = last.text.slice(0, position - last.at)
      while (boundaries.length > 0 && boundaries.at(-1)! > position) boundaries.pop()
      log.length = position
      log.urgentTo = Math.min(log.urgentTo, position)
    },

    close() {
      settle()
      // A list that grew has room for more.
      blocks = blocks.slice()
      boundaries = boundaries.slice()
    },

    boundary(position) {
      let low = 0
      let high = boundaries.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (boundaries[middle]! <= position) low = middle + 1
        else high = middle
      }
      return low === 0 ? 0 : boundaries[low - 1]!
    },

    deltaEnds() {
      settle()
      const ends: number[] = []
      let before = 0
      let next = 0
      for (const block of blocks) {
        const end = 'json' in block ? block.at + 1 : block.at + block.text.length
        const isText = !('json' in block) && block.kind === 'message'
        for (; next < boundaries.length && boundaries[next]! <= end; next++) {
          if (isText) ends.push(before + boundaries[next]! - block.at)
        }
        if (isText) before += end - block.at
      }
      return ends
    },

    partial(to = log.length) {
      let content = ''
      let thinking = ''
      const calls: ToolCall[] = []
      for (const { event } of log.read(0, to)) {
        if ('message' in event) content += event.message
        else if ('thinking' in event) thinking += event.thinking
        else if ('reset' in event) thinking = ''
        else if ('tool_call' in event) calls.push(event.tool_call)
      }
      return {
        content,
        ...(thinking === '' ? {} : { thinking }),
        ...(calls.length === 0 ? {} : { tool_calls: calls }),
      }
    },
  }
  return log
}
