import { isDeeper, maxRequestDepth } from './depth.ts'
import { ChatError } from './errors.ts'
import { isBoolean, isString, optional, refuse } from './fields.ts'
import { isId } from './ids.ts'
import { isRecord, type Json } from './json.ts'
import { isMessageId, maxMessageId, parseTool, parseTurns, type ChatTurn, type ToolDefinition } from './turns.ts'

import { utf8Bytes } from './utf8-bytes.ts'

export type { ChatTurn, Role, ToolDefinition } from './turns.ts'

/** The body of `POST {base}`, checked. @public */
export interface ChatRequest {
  readonly messages: readonly ChatTurn[]
  readonly session_id?: string
  readonly run_id?: string
  readonly stream: boolean
  readonly model?: string
  readonly options?: Readonly<Record<string, unknown>>
  readonly tools?: readonly ToolDefinition[]
  readonly think?: boolean | string
  readonly interrupts?: { readonly run_id: string; readonly position?: number }
  readonly when_busy: 'interrupt' | 'reject'
  readonly reconnect: boolean
  /** How many earlier messages of the conversation are not among `messages`. */
  readonly omitted?: number
  /** The id of the message that `messages` follow, where earlier ones were left out. */
  readonly after?: string
  /** The app's own, for `prepare` and `onRunEnd`: at most 16 KiB of JSON. */
  readonly metadata?: Json | undefined
  /** The last message is the assistant's partial, to grow. */
  readonly resume?: 'continue'
}

/** @public */
export interface MessageLimits {
  /** Most messages in one request. */
  readonly maxMessages: number
}

/** Largest `metadata`, UTF-8 bytes of JSON. */
const maxMetadataBytes = 16_384

/** `high`, say: what servers call how much is to be thought. */
const isThink = (value: unknown): value is boolean | string =>
  isBoolean(value) || (isString(value) && /^[\w-]{1,32}$/.test(value))
const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * Checks the body of a request from outside. Unknown keys are ignored.
 * @throws {ChatError} `bad_request` or `unsupported_content`, naming the field; `too_many_messages`.
 * @public
 */
export function parseChatRequest(json: string, limits: MessageLimits): ChatRequest {
  const body = parseObject(json)
  const messages = optional(body, 'messages', Array.isArray, 'an array') ?? []
  if (messages.length === 0) refuse('messages must hold at least one message.')
  if (messages.length > limits.maxMessages) {
    throw new ChatError('too_many_messages', `messages must hold at most ${limits.maxMessages} messages.`)
  }
  const turns = parseTurns(messages, 'messages')
  const last = turns.at(-1)!
  const resume = optional(body, 'resume', (value) => value === 'continue', '"continue"')
  if (resume && (last.role !== 'assistant' || last.tool_calls))
    refuse('resume continues a last message of the assistant without tool calls.')
  if (resume && last.content === '')
    refuse('resume continues a last message that has text: leave the empty one out, and ask without resume.')
  if (!resume && last.role !== 'user' && last.role !== 'tool')
    refuse('The last message must be from the user or a tool.')

  const isAnswer = turns.some(({ tool_calls: calls }) => calls?.some(({ id }) => id === last.tool_call_id))
  if (last.role === 'tool' && !isAnswer)
    refuse('The last message is of a tool that nobody called: tool_call_id names no call.')

  const session = optional(
    body,
    'session_id',
    (value) => isId('sess', value),
    'sess_ and 22 to 64 letters, digits, - or _',
  )
  const run = optional(body, 'run_id', (value) => isId('run', value), 'run_ and 22 to 64 letters, digits, - or _')
  const model = optional(body, 'model', isString, 'a string')
  const options = optional(body, 'options', isRecord, 'an object')
  const tools = optional(body, 'tools', Array.isArray, 'an array')
  const think = optional(body, 'think', isThink, 'a boolean or a word')
  const interrupts = optional(body, 'interrupts', isRecord, 'an object')
  const after = optional(body, 'after', isMessageId, `a string of 1 to ${maxMessageId} characters`)
  const metadata = optional(body, 'metadata', isRecord, 'an object')
  if (metadata && utf8Bytes(JSON.stringify(metadata)) > maxMetadataBytes)
    refuse(`metadata must be at most ${maxMetadataBytes} bytes of JSON.`)
  const omitted = optional(body, 'omitted', isPosition, 'a whole number >= 0')
  const whenBusy = optional(
    body,
    'when_busy',
    (value) => value === 'interrupt' || value === 'reject',
    '"interrupt" or "reject"',
  )
  return {
    messages: turns,
    stream: optional(body, 'stream', isBoolean, 'a boolean') ?? true,
    when_busy: whenBusy ?? 'interrupt',
    reconnect: optional(body, 'reconnect', isBoolean, 'a boolean') ?? false,
    ...(resume === undefined ? {} : { resume }),
    ...(omitted === undefined ? {} : { omitted }),
    ...(after === undefined ? {} : { after }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(session === undefined ? {} : { session_id: session }),
    ...(run === undefined ? {} : { run_id: run }),
    ...(model === undefined ? {} : { model }),
    ...(options === undefined ? {} : { options }),
    ...(tools === undefined || tools.length === 0 ? {} : { tools: tools.map(parseTool) }),
    ...(think === undefined ? {} : { think }),
    ...(interrupts === undefined ? {} : { interrupts: parseInterrupts(interrupts) }),
  }
}

/**
 * Checks the body of an interrupt: `{"position": N}`, or nothing, which means the end.
 * @throws {ChatError} `bad_request`.
 * @public
 */
export function parseInterrupt(json: string): number | undefined {
  if (json.trim() === '') return undefined
  return optional(parseObject(json), 'position', isPosition, 'a whole number >= 0')
}

function parseObject(json: string): Json {
  if (isDeeper(json, maxRequestDepth)) refuse(`The body must not nest deeper than ${maxRequestDepth} levels.`)
  let body: unknown
  try {
    body = JSON.parse(json)
  } catch (cause) {
    throw new ChatError('bad_request', 'The body is not valid JSON.', { cause })
  }
  return isRecord(body) ? body : refuse('The body must be a JSON object.')
}

function parseInterrupts(value: Json): { run_id: string; position?: number } {
  if (!isId('run', value['run_id'])) refuse('interrupts.run_id must be the id of a run.')
  const position = optional(value, 'position', isPosition, 'a whole number >= 0')
  return { run_id: value['run_id'], ...(position === undefined ? {} : { position }) }
}
