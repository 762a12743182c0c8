import { isRecord, record, text, type Json } from '../../wire/json.ts'
import { isWaitName } from './wait-words.ts'

/** An error as a server said it, whatever its shape. */
export interface SaidError {
  /** What it names itself by: a status, or a word. Empty where it says none. */
  readonly code: string
  /** Type, status and message, in one text. What it says again of the request is not in it. */
  readonly words: string
}

/** How much of an error's words counts, UTF-16 code units. */
export const maxSaid = 8_192

const words = (said: string): readonly string[] => said.split(' ')
const labels = /* @__PURE__ */ words(
  'type code Code status reason error_code status_code errcode err_code errCode errorCode ErrorCode errorcode error_type',
)
const sentences = /* @__PURE__ */ words(
  'message Message msg error_msg error_message errmsg err_msg errMsg errorMsg errorMessage ErrorMessage status_msg detail title description ' +
    'error_description faultstring raw',
)
/** Where an error stands in a frame, or in a proxy's error about another one. */
const places = /* @__PURE__ */ words(
  'error Error errors err fault Fault detail details metadata base_resp Response response header',
)
/** Places whose text is the error. */
const named = /* @__PURE__ */ words('error Error err fault')
/** How deep, and how many in a list. */
const maxDepth = 4
const maxItems = 8

/** Words and figures by which an error says that there is none. */
const fine =
  /^(?:|0+|200|20000|null|nil|none|undefined|n\/?a|ok(?:ay)?|fine|normal|success(?:ful(?:ly)?|ed)?|succe?eded|succeed|done|completed?|false|(?:no|without|not an?)[ _-]?(?:errors?|fault|failure|problem)s?(?: occurred)?|\{\}|\[\]|""|(?:请求|操作|调用|处理)?成功|正常|无(?:错误)?|没有错误)[.!。！]?$/i
/** Fields of an error that say nothing of whether there is one. */
const idle =
  /^(?:.*[_-])?(?:id|ids|time|timestamp|ts|at|date|version|param|line|url|link|locale|lang|retryable)$|[a-z](?:Id|Time|Url|At)$/
/** What only names the kind, where a sentence says that all is well. */
const kinds = /* @__PURE__ */ words('type error_type status reason level severity title')
const isFineName = /^(?:is_?)?(?:success|successful|succeeded|ok)$/i

/** Whether it says anything: structs of C# and Go have an empty error in every good chunk, and others one that says that all is well. */
function tells(value: unknown, depth = 0, name = ''): boolean {
  if (value === undefined || value === null) return false
  if (depth > maxDepth) return true
  if (typeof value === 'boolean') return value !== isFineName.test(name)
  if (typeof value === 'string') return value.length > 40 || !fine.test(value.trim())
  if (typeof value === 'number') return !fine.test(`${value}`)
  if (Array.isArray(value)) return value.slice(0, maxItems).some((one) => tells(one, depth + 1, name))
  if (!isRecord(value)) return false
  // One that calls itself a success is an error by its code only.
  if (Object.entries(value).some(([field, one]) => one === true && isFineName.test(field)))
    return labels.some((field) => /code/i.test(field) && tells(value[field]))
  const isFine = sentences.some((field) => text(value[field]).trim() !== '' && !tells(value[field]))
  return Object.entries(value).some(
    ([field, one]) => !idle.test(field) && !(isFine && kinds.includes(field)) && tells(one, depth + 1, field),
  )
}

const isFailed = (value: unknown): boolean => (typeof value === 'number' || typeof value === 'string') && tells(value)

const calledOne = /^(?:error|fail(?:ed|ure)?|response\.failed)$/i

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
  if (tells(said['error']) || tells(said['errors']) || tells(said['err'])) return said
  // MiniMax, Tencent and iFlytek say with every chunk how it goes.
  if (isFailed(record(said['base_resp'])['status_code']) || tells(record(said['Response'])['Error'])) return said
  if (isFailed(record(said['header'])['code'])) return said
  if (isReply) return undefined
  if (event === 'error' || said['success'] === false || said['ok'] === false) return said
  if (['object', 'type', 'status', 'state', 'result'].some((name) => calledOne.test(text(said[name])))) return said
  // An API's event about its reply (`response.failed`), and a proxy's fault.
  if (tells(record(said['response'])['error']) || tells(said['fault']) || tells(said['Fault'])) return said
  if (said['success'] === true || said['ok'] === true) return undefined
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
  ) || Object.keys(frame).some(isWaitName)
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
      else if (named.includes(name) && typeof value[name] === 'string') visit(value[name], depth + 1)
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
