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
  /** What of its log has been received. */
  readonly position: number
  readonly spans: readonly Span[]
}

/** A conversation: what is shown of it, and the run that grows its last message. */
export interface ChatState {
  readonly snapshot: ChatSnapshot
  readonly run: ActiveRun | null
}

export type ChatInput =
  /** A request is on its way; the last message is the reply it asks for. */
  | { readonly type: 'submit'; readonly runId: string; readonly messages: readonly ChatMessage[] }
  | { readonly type: 'event'; readonly runId: string; readonly event: ChatEvent; readonly position: number | undefined }
  /** A person cut in: the reply stays as it was shown. */
  | { readonly type: 'freeze'; readonly shown: ChatMessage }
  /** The gateway has said where the frozen reply ends, and whether it was whole. */
  | { readonly type: 'confirm'; readonly reply: ChatMessage }
  | { readonly type: 'reconnect'; readonly runId: string; readonly attempt: number }
  | { readonly type: 'lose'; readonly runId: string; readonly state: 'failed' | 'dropped'; readonly error: ErrorBody }
  | { readonly type: 'clear' }

export const emptySnapshot: ChatSnapshot = Object.freeze({
  messages: Object.freeze([]),
  status: 'idle',
  attempt: 0,
  error: null,
  model: null,
})
export const emptyChat: ChatState = Object.freeze({ snapshot: emptySnapshot, run: null })

/** One step. Whatever belongs to another run than the active one changes nothing: ids fence everything. */
export function stepChat(state: ChatState, input: ChatInput): ChatState {
  const { snapshot, run } = state
  switch (input.type) {
    case 'submit': {
      const { messages, runId } = input
      return { snapshot: at('submitting', snapshot, { messages, error: null }), run: { runId, position: 0, spans: [] } }
    }
    case 'event':
      return run?.runId === input.runId ? stepEvent(snapshot, run, input.event, input.position ?? run.position) : state
    case 'reconnect':
      return run?.runId === input.runId
        ? { snapshot: at('reconnecting', snapshot, { attempt: input.attempt }), run }
        : state
    case 'freeze':
      return { snapshot: at('interrupting', withReply(snapshot, { ...input.shown, state: 'interrupted' })), run: null }
    case 'confirm': {
      const messages = snapshot.messages.map((message) => (message.id === input.reply.id ? input.reply : message))
      // Something newer may be under way by now.
      return {
        snapshot: at(snapshot.status === 'interrupting' ? 'idle' : snapshot.status, snapshot, { messages }),
        run,
      }
    }
    case 'lose':
      return run?.runId === input.runId ? ended(snapshot, input.state, input.error) : state
    case 'clear':
      return { ...emptyChat, snapshot: { ...emptySnapshot, model: snapshot.model } }
  }
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
    const { thinking: _, ...rest } = reply
    return {
      snapshot: withReply(snapshot, rest),
      run: { ...run, position, spans: [...spans, { at: run.position, kind: 'void' }] },
    }
  }
  if ('session_id' in event) return { snapshot: at('waiting', snapshot, { model: event.model }), run }
  if ('status' in event) return { snapshot: at(event.status === 'generating' ? 'streaming' : 'waiting', snapshot), run }
  if ('done' in event) return stepTerminal(snapshot, run, reply, event)
  return { snapshot, run }
}

function stepTerminal(snapshot: ChatSnapshot, run: ActiveRun, reply: ChatMessage, terminal: TerminalEvent): ChatState {
  if (terminal.reason === 'error') return ended(snapshot, 'failed', terminal.error)
  if (terminal.reason !== 'interrupted')
    return { snapshot: at('idle', withReply(snapshot, { ...reply, state: 'done' })), run: null }
  const cut = cutReply(reply, run, terminal.position)
  if (terminal.by === 'orphan' || terminal.by === 'shutdown') {
    const message = `The gateway ended the reply (${terminal.by}).`
    return ended(withReply(snapshot, cut), 'dropped', { code: 'dropped', message, retryable: true })
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
  return {
    ...reply,
    content: reply.content.slice(0, left.message),
    ...(reply.thinking === undefined ? {} : { thinking: reply.thinking.slice(0, left.thinking) }),
    ...(reply.toolCalls === undefined ? {} : { toolCalls: reply.toolCalls.slice(0, left.tool_call) }),
    ...(reply.data === undefined ? {} : { data: reply.data.slice(0, left.data) }),
  }
}

function ended(snapshot: ChatSnapshot, state: 'failed' | 'dropped', error: ErrorBody): ChatState {
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
