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
  /** Counts the messages, and parts of messages, that made no sense. */
  readonly dropped: number
}

/**
 * Reads a chat from outside: a storage, or another tab. Never throws. Leaves out a message, or a part of one, that makes no sense. A
 * reply whose end is not known keeps its text, and is `dropped`.
 * @param ownId - Stands in for a session id that makes no sense. Default: then there is no chat.
 * @returns Undefined when nothing is left.
 */
export function parseChat(value: unknown, ownId?: string): ValidChat | undefined {
  if (!isRecord(value)) return undefined
  const { sessionId: givenId, version, messages, removed, cleared, runs } = value
  let dropped = 0
  const drop = (count = 1): void => void (dropped += count)
  const sessionId = isId('sess', givenId) ? givenId : (drop(), ownId)
  if (sessionId === undefined || !Array.isArray(messages)) return undefined
  drop(Math.max(0, messages.length - maxMessages))
  const valid = new Map<string, ChatMessage>()
  for (const each of messages.slice(-maxMessages) as readonly unknown[]) {
    const message = parseMessage(each, drop)
    if (!message || valid.has(message.id)) drop()
    else valid.set(message.id, message)
  }
  if (messages.length > 0 && valid.size === 0) return undefined
  // Each run grows a message that streams, and each message that streams has a run.
  const growing = new Map<string, KeptRun>()
  for (const each of listOf(runs, drop)) {
    const run = parseRun(each)
    const id = run?.before.id ?? ''
    if (run && valid.get(id)?.state === 'streaming' && !growing.has(id)) growing.set(id, run)
    else drop()
  }
  let oldest = maxVersion
  for (const message of valid.values()) oldest = Math.min(oldest, versionOf(message.version) || maxVersion)
  // A chat cannot have cleared a message that it holds.
  const since = versionOf(cleared) > oldest ? (drop(), 0) : versionOf(cleared)
  const versioned: ChatMessage[] = []
  let newest = Math.max(versionOf(version), since)
  for (const message of valid.values()) {
    const isLost = message.state === 'streaming' && !growing.has(message.id)
    if (isLost) drop()
    // Without versions, messages keep their order.
    const own = versionOf(message.version) || since + versioned.length + 1
    versioned.push({ ...message, ...(isLost && lost), version: own })
    newest = Math.max(newest, own)
  }
  return {
    chat: {
      sessionId,
      messages: versioned,
      runs: [...growing.values()],
      version: newest,
      removed: listOf(removed, drop).filter(isRemoved).slice(-maxRemoved),
      cleared: since,
    },
    dropped,
  }
}

/** Nobody knows how such a reply ended: it must not claim that a user, or the model, ended it. */
const lost: Pick<ChatMessage, 'state' | 'error'> = {
  state: 'dropped',
  error: { code: 'dropped', message: 'How this reply ended is not known', retryable: true },
}

function listOf(value: unknown, drop: () => void): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value !== undefined) drop()
  return []
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
  if (!isIdLike(id) || !isText(content)) return undefined
  if (role !== 'user' && role !== 'assistant') return undefined
  const isReply = role === 'assistant'
  const isKnown = states.includes(state) && (isReply || state !== 'streaming')
  if (!isKnown && !isReply) drop()
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
    // A reply that was growing, as far as anybody knows, has no run.
    state: isKnown ? (state as MessageState) : isReply ? 'streaming' : 'done',
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
