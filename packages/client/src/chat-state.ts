import type { ChatEvent, ErrorBody, TerminalEvent } from '@midstream/core'
import type { ChatMessage, ChatSnapshot, ChatStatus } from './types.ts'
import { isData, isToolCall } from './valid-chat.ts'

/** Units of the run's log that are of one kind, from a position on: what it takes to cut a reply at a position. */
interface Span {
  readonly at: number
  /** What of the reply they grow. */
  readonly kind: 'content' | 'thinking' | 'toolCalls' | 'data' | 'reset'
  /** The thinking that a reset made void: a cut before the reset brings it back. */
  readonly thinking?: string | undefined
  /** Whether this one or one before it is text of the reply. */
  readonly hasText: boolean
  /** The one before it: a list that is copied at each change of kind takes quadratic time. */
  readonly previous: Span | null
}

/** What the request that starts a run says besides the conversation, and what cannot be made again after a reload. */
export interface Ask {
  /** The run that it ends, and how much of it the person has seen; without a position, all of it. */
  readonly interrupts?: { readonly run_id: string; readonly position: number | undefined } | undefined
  /** What becomes of a run that somebody else has started meanwhile. */
  readonly busy?: 'reject' | undefined
}

/** The run whose reply is the last message. */
export interface ActiveRun {
  readonly runId: string
  /** How it was asked for, as long as it may have to be asked for again. */
  readonly ask?: Ask | undefined
  /** The reply before this run: empty, or what a continuation goes on from. */
  readonly before: ChatMessage
  /** How much of the text before stays once this run has said more, UTF-16 units; undefined is all. */
  readonly keeps?: number | undefined
  /** Whether the gateway has spoken of it: from then on it is a part of the conversation, in every tab. */
  readonly isOpen: boolean
  /** What of its log has been received. */
  readonly position: number
  /** The last one. */
  readonly spans: Span | null
}

/** A conversation: what is shown of it, and the run that grows its last message. */
export interface ChatState {
  /** The gateway may give another one, when it knows another conversation under it. */
  readonly sessionId: string
  readonly snapshot: ChatSnapshot
  readonly run: ActiveRun | null
  /** Grows with everything that a person does: of two copies of a conversation, the higher one is the newer one. */
  readonly version: number
  /** The highest version heard of, here or in another tab: what is done next goes beyond it. */
  readonly highest: number
  /** Ids of the messages that were taken away last, by an edit or with the whole conversation. */
  readonly removed: readonly string[]
}

/** What happens to the active run; a step with the id of another run changes nothing. */
type RunInput = { readonly runId: string } & (
  | { readonly type: 'event'; readonly event: ChatEvent; readonly position: number | undefined }
  | { readonly type: 'reconnect'; readonly attempt: number }
  | { readonly type: 'lose'; readonly error: ErrorBody }
)

export type ChatInput =
  /** A request is on its way: these messages, and the reply that grows. */
  | {
      readonly type: 'submit'
      readonly runId: string
      readonly messages: readonly ChatMessage[]
      readonly reply: ChatMessage
      readonly ask?: Ask | undefined
    }
  /** So many of the oldest messages are not in the request. */
  | { readonly type: 'omit'; readonly omitted: number }
  /** Something that costs no message, for the person to know. */
  | { readonly type: 'notice'; readonly notice: ErrorBody | null }
  /** The conversation as it is kept or shown elsewhere, and the run that may still grow its last message; one that is read here is read on. */
  | { readonly type: 'restore'; readonly kept: KeptChat }
  | { readonly type: 'queue'; readonly queue: ChatSnapshot['queue'] }
  /** A person cut in: the reply stays as it was shown. */
  | { readonly type: 'freeze'; readonly reply: ChatMessage }
  /** The gateway has said where the frozen reply ends, and whether it was whole. What has been built on it stays. */
  | { readonly type: 'confirm'; readonly frozen: ChatMessage; readonly reply: ChatMessage }
  | { readonly type: 'clear'; readonly sessionId: string }
  /** Another tab is at this version. */
  | { readonly type: 'see'; readonly version: number }
  | RunInput

/** A conversation as it is kept. */
export interface KeptChat {
  readonly sessionId: string
  readonly messages: readonly ChatMessage[]
  readonly run: Pick<ActiveRun, 'runId' | 'before' | 'isOpen' | 'ask'> | null
  readonly version: number
  /** Ids of the messages that were taken away last: another copy must not bring them back. */
  readonly removed?: readonly string[] | undefined
}

