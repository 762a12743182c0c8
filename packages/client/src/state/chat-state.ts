import type { ChatEvent, ErrorBody } from '@midstream/core'
import type { ChatMessage } from '../message.ts'
import { emptySnapshot, type ChatSnapshot } from '../snapshot.ts'
import type { ActiveRun } from './active-run.ts'
import type { Ask, KeptChat } from './kept-chat.ts'
import { maxRemoved } from '../valid-chat.ts'
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
  readonly removed: KeptChat['removed']
  readonly cleared: number
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
      /** Default: the one after the highest. */
      readonly version?: number | undefined
    }
  /** Something besides the messages. */
  | ({ readonly type: 'show' } & Partial<Pick<ChatSnapshot, 'omitted' | 'notice' | 'queue'>>)
  /** The conversation as it is kept or shown elsewhere, and the run that may still grow its last message; one that is read here is read on. */
  | { readonly type: 'restore'; readonly kept: KeptChat }
  /** A person cut in: the reply stays as it was shown. */
  | { readonly type: 'freeze'; readonly reply: ChatMessage }
  /** The gateway has said where the frozen reply ends, and whether it was whole. What has been built on it stays. */
  | { readonly type: 'confirm'; readonly frozen: ChatMessage; readonly reply: ChatMessage }
  | {
      readonly type: 'clear'
      readonly sessionId: string
      readonly version?: number | undefined
      /** All that is known of the conversation, here and elsewhere. Default: what is shown. */
      readonly known?: readonly ChatMessage[] | undefined
    }
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
  cleared: 0,
}

/** One step. Whatever belongs to another run than the active one changes nothing: ids fence everything. */
export function stepChat(state: ChatState, input: ChatInput): ChatState {
  const { snapshot, run } = state
  switch (input.type) {
    case 'submit': {
      const { runId, reply, ask, version } = input
      const told = next(state, version)
      const said = input.messages.map((message) =>
        message.version === undefined ? Object.assign({}, message, { version: told.version }) : message,
      )
      const messages = [...said, { ...reply, version: told.version }]
      const started = { ...unread, runId, ask, before: reply, isOpen: false }
      const submitted = at('submitting', snapshot, { messages, error: null, omitted: 0 })
      return { ...told, snapshot: submitted, run: started, removed: removedBy(state, messages) }
    }
    case 'show': {
      const { type: _, ...change } = input
      return { ...state, snapshot: { ...snapshot, ...change } }
    }
    case 'restore': {
      const { sessionId, messages, version, removed, cleared } = input.kept
      const [kept] = input.kept.runs
      const restored = { sessionId, version, highest: Math.max(version, state.highest), removed, cleared }
      // The reply that a run grows is the one that is read here; and how the last one ended is no other for what comes before it.
      const last = snapshot.messages.at(-1)
      const now = messages.at(-1)
      if (run ? kept?.runId === run.runId : !kept && last && last.id === now?.id && last.state === now.state) {
        return { ...state, ...restored, snapshot: withReply({ ...snapshot, messages }, (run ? last : now)!) }
      }
      // Until the gateway has answered, somebody else may have seen more of it.
      const attempt = kept ? 1 : 0
      return {
        ...restored,
        snapshot: at(kept ? 'reconnecting' : 'idle', snapshot, { messages, error: null, attempt }),
        run: kept ? { ...kept, ...unread, isJoined: true } : null,
      }
    }
    case 'freeze':
      return { ...next(state), snapshot: at('interrupting', withReply(snapshot, input.reply)), run: null }
    case 'confirm': {
      const { frozen, reply } = input
      const isOther = snapshot.messages.at(-1) === frozen && reply !== frozen
      const told = isOther ? next(state) : state
      const confirmed = isOther ? withReply(snapshot, { ...reply, version: told.version }) : snapshot
      return { ...told, snapshot: snapshot.status === 'interrupting' ? at('idle', confirmed) : confirmed }
    }
    case 'clear': {
      const { sessionId, known = snapshot.messages } = input
      const removed = [...state.removed, ...gone(known)]
      // What is more than can be remembered goes by its version.
      const older = removed.splice(0, Math.max(0, removed.length - maxRemoved))
      return {
        ...next(state, input.version),
        sessionId,
        snapshot: { ...emptySnapshot, notice: snapshot.notice },
        run: null,
        removed,
        cleared: older.reduce((most, [, version]) => Math.max(most, version + 1), state.cleared),
      }
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
function removedBy({ snapshot, removed }: ChatState, messages: readonly ChatMessage[]): KeptChat['removed'] {
  const left = new Set(messages.map(({ id }) => id))
  return [...removed, ...gone(snapshot.messages.filter(({ id }) => !left.has(id)))].slice(-maxRemoved)
}

const gone = (messages: readonly ChatMessage[]): KeptChat['removed'] =>
  messages.map(({ id, version = 0 }) => [id, version])

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
  // After a reload nothing is read yet of what is here.
  const isGone = run.isOpen ? /^(?:not_found|expired)$/.test(error.code) : run.isJoined && error.code === 'expired'
  const lost = failed(snapshot, run.position > 0 || isGone ? 'dropped' : 'failed', error)
  if (run.isOpen) return { ...state, ...lost }
  // What stands back for another tab's run is what it was before. Else its version stays: another tab may have what is lost here.
  const reply = lost.snapshot.messages.at(-1)!
  const version = error.code === 'session_busy' ? (run.before.version ?? reply.version) : reply.version
  return { ...told, ...lost, snapshot: withReply(lost.snapshot, { ...reply, version }) }
}

function next(state: ChatState, version = state.highest + 1): ChatState {
  return { ...state, version, highest: version }
}
