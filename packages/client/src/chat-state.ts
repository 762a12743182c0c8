import type { ChatEvent, ErrorBody, TerminalEvent } from '@midstream/core'
import type { ChatMessage, ChatSnapshot, ChatStatus } from './types.ts'

/** Units of the run's log that are of one kind, from a position on: what it takes to cut a reply at a position. */
interface Span {
  readonly at: number
  readonly kind: 'message' | 'thinking' | 'void' | 'tool_call' | 'data'
}

/** The run whose reply is the last message. */
export interface ActiveRun {
  readonly runId: string
  /** The reply before this run: empty, or what a continuation keeps. */
  readonly before: ChatMessage
  /** What of its log has been received. */
  readonly position: number
  readonly spans: readonly Span[]
}

/** A conversation: what is shown of it, and the run that grows its last message. */
export interface ChatState {
  readonly snapshot: ChatSnapshot
  readonly run: ActiveRun | null
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
    }
  /** The conversation as it is kept or shown elsewhere, and the run that may still grow its last message. */
  | { readonly type: 'restore'; readonly kept: KeptChat }
  | { readonly type: 'queue'; readonly queue: ChatSnapshot['queue'] }
  /** A person cut in: the reply stays as it was shown. */
  | { readonly type: 'freeze'; readonly reply: ChatMessage }
  /** The gateway has said where the frozen reply ends, and whether it was whole. */
  | { readonly type: 'confirm'; readonly reply: ChatMessage }
  | { readonly type: 'clear' }
  | RunInput

/** A conversation as it is kept. */
export interface KeptChat {
  readonly sessionId: string
  readonly messages: readonly ChatMessage[]
  readonly run: Pick<ActiveRun, 'runId' | 'before'> | null
}

export const emptySnapshot: ChatSnapshot = {
  messages: [],
  status: 'idle',
  attempt: 0,
  queue: [],
  error: null,
  model: null,
}
export const emptyChat: ChatState = { snapshot: emptySnapshot, run: null }

/** One step. Whatever belongs to another run than the active one changes nothing: ids fence everything. */
export function stepChat(state: ChatState, input: ChatInput): ChatState {
  const { snapshot, run } = state
  switch (input.type) {
    case 'submit': {
      const { runId, reply } = input
      const messages = [...input.messages, reply]
      const started = { runId, before: reply, position: 0, spans: [] }
      return { snapshot: at('submitting', snapshot, { messages, error: null }), run: started }
    }
    case 'restore': {
      const { messages, run: kept } = input.kept
      const restored = { ...snapshot, messages, error: null }
      if (!kept) return { snapshot: at('idle', restored), run: null }
      return { snapshot: at('waiting', restored), run: { ...kept, position: 0, spans: [] } }
    }
    case 'queue':
      return { snapshot: { ...snapshot, queue: input.queue }, run }
    case 'freeze':
      return { snapshot: at('interrupting', withReply(snapshot, input.reply)), run: null }
    case 'confirm': {
      const messages = snapshot.messages.map((message) => (message.id === input.reply.id ? input.reply : message))
      // Something newer may be under way by now.
      return {
        snapshot: at(snapshot.status === 'interrupting' ? 'idle' : snapshot.status, snapshot, { messages }),
        run,
      }
    }
    case 'clear':
      return emptyChat
    default:
      return run?.runId === input.runId ? stepRun(snapshot, run, input) : state
  }
}

function stepRun(snapshot: ChatSnapshot, run: ActiveRun, input: RunInput): ChatState {
  if (input.type === 'event') return stepEvent(snapshot, run, input.event, input.position ?? run.position)
  if (input.type === 'lose') return ended(snapshot, run.position > 0 ? 'dropped' : 'failed', input.error)
  return { snapshot: at('reconnecting', snapshot, { attempt: input.attempt }), run }
}