/** The empty conversation: what a server renders, and what a page shows before anything is said. @public */
export const emptySnapshot: ChatSnapshot = /* @__PURE__ */ Object.freeze({
  messages: [],
  status: 'idle',
  attempt: 0,
  queue: [],
  error: null,
  model: null,
  runStatus: null,
  omitted: 0,
  notice: null,
})
/** A run of whose log nothing has been received. */
const unread = { keeps: undefined, position: 0, spans: null }
export const emptyChat: ChatState = {
  sessionId: '',
  snapshot: emptySnapshot,
  run: null,
  version: 0,
  highest: 0,
  removed: [],
}

/** Most ids of removed messages: tabs that missed more removals than that in one instant are not expected. */
const maxRemoved = 100

/** One step. Whatever belongs to another run than the active one changes nothing: ids fence everything. */
export function stepChat(state: ChatState, input: ChatInput): ChatState {
  const { snapshot, run } = state
  switch (input.type) {
    case 'submit': {
      const { runId, reply, ask } = input
      const messages = [...input.messages, reply]
      const started = { ...unread, runId, ask, before: reply, isOpen: false }
      const submitted = at('submitting', snapshot, { messages, error: null, omitted: 0 })
      return { ...state, snapshot: submitted, run: started, removed: removedBy(state, messages) }
    }
    case 'omit':
      return { ...state, snapshot: { ...snapshot, omitted: input.omitted } }
    case 'notice':
      return { ...state, snapshot: { ...snapshot, notice: input.notice } }
    case 'restore': {
      const { sessionId, messages, run: kept, version, removed = [] } = input.kept
      const restored = { sessionId, version, highest: Math.max(version, state.highest), removed }
      // The reply that a run grows is the one that is read here.
      if (run && kept?.runId === run.runId) {
        return { ...state, ...restored, snapshot: withReply({ ...snapshot, messages }, snapshot.messages.at(-1)!) }
      }
      // Until the gateway has answered, somebody else may have seen more of it.
      const attempt = kept ? 1 : 0
      return {
        ...restored,
        snapshot: at(kept ? 'reconnecting' : 'idle', snapshot, { messages, error: null, attempt }),
        run: kept && { ...kept, ...unread },
      }
    }
    case 'queue':
      return { ...state, snapshot: { ...snapshot, queue: input.queue } }
    case 'freeze':
      return { ...next(state), snapshot: at('interrupting', withReply(snapshot, input.reply)), run: null }
    case 'confirm': {
      const isLast = snapshot.messages.at(-1) === input.frozen
      const confirmed = isLast ? withReply(snapshot, input.reply) : snapshot
      return { ...state, snapshot: snapshot.status === 'interrupting' ? at('idle', confirmed) : confirmed }
    }
    case 'clear':
      return {
        ...next(state),
        sessionId: input.sessionId,
        snapshot: { ...emptySnapshot, notice: snapshot.notice },
        run: null,
        removed: removedBy(state, []),
      }
    case 'see':
      return input.version > state.highest ? { ...state, highest: input.version } : state
    default:
      return run?.runId === input.runId ? stepRun(state, run, input) : state
  }
}

/** What was taken away so far, and what is there now and not among these. */
function removedBy({ snapshot, removed }: ChatState, messages: readonly ChatMessage[]): readonly string[] {
  const left = new Set(messages.map(({ id }) => id))
  const gone = snapshot.messages.filter(({ id }) => !left.has(id)).map(({ id }) => id)
  return gone.length === 0 ? removed : [...removed, ...gone].slice(-maxRemoved)
}

function stepRun(state: ChatState, run: ActiveRun, input: RunInput): ChatState {
  const { snapshot } = state
  if (input.type === 'reconnect') {
    return { ...state, snapshot: at('reconnecting', snapshot, { attempt: input.attempt }) }
  }
  const told = run.isOpen ? state : next(state)
  if (input.type === 'event') {
    const { event, position = run.position } = input
    return { ...told, ...stepEvent(snapshot, { ...run, isOpen: true }, event, position) }
  }
  const { error } = input
  // What stands back for another tab's run is nothing new.
  const before = error.code === 'session_busy' ? state : told
  return { ...before, ...failed(snapshot, run.position > 0 ? 'dropped' : 'failed', error) }
}

type Stepped = Pick<ChatState, 'snapshot' | 'run'> & { readonly sessionId?: string }

function next(state: ChatState): ChatState {
  const version = state.highest + 1
  return { ...state, version, highest: version }
}

