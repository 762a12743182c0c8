import type { ChatEvent, ErrorBody } from '@midstream/core'
import type { ChatMessage } from '../message.ts'
import { emptySnapshot, type ChatSnapshot } from '../snapshot.ts'
import type { ActiveRun } from './active-run.ts'
import type { Ask, KeptChat } from './kept-chat.ts'
import { at, failed, stepEvent, withReply } from './step-event.ts'

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
  /** Something besides the messages. */
  | ({ readonly type: 'show' } & Partial<Pick<ChatSnapshot, 'omitted' | 'notice' | 'queue'>>)
  /** The conversation as it is kept or shown elsewhere, and the run that may still grow its last message; one that is read here is read on. */
  | { readonly type: 'restore'; readonly kept: KeptChat }
  /** A person cut in: the reply stays as it was shown. */
  | { readonly type: 'freeze'; readonly reply: ChatMessage }
  /** The gateway has said where the frozen reply ends, and whether it was whole. What has been built on it stays. */
  | { readonly type: 'confirm'; readonly frozen: ChatMessage; readonly reply: ChatMessage }
  | { readonly type: 'clear'; readonly sessionId: string }
  /** The session is closed: nothing is read any more. */
  | { readonly type: 'close'; readonly error: ErrorBody }
  /** Another tab is at this version. */
  | { readonly type: 'see'; readonly version: number }
  | RunInput

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
    case 'show': {
      const { type: _, ...change } = input
      return { ...state, snapshot: { ...snapshot, ...change } }
    }
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
    case 'close':
      return {
        ...state,
        ...(run
          ? failed(snapshot, 'dropped', input.error)
          : { snapshot: at('error', snapshot, { error: input.error }) }),
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

function next(state: ChatState): ChatState {
  const version = state.highest + 1
  return { ...state, version, highest: version }
}
