import type { ChatEvent, ErrorBody, TerminalEvent } from '@midstream/core'
import type { ChatMessage } from '../message.ts'
import type { ChatSnapshot, ChatStatus } from '../snapshot.ts'
import { isData, isToolCall } from '../valid-chat.ts'
import { cutReply, type ActiveRun, type Span } from './active-run.ts'
import { append, withLists, type ListName } from './lists.ts'

/** The parts of the state that an event changes. */
interface Stepped {
  readonly snapshot: ChatSnapshot
  readonly run: ActiveRun | null
  readonly sessionId?: string
}

/** What an event of the active run changes. */
export function stepEvent(snapshot: ChatSnapshot, run: ActiveRun, event: ChatEvent, position: number): Stepped {
  const reply = snapshot.messages.at(-1)!
  const { spans, before } = run
  const grow = (kind: Span['kind'], change: Partial<ChatMessage>, lists = run.lists): Stepped => {
    const hasText = kind === 'content' || spans?.hasText === true
    const more = kind === 'reset' && { thinking: reply.thinking }
    const span: Span = { at: run.position, kind, hasText, previous: spans, ...more }
    const bare = { ...(run.bare ?? reply), ...change }
    return {
      snapshot: at('streaming', withReply(snapshot, lists ? withLists(bare, lists) : bare)),
      run: { ...run, position, spans: spans?.kind === kind ? spans : span, lists, bare: lists && bare },
    }
  }
  // Whatever else a terminal frame carries, the run is over.
  if ('done' in event) return stepTerminal(snapshot, run, reply, event)
  if ('message' in event) {
    const content = spans?.hasText ? reply.content : before.content.slice(0, run.keeps)
    return grow('content', { content: content + event.message })
  }
  if ('thinking' in event) return grow('thinking', { thinking: (reply.thinking ?? '') + event.thinking })
  const list = (kind: ListName, item: unknown): Stepped =>
    grow(kind, {}, append(run.lists, kind, run.bare ? run.bare[kind] : reply[kind], item))
  if ('tool_call' in event && isToolCall(event.tool_call)) return list('toolCalls', event.tool_call)
  if ('data' in event && isData(event.data)) return list('data', event.data)
  if ('reset' in event) return grow('reset', { thinking: before.thinking })
  if ('session_id' in event) {
    const { session_id: sessionId, model, continues } = event
    const started = at('waiting', snapshot, { model })
    // Told again at every connection. What comes now comes after `before`, whatever was kept of it.
    if (position > 0) return { sessionId, snapshot: started, run }
    const restarted = withReply(started, { ...run.before, version: reply.version })
    return { sessionId, snapshot: restarted, run: { ...run, keeps: continues?.position } }
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

/** The run ended without a whole reply. */
export function failed(snapshot: ChatSnapshot, state: 'failed' | 'dropped', reason: ErrorBody): Stepped {
  // A server of one's own, or a layer, may say less than a gateway does.
  const { code, message = code, retryable = false } = reason as Pick<ErrorBody, 'code'> & Partial<ErrorBody>
  const error = { code, message, retryable }
  const reply: ChatMessage = { ...snapshot.messages.at(-1)!, state, error }
  return { snapshot: at('error', withReply(snapshot, reply), { error }), run: null }
}

/** The snapshot with another status. */
export const at = (status: ChatStatus, snapshot: ChatSnapshot, change: Partial<ChatSnapshot> = {}): ChatSnapshot => ({
  ...snapshot,
  attempt: 0,
  runStatus: null,
  ...change,
  status,
})

/** The snapshot with another last message. */
export function withReply(snapshot: ChatSnapshot, reply: ChatMessage): ChatSnapshot {
  return { ...snapshot, messages: [...snapshot.messages.slice(0, -1), reply] }
}