function stepEvent(snapshot: ChatSnapshot, run: ActiveRun, event: ChatEvent, position: number): Stepped {
  const reply = snapshot.messages.at(-1)!
  const { spans, before } = run
  const grow = (kind: Span['kind'], change: Partial<ChatMessage>): Stepped => {
    const hasText = kind === 'content' || spans?.hasText === true
    const more = kind === 'reset' && { thinking: reply.thinking }
    const span: Span = { at: run.position, kind, hasText, previous: spans, ...more }
    return {
      snapshot: at('streaming', withReply(snapshot, { ...reply, ...change })),
      run: { ...run, position, spans: spans?.kind === kind ? spans : span },
    }
  }
  // Whatever else a terminal frame carries, the run is over.
  if ('done' in event) return stepTerminal(snapshot, run, reply, event)
  if ('message' in event) {
    const content = spans?.hasText ? reply.content : before.content.slice(0, run.keeps)
    return grow('content', { content: content + event.message })
  }
  if ('thinking' in event) return grow('thinking', { thinking: (reply.thinking ?? '') + event.thinking })
  if ('tool_call' in event) {
    const { tool_call: call } = event
    return isToolCall(call) ? grow('toolCalls', { toolCalls: [...(reply.toolCalls ?? []), call] }) : { snapshot, run }
  }
  if ('data' in event) {
    return isData(event.data) ? grow('data', { data: [...(reply.data ?? []), event.data] }) : { snapshot, run }
  }
  if ('reset' in event) return grow('reset', { thinking: before.thinking })
  if ('session_id' in event) {
    const { session_id: sessionId, model, continues } = event
    const started = at('waiting', snapshot, { model })
    // Told again at every connection. What comes now comes after `before`, whatever was kept of it.
    if (position > 0) return { sessionId, snapshot: started, run }
    return { sessionId, snapshot: withReply(started, run.before), run: { ...run, keeps: continues?.position } }
  }
  if ('status' in event) {
    const { status, model = snapshot.model } = event
    return {
      snapshot: at(status === 'generating' ? 'streaming' : 'waiting', snapshot, { model, runStatus: event }),
      run,
    }
  }
  return { snapshot, run }
}

function stepTerminal(snapshot: ChatSnapshot, run: ActiveRun, reply: ChatMessage, terminal: TerminalEvent): Stepped {
  const idle = (ended: ChatMessage): Stepped => ({ snapshot: at('idle', withReply(snapshot, ended)), run: null })
  const { reason } = terminal
  if (reason === 'error') return failed(snapshot, 'failed', terminal.error)
  if (reason !== 'interrupted') return idle({ ...reply, state: 'done', reason })
  const cut = cutReply(reply, run, terminal.position)
  const { by } = terminal
  const code = by === 'orphan' ? 'orphaned' : by === 'shutdown' && 'shutting_down'
  if (!code) return idle({ ...cut, state: 'interrupted' })
  return failed(withReply(snapshot, cut), 'dropped', { code, message: 'The gateway ended the reply', retryable: true })
}

/** A reply as it was at a position of its run's log: it was interrupted there. */
export function cutReply(reply: ChatMessage, run: ActiveRun, position: number): ChatMessage {
  if (position >= run.position) return reply
  const { before, keeps } = run
  const left = { content: 0, thinking: 0, toolCalls: 0, data: 0, reset: 0 }
  let { thinking } = reply
  let end = position
  for (let span = run.spans; span; span = span.previous) {
    const { at, kind } = span
    if (at < position) {
      // What a reset has made void is not there.
      if (kind !== 'thinking' || left.reset === 0) left[kind] += end - at
      end = at
    } else if (kind === 'reset') ({ thinking } = span)
  }
  const kept = before.content.slice(0, keeps).length
  return {
    ...reply,
    content: left.content ? reply.content.slice(0, kept + left.content) : before.content,
    thinking: grown(before.thinking, thinking, left.thinking),
    toolCalls: grown(before.toolCalls, reply.toolCalls, left.toolCalls),
    data: grown(before.data, reply.data, left.data),
  }
}

/** What was there before, and so many units of what came. */
function grown<Value extends string | readonly unknown[]>(
  before: Value | undefined,
  now: Value | undefined,
  units: number,
): Value | undefined {
  return units ? (now?.slice(0, (before?.length ?? 0) + units) as Value | undefined) : before
}

function failed(snapshot: ChatSnapshot, state: 'failed' | 'dropped', reason: ErrorBody): Stepped {
  const { code, message, retryable } = reason
  const error = { code, message, retryable }
  const reply: ChatMessage = { ...snapshot.messages.at(-1)!, state, error }
  return { snapshot: at('error', withReply(snapshot, reply), { error }), run: null }
}

const at = (status: ChatStatus, snapshot: ChatSnapshot, change: Partial<ChatSnapshot> = {}): ChatSnapshot => ({
  ...snapshot,
  attempt: 0,
  runStatus: null,
  ...change,
  status,
})

function withReply(snapshot: ChatSnapshot, reply: ChatMessage): ChatSnapshot {
  return { ...snapshot, messages: [...snapshot.messages.slice(0, -1), reply] }
}
