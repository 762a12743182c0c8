import { isRecord, record, text, type Json } from '../../wire/json.ts'

/** An error as a server said it, whatever its shape. */
export interface SaidError {
  /** What it names itself by: a status, or a word. Empty where it says none. */
  readonly code: string
  /** Type, status and message, in one text. What it says again of the request is not in it. */
  readonly words: string
}

/** How much of an error's words counts, UTF-16 code units. */
export const maxSaid = 8_192

const labels = ['type', 'code', 'Code', 'status', 'reason', 'error_code', 'status_code', 'errcode', 'err_code'] as const
const sentences = [
  'message',
  'Message',
  'msg',
  'error_msg',
  'error_message',
  'errmsg',
  'err_msg',
  'status_msg',
  'detail',
  'title',
  'description',
  'raw',
] as const
/** Where an error stands in a frame, or in a proxy's error about another one. */
const places = ['error', 'Error', 'errors', 'detail', 'details', 'metadata', 'base_resp', 'Response', 'header'] as const
/** How deep, and how many in a list. */
const maxDepth = 4
const maxItems = 8

/** Whether it says anything: structs of C# and Go have an empty error in every good chunk. */
function tells(value: unknown, depth = 0): boolean {
  if (depth > maxDepth) return true
  if (Array.isArray(value)) return value.slice(0, maxItems).some((one) => tells(one, depth + 1))
  if (isRecord(value)) return Object.values(value).some((one) => tells(one, depth + 1))
  if (typeof value === 'string') return !/^(?:0|null|none|ok|success|false)?$/i.test(value.trim())
  return value === true || (typeof value === 'number' && value !== 0)
}

const isFailed = (value: unknown): boolean =>
  typeof value === 'number'
    ? value !== 0 && value !== 200
    : typeof value === 'string' && tells(value) && value !== '200'

/**
 * The error in a frame or a body.
 * @param event - The SSE event that it came as.
 * @param isReply - The frame holds a piece of a reply: then only what is called an error is one.
 * @returns undefined where nothing says that it is an error.
 */
export function errorIn(said: unknown, event?: string, isReply = false): unknown {
  // Google puts its errors in a list.
  if (Array.isArray(said)) return said.slice(0, maxItems).find((one) => errorIn(one, event, isReply) !== undefined)
  if (!isRecord(said)) return undefined
  if (tells(said['error']) || tells(said['errors'])) return said
  // MiniMax, Tencent and iFlytek say with every chunk how it goes.
  if (isFailed(record(said['base_resp'])['status_code']) || tells(record(said['Response'])['Error'])) return said
  if (isFailed(record(said['header'])['code'])) return said
  if (isReply) return undefined
  const isCalledOne = said['object'] === 'error' || said['type'] === 'error' || event === 'error'
  if (isCalledOne || said['success'] === false || said['status'] === 'error') return said
  const message = sentences.some((name) => typeof said[name] === 'string' && tells(said[name]))
  const code = labels.some((name) => name !== 'type' && name !== 'status' && isFailed(said[name]))
  // A message that is a text: a reply's is an object. FastAPI's validation is a list.
  return (message && (code || Object.keys(said).length <= 3)) ||
    (code && 'msg' in said) ||
    Array.isArray(said['detail'])
    ? said
    : undefined
}

/** What of a frame is the error: all of it where something stands beside `error` that belongs to it, as xAI's `code`. */
export function errorOf(frame: unknown): unknown {
  if (!isRecord(frame) || !tells(frame['error'])) return frame
  return [...labels, ...sentences].some(
    (name) => name !== 'type' && typeof frame[name] !== 'object' && tells(frame[name]),
  )
    ? frame
    : frame['error']
}

/** Reads an error: a text, JSON in a text, an object, or a list of them. */
export function readError(said: unknown): SaidError {
  const found: string[] = []
  let code = ''
  const visit = (value: unknown, depth: number): void => {
    if (depth > maxDepth) return
    if (typeof value === 'string') return void found.push(value.slice(0, maxSaid))
    if (Array.isArray(value)) return value.slice(0, maxItems).forEach((one) => visit(one, depth + 1))
    if (!isRecord(value)) return
    for (const name of labels) label(value, name)
    for (const name of sentences) if (typeof value[name] === 'string') visit(value[name], depth + 1)
    for (const name of places)
      if (typeof value[name] === 'object') visit(value[name], depth + 1)
      else if (name === 'error' && typeof value[name] === 'string') visit(value[name], depth + 1)
  }
  const label = (value: Json, name: string): void => {
    const given = value[name]
    const written = typeof given === 'number' ? String(given) : text(given).slice(0, 200)
    if (written === '' || written === 'error' || written === '0') return
    const isStatus = /^[45]\d\d$/.test(written)
    // A number that is no status of HTTP is a word of the server's own.
    if (/code/i.test(name) && (code === '' || isStatus) && (isStatus || !/^\d+$/.test(written))) code = written
    if (!isStatus) found.push(written)
  }
  visit(said, 0)
  return { code, words: [...new Set(found)].join(' ').slice(0, maxSaid) }
}
