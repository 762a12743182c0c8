import { isId, type DataEvent, type ErrorBody, type FinishReason, type ToolCall } from '@midstream/core'
import type { Ask, KeptChat, KeptRun } from './state/kept-chat.ts'
import type { ChatMessage, MessageState } from './message.ts'

/** Most messages of a chat from outside. */
const maxMessages = 100_000
/** Most removed messages that are remembered: as many as a gateway takes in one request. */
export const maxRemoved = 1_000
/** A version that nobody could go beyond would win for ever. */
export const maxVersion: number = 2 ** 52
/** Longest text of a message from outside, UTF-16 code units: four of the longest replies that a gateway makes. */
const maxChars = 16_777_216
/** Longest id from outside. */
const maxIdChars = 256
/** Deepest JSON in tool calls and data: deeper values throw in `JSON.stringify` and `structuredClone`. */
const maxDepth = 100

const states: readonly unknown[] = [
  'streaming',
  'done',
  'interrupted',
  'failed',
  'dropped',
] satisfies readonly MessageState[]

type Json = Readonly<Record<string, unknown>>

export interface ValidChat {
  readonly chat: KeptChat
  /** How many messages, and parts of messages, made no sense and were left out. */
  readonly dropped: number
}

/**
 * Reads a chat from outside: a storage, or another tab. Never throws. A message that makes no sense is left out, and so is a
 * part of a message; a chat whose ids, version or run make no sense is none.
 */
export function parseChat(value: unknown): ValidChat | undefined {
  if (!isRecord(value)) return undefined
  const { sessionId, version, messages, removed, cleared, runs } = value
  if (!isId('sess', sessionId) || typeof version !== 'number' || !Array.isArray(messages)) return undefined
  if (messages.length > maxMessages) return undefined
  let dropped = 0
  const ids = new Set<string>()
  const valid = messages.flatMap((each: unknown) => {
    const message = parseMessage(each, () => (dropped += 1))
    if (!message || ids.has(message.id)) return ((dropped += 1), [])
    ids.add(message.id)
    return [message]
  })
  if (messages.length > 0 && valid.length === 0) return undefined
  // What streams, a run grows; there is no other run.
  const growing = new Map(valid.flatMap((message) => (message.state === 'streaming' ? [[message.id, message]] : [])))
  const known = Array.isArray(runs) ? runs.map(parseRun) : []
  for (const run of known) {
    const reply = growing.get(run?.before.id ?? '')
    if (reply?.role !== 'assistant') return undefined
    growing.delete(reply.id)
  }
  if (growing.size > 0) return undefined
  const since = versionOf(cleared)
  // Without versions, messages keep their order.
  const versioned = valid.map((message, at) =>
    Object.assign(message, { version: versionOf(message.version) || since + at + 1 }),
  )
  return {
    chat: {
      sessionId,
      messages: versioned,
      runs: known.flatMap((run) => run ?? []),
      version: versioned.reduce((most, one) => Math.max(most, one.version), Math.max(versionOf(version), since)),
      removed: Array.isArray(removed) ? removed.filter(isRemoved).slice(-maxRemoved) : [],
      cleared: since,
    },
    dropped,
  }
}

const versionOf = (value: unknown): number => (isPosition(value) && value < maxVersion ? value : 0)

const isRemoved = (value: unknown): value is readonly [string, number] =>
  Array.isArray(value) && value.length === 2 && isIdLike(value[0]) && isPosition(value[1])

/** @returns Undefined when it makes no sense. */
function parseRun(value: unknown): KeptRun | undefined {
  if (!isRecord(value) || !isId('run', value['runId'])) return undefined
  const before = parseMessage(value['before'], () => undefined)
  if (before?.role !== 'assistant') return undefined
  return { runId: value['runId'], before, isOpen: value['isOpen'] === true, ask: parseAsk(value['ask']) }
}

function parseAsk(value: unknown): Ask | undefined {
  if (!isRecord(value)) return undefined
  const { interrupts, busy } = value
  const isEnding = isRecord(interrupts) && isId('run', interrupts['run_id'])
  const position = isEnding && isPosition(interrupts['position']) ? interrupts['position'] : undefined
  return {
    interrupts: isEnding ? { run_id: interrupts['run_id'] as string, position } : undefined,
    busy: busy === 'reject' ? busy : undefined,
  }
}

function parseMessage(value: unknown, drop: () => void): ChatMessage | undefined {
  if (!isRecord(value)) return undefined
  const { id, role, content, state } = value
  if (!isIdLike(id) || !isText(content) || !states.includes(state)) return undefined
  if (role !== 'user' && role !== 'assistant') return undefined
  /** A part that may be missing: what makes no sense is dropped, and the text stays. */
  const part = <Name extends keyof ChatMessage>(
    name: Name,
    isValid: (part: unknown) => part is ChatMessage[Name],
  ): { [Key in Name]?: ChatMessage[Name] } => {
    const given = value[name] ?? undefined
    if (given === undefined) return {}
    if (isValid(given)) return { [name]: given } as { [Key in Name]?: ChatMessage[Name] }
    drop()
    return {}
  }
  return {
    id,
    role,
    content,
    state: state as MessageState,
    ...part('thinking', isText),
    ...part('toolCalls', isListOf(isToolCall)),
    ...part('data', isListOf(isData)),
    ...part('reason', isReason),
    ...part('error', isErrorBody),
    ...part('version', isPosition),
  }
}

/** Tells whether a value from outside is a whole tool call. */
export function isToolCall(value: unknown): value is ToolCall {
  return (
    isRecord(value) &&
    isIdLike(value['id']) &&
    isText(value['name']) &&
    isRecord(value['arguments']) &&
    isShallow(value['arguments'])
  )
}

/** Tells whether a value from outside is an event of the app's own. */
export function isData(value: unknown): value is DataEvent['data'] {
  return isRecord(value) && typeof value['type'] === 'string' && isShallow(value)
}

function isErrorBody(value: unknown): value is ErrorBody {
  return isRecord(value) && isText(value['code']) && isText(value['message']) && typeof value['retryable'] === 'boolean'
}

const isListOf =
  <Item>(isItem: (value: unknown) => value is Item) =>
  (value: unknown): value is readonly Item[] =>
    Array.isArray(value) && value.every(isItem)
const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= maxChars
const isIdLike = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= maxIdChars
const isReason = (value: unknown): value is FinishReason => typeof value === 'string' && value.length <= maxIdChars
const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Level by level, as a recursion could go too deep. */
function isShallow(value: unknown): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return false
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return true
}