function stepEvent(snapshot: ChatSnapshot, run: ActiveRun, event: ChatEvent, position: number): ChatState {
  const reply = snapshot.messages.at(-1)!
  const grow = (kind: Span['kind'], change: Partial<ChatMessage>): ChatState => {
    const spans = run.spans.at(-1)?.kind === kind ? run.spans : [...run.spans, { at: run.position, kind }]
    return { snapshot: at('streaming', withReply(snapshot, { ...reply, ...change })), run: { ...run, position, spans } }
  }
  if ('message' in event) return grow('message', { content: reply.content + event.message })
  if ('thinking' in event) return grow('thinking', { thinking: (reply.thinking ?? '') + event.thinking })
  if ('tool_call' in event) return grow('tool_call', { toolCalls: [...(reply.toolCalls ?? []), event.tool_call] })
  if ('data' in event) return grow('data', { data: [...(reply.data ?? []), event.data] })
  if ('reset' in event) {
    const spans = run.spans.map((span): Span => (span.kind === 'thinking' ? { ...span, kind: 'void' } : span))
    return {
      snapshot: withReply(snapshot, { ...reply, thinking: undefined }),
      run: { ...run, position, spans: [...spans, { at: run.position, kind: 'void' }] },
    }
  }
  if ('session_id' in event) {
    const started = at('waiting', snapshot, { model: event.model })
    // Told again at every connection. What comes now comes after `before`, whatever was kept of it.
    if (position > 0) return { snapshot: started, run }
    const before = { ...run.before, content: run.before.content.slice(0, event.continues?.position) }
    return { snapshot: withReply(started, before), run: { ...run, before } }
  }
  if ('status' in event) return { snapshot: at(event.status === 'generating' ? 'streaming' : 'waiting', snapshot), run }
  if ('done' in event) return stepTerminal(snapshot, run, reply, event)
  return { snapshot, run }
}

function stepTerminal(snapshot: ChatSnapshot, run: ActiveRun, reply: ChatMessage, terminal: TerminalEvent): ChatState {
  if (terminal.reason === 'error') return ended(snapshot, 'failed', terminal.error)
  if (terminal.reason !== 'interrupted')
    return {
      snapshot: at('idle', withReply(snapshot, { ...reply, state: 'done', reason: terminal.reason })),
      run: null,
    }
  const cut = cutReply(reply, run, terminal.position)
  if (terminal.by === 'orphan' || terminal.by === 'shutdown') {
    const code = terminal.by === 'orphan' ? 'orphaned' : 'shutting_down'
    const message = 'The gateway ended the reply'
    return ended(withReply(snapshot, cut), 'dropped', { code, message, retryable: true })
  }
  return { snapshot: at('idle', withReply(snapshot, { ...cut, state: 'interrupted' })), run: null }
}

/** A reply without what stands after a position of its run's log: somebody else interrupted it there. */
function cutReply(reply: ChatMessage, run: ActiveRun, position: number): ChatMessage {
  if (position >= run.position) return reply
  const left = { message: 0, thinking: 0, void: 0, tool_call: 0, data: 0 }
  run.spans.forEach(({ at, kind }, i) => {
    const end = run.spans[i + 1]?.at ?? run.position
    left[kind] += Math.max(0, Math.min(end, position) - at)
  })
  const { content, thinking = '', toolCalls = [], data = [] } = run.before
  return {
    ...reply,
    content: reply.content.slice(0, content.length + left.message),
    thinking: reply.thinking?.slice(0, thinking.length + left.thinking),
    toolCalls: reply.toolCalls?.slice(0, toolCalls.length + left.tool_call),
    data: reply.data?.slice(0, data.length + left.data),
  }
}

function ended(snapshot: ChatSnapshot, state: 'failed' | 'dropped', reason: ErrorBody): ChatState {
  const { code, message, retryable } = reason
  const error = { code, message, retryable }
  const reply: ChatMessage = { ...snapshot.messages.at(-1)!, state, error }
  return { snapshot: at('error', withReply(snapshot, reply), { error }), run: null }
}

const at = (status: ChatStatus, snapshot: ChatSnapshot, change: Partial<ChatSnapshot> = {}): ChatSnapshot => ({
  ...snapshot,
  attempt: 0,
  ...change,
  status,
})

function withReply(snapshot: ChatSnapshot, reply: ChatMessage): ChatSnapshot {
  return { ...snapshot, messages: [...snapshot.messages.slice(0, -1), reply] }
}
