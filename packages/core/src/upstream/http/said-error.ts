import { isRecord, list, parsedJson, record, text, type Json } from '../../wire/json.ts'
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
  'type code Code status reason error_code status_code errcode err_code errCode errorCode ErrorCode errorcode error_type ' +
    'statusCode httpStatus httpStatusCode http_status http_code originalStatusCode',
)
const sentences = /* @__PURE__ */ words(
  'message Message msg error_msg error_message errmsg err_msg errMsg errorMsg errorMessage ErrorMessage status_msg detail title description ' +
    'error_description faultstring raw',
)
/** Where an error stands in a frame, or in a proxy's error about another one. */
const places = /* @__PURE__ */ words(
  'error Error errors err fault Fault detail details metadata base_resp Response response header status',
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
  /^(?:.*[_-])?(?:id|ids|time|timestamp|ts|at|date|version|param|line|url|link|locale|lang|retryable|domain|provider|provider_name|host|hostname|model|server|region|node|service|source|trace)$|[a-z](?:Id|Time|Url|At|Name)$/
/** What only names the kind, where a sentence says that all is well. */
const kinds = /* @__PURE__ */ words('type error_type status reason level severity title')
/** A kind that names nothing, or that is none. */
const noKind = /^(?:error|info|debug|notice|none)$/i
const isFineName = /^(?:is_?)?(?:success|successful|succeeded|ok)$/i

/** Whether it says anything: structs of C# and Go have an empty error in every good chunk, and others one that says that all is well. */
function tells(value: unknown, depth = 0, name = ''): boolean {
  if (value === undefined || value === null) return false
  if (depth > maxDepth) return true
  if (typeof value === 'boolean') return value !== isFineName.test(name)
  if (typeof value === 'string') {
    const inner = /^\s*[{[]/.test(value) && value.length < maxSaid ? parsedJson(value) : undefined
    if (typeof inner === 'object') return tells(inner, depth + 1, name)
    return value.length > 40 || !fine.test(value.trim())
  }
  if (typeof value === 'number') return !fine.test(`${value}`)
  if (Array.isArray(value)) return value.slice(0, maxItems).some((one) => tells(one, depth + 1, name))
  if (!isRecord(value)) return false
  // One that calls itself a success is an error by its code only.
  if (Object.entries(value).some(([field, one]) => one === true && isFineName.test(field)))
    return labels.some((field) => /code/i.test(field) && tells(value[field]))
  const isFine = sentences.some((field) => text(value[field]).trim() !== '' && !tells(value[field]))
  // A struct that was not filled in.
  const isEmpty =
    sentences.some((field) => value[field] === '') && !sentences.some((field) => text(value[field]) !== '')
  const isNoKind = (field: string, one: unknown): boolean =>
    kinds.includes(field) && (isFine || (isEmpty && noKind.test(text(one))))
  return Object.entries(value).some(
    ([field, one]) => !idle.test(field) && !isNoKind(field, one) && tells(one, depth + 1, field),
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
  if (isFailed(record(said['header'])['code']) || exceptionIn(said) !== undefined) return said
  if (choiceError(said) !== undefined) return said
  if (isReply) return undefined
  if (event === 'error' || said['success'] === false || said['ok'] === false) return said
  if (['object', 'type', 'status', 'state', 'result'].some((name) => calledOne.test(text(said[name])))) return said
  // An API's event about its reply (`response.failed`), and a proxy's fault.
  if (tells(record(said['response'])['error']) || tells(said['fault']) || tells(said['Fault'])) return said
  if (labels.some((name) => /code/i.test(name) && isFailed(record(said['status'])[name]))) return said
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

/** AWS names an error by its kind: `{"throttlingException": {"message": …}}`. */
const exception = /[a-z]Exception$|^(?:exception|failure)$/

function exceptionIn(said: Json): string | undefined {
  return Object.keys(said).find((name) => {
    if (!exception.test(name) || name.length > 80) return false
    const value = said[name]
    return isRecord(value)
      ? sentences.some((field) => tells(value[field]))
      : /^[ef]/.test(name) && typeof value === 'string' && tells(value)
  })
}

/** Proxies say the error of one choice in it, or in its delta. */
function choiceError(said: Json): unknown {
  const { choices } = said
  for (const choice of list(choices).slice(0, maxItems).map(record))
    for (const place of [choice, record(choice['delta']), record(choice['message'])])
      if (tells(place['error'])) return place['error']
  return undefined
}

/** Fields that say something of a reply, or may hold its text. */
const ofReply =
  /^(?:choices?|candidates|delta|content|text|responses?|output|timings|done|parts|token|generated_text|answer|completion|role|progress)$|finish|stop_|stopReason|tool|usage|think|reasoning/i
/** What names the frame, or says how far something is. */
const naming = /^(?:event|object|state|stage|phase|level|name|kind)$/
const maxFields = 12

/**
 * The words of a frame that says nothing else: neither a piece of a reply nor an error by its shape.
 * @returns undefined where there is something else in it, or no word.
 */
export function noticeIn(said: Json, event?: string): string | undefined {
  if (event === 'error') return undefined
  const fields = Object.entries(said).filter(([, value]) => value !== undefined && value !== null && value !== '')
  if (fields.length > maxFields || fields.some(([name, value]) => !isBeside(name, value, said))) return undefined
  if (said['success'] === false || said['ok'] === false) return undefined
  if (labels.some((name) => /code/i.test(name) && isFailed(said[name]))) return undefined
  if (['object', 'type', 'status', 'state', 'result'].some((name) => calledOne.test(text(said[name])))) return undefined
  const found = fields.flatMap(([name, value]) =>
    typeof value === 'string' && (sentences.includes(name) || name === 'data') ? [value] : [],
  )
  return found.length === 0 ? undefined : found.join(' ')
}

function isBeside(name: string, value: unknown, said: Json): boolean {
  // Without a type, a fraction beside words is one of them.
  if (name === 'progress') return typeof value === 'number' && said['type'] === undefined
  if (ofReply.test(name) || exception.test(name) || named.includes(name)) return false
  if (typeof value === 'object') return Object.keys(value as object).length === 0
  if (typeof value !== 'string') return true
  return name === 'data' || sentences.includes(name) || labels.includes(name) || naming.test(name) || idle.test(name)
}

/** What of a frame is the error: all of it where something stands beside `error` that belongs to it, as xAI's `code`. */
export function errorOf(frame: unknown): unknown {
  if (!isRecord(frame)) return frame
  if (!tells(frame['error'])) return choiceError(frame) ?? frame
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
    const kind = exceptionIn(value)
    if (kind !== undefined) {
      found.push(kind.replace(/([a-z])([A-Z])/g, '$1 $2'))
      visit(value[kind], depth + 1)
    }
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
