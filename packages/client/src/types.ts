import type { KeptChat } from './chat-state.ts'
import type {
  ChatError,
  ChatErrorCode,
  Clock,
  DataEvent,
  ErrorBody,
  FinishReason,
  RandomBytes,
  RequestLimits,
  StatusEvent,
  ToolCall,
  ToolDefinition,
} from '@midstream/core'

/**
 * How a message stands. `interrupted`: a person cut it off. `failed`: the gateway or the model server said so.
 * `dropped`: the connection was lost. In every state the text is kept.
 * @public
 */
export type MessageState = 'streaming' | 'done' | 'interrupted' | 'failed' | 'dropped'

/** One message of the conversation. The same object until it changes. @public */
export interface ChatMessage {
  readonly id: string
  readonly role: 'user' | 'assistant'
  /** What the person sees of it: the same that is sent with the next request. */
  readonly content: string
  readonly thinking?: string | undefined
  readonly toolCalls?: readonly ToolCall[] | undefined
  /** Events of the app's own, in their order. */
  readonly data?: readonly DataEvent['data'][] | undefined
  readonly state: MessageState
  /** Why the model ended it by itself; `length`: at a limit, and it can be continued. */
  readonly reason?: FinishReason | undefined
  /** Why it failed or was dropped. */
  readonly error?: ErrorBody | undefined
}

/**
 * `submitting`: posted, no answer yet. `waiting`: the gateway has the run, the model has said nothing yet.
 * `reconnecting`: the connection was lost, and the next one is tried. `interrupting`: the text is frozen, and the gateway
 * has not confirmed it yet. `error`: the last run failed or dropped.
 * @public
 */
export type ChatStatus = 'idle' | 'submitting' | 'waiting' | 'streaming' | 'reconnecting' | 'interrupting' | 'error'

/** Something said that waits for its turn. @public */
export interface QueuedMessage {
  readonly id: string
  readonly content: string
}

/** What a page shows. Immutable; the same object until something changes. @public */
export interface ChatSnapshot {
  readonly messages: readonly ChatMessage[]
  readonly status: ChatStatus
  /** Which attempt to reconnect is on, from 1; 0 unless `status` is `reconnecting`. */
  readonly attempt: number
  /** What was said while an answer streamed and waits for its turn (`whenBusy: 'queue'`), oldest first. */
  readonly queue: readonly QueuedMessage[]
  /** Why `status` is `error`; null otherwise. */
  readonly error: ErrorBody | null
  /** The model of the last run, as the gateway names it. */
  readonly model: string | null
  /**
   * What the gateway says of a run that gives no text just now: it waits for its model (`progress` has figures where the
   * model server gives some), recovers, or goes on with another model. Null otherwise.
   */
  readonly runStatus: StatusEvent | null
  /** How many of the oldest messages the last request left out, as it would have been more than the gateway takes. */
  readonly omitted: number
  /**
   * Something to tell the person that costs no message on the page: `storage_failed` while the conversation, or the oldest of
   * it, is not kept over a reload; `stored_invalid` when parts of what was kept made no sense. Null otherwise.
   */
  readonly notice: ErrorBody | null
}

/**
 * What became of an interrupt. `unconfirmed`: the gateway has not answered yet; it is asked again until it does, for
 * `reconnect.maxMs`, and by the next request. Without either the run ends as an orphan.
 * @public
 */
export interface InterruptResult {
  readonly outcome: 'interrupted' | 'already_done' | 'unconfirmed'
}

/** One conversation: a store for a UI, and what a person can do. All methods are bound. @public */
export interface ChatSession {
  /** Calls `listener` when the snapshot has changed: at most once a frame for text, at once for everything else. */
  subscribe(listener: () => void): () => void
  getSnapshot(): ChatSnapshot
  /** The empty conversation: what a server renders. */
  getServerSnapshot(): ChatSnapshot
  /**
   * Says something. While an answer streams, this is the interrupt and the follow-up in one: the answer is frozen in
   * this very tick, and one request ends it and starts the next (`whenBusy` can say otherwise).
   * @returns The reply as it ended, in whatever state; null when it waited and was taken back. Never rejects.
   * @throws {TypeError} When `text` is blank.
   * @throws {ChatError} `session_busy`, with `whenBusy: 'reject'` and when the queue is full.
   */
  send(text: string): Promise<ChatMessage | null>
  /** Takes back something that waits for its turn. @returns Whether it still waited. */
  takeBack(id: string): boolean
  /** Freezes the answer in this very tick, stops the model, and says what became of it. Never rejects. */
  interrupt(): Promise<InterruptResult>
  /** Ends what runs, forgets the conversation here and at the gateway, and starts an empty one. Never rejects. */
  clear(): Promise<void>
  /**
   * Goes on with the last reply, in the same message: one that was interrupted, dropped, failed, or cut at a limit.
   * @returns The reply as it ended; never rejects.
   * @throws {TypeError} When the last message is no reply, or streams.
   */
  continue(): Promise<ChatMessage>
  /**
   * Says something else in place of an earlier message, and forgets what came after it.
   * @returns The reply as it ended; never rejects.
   * @throws {TypeError} When `text` is blank or there is no such message of the person's.
   */
  edit(messageId: string, text: string): Promise<ChatMessage>
  /**
   * Asks for the last reply anew, ending one that runs.
   * @returns The new reply as it ended; never rejects.
   * @throws {TypeError} When nothing was said yet.
   */
  regenerate(): Promise<ChatMessage>
  /**
   * Lets the conversation go: gives up its connection, closes its channel to other tabs, writes what waits to be stored, and
   * calls no listener any more. The run goes on at the gateway for `orphanMs`; `interrupt()` first ends it. What can be asked
   * of it afterwards throws a TypeError; the client's next `session()` of that name is a new one.
   */
  close(): void
  [Symbol.dispose](): void
}

/** @public */
export type ContinuationWay = 'native' | 'instruction'

/** How the gateway and its model server are. @public */
export interface GatewayStatus {
  readonly model: string
  readonly upstream: {
    readonly name: string
    readonly state: 'ready' | 'idle' | 'unreachable' | 'unauthorized' | 'model_missing'
    readonly version?: string
    /** How a reply that was cut off is gone on with: by the server's own means, or asked for in words. */
    readonly continuation?: { readonly plain: ContinuationWay; readonly thinking: ContinuationWay }
    /** `open`: it failed several times and is left alone for a while. */
    readonly breaker?: 'closed' | 'open' | 'half_open'
  }
  /** How much the gateway takes in one request. */
  readonly limits: RequestLimits
  /** The gateway's version. */
  readonly version: string
}

/** What every request for a reply says besides the history. @public */
export interface RequestOptions {
  /** One of the models that the gateway offers. @defaultValue the gateway's own */
  readonly model?: string | undefined
  /** Options of the model that the gateway lets through, such as `temperature`. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /** Tools that the model may call; running them is the app's part. */
  readonly tools?: readonly ToolDefinition[] | undefined
  /** Whether the model thinks first, or how hard, as `'high'`, where it can. @defaultValue the model's own way */
  readonly think?: boolean | string | undefined
}

/** @public */
export interface ReconnectOptions {
  /** Longest time without a connection before the message is given up as `dropped`, ms. @defaultValue 120000 */
  readonly maxMs?: number | undefined
}

/** @public */
export interface ChatClientOptions {
  /** Where the gateway is mounted, e.g. `/api/chat`. */
  readonly url: string
  /** What asks the gateway; of a test, `gatewayFetch(gateway)`. @defaultValue the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Headers of every request; a function is asked each time, for tokens that change. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
    | undefined
  /** Whether cookies go along, as `fetch` takes it. @defaultValue 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined
  /**
   * Runs `publish` when the page is next painted.
   * @defaultValue `requestAnimationFrame` in a visible page, a microtask elsewhere
   */
  readonly schedule?: ((publish: () => void) => void) | undefined
  /** What every request says besides the history. */
  readonly body?: RequestOptions | undefined
  /** How long a lost connection is tried again. */
  readonly reconnect?: ReconnectOptions | undefined
  /**
   * What `send` does while an answer streams: end it and follow up; wait for its turn, at most 8 at a time; or refuse.
   * @defaultValue 'interrupt'
   */
  readonly whenBusy?: 'interrupt' | 'queue' | 'reject' | undefined
  /**
   * What becomes of a request that is more than the gateway takes: the oldest turns are left out of it, and the snapshot says
   * how many messages (`omitted`); or its reply fails with `too_large` or `too_many_messages`.
   * @defaultValue 'omit'
   */
  readonly whenTooLong?: 'omit' | 'fail' | undefined
  /**
   * How long a named conversation that is idle keeps its channels and listeners when nobody is subscribed to it, ms. After that
   * the client holds only its messages, and only where `persist` has not stored all of them: those of the 1 000 conversations
   * that were used last. It comes back when it is used. The main conversation stays until `close()`.
   * @defaultValue 300000
   */
  readonly gcMs?: number | undefined
  /**
   * Hears of what costs no message, once: a storage that fails (`storage_failed`), a stored conversation that makes no sense
   * (`stored_invalid`).
   * @defaultValue `console.warn`
   */
  readonly onError?: ((error: ChatError) => void) | undefined
  /** Goes on by itself with a reply that the gateway ended while nobody was connected, or lost. @defaultValue true */
  readonly autoContinue?: boolean | undefined
  /** What a conversation also does: `persist` keeps it over a reload, `tabs` shows it in every tab. */
  readonly extensions?: readonly SessionExtension[] | undefined
  /** Time and timers; a test holds them still. @defaultValue systemClock */
  readonly clock?: Clock | undefined
  /** Makes ids, and the jitter of waits. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}

/** What an extension can do with a conversation. @public */
export interface SessionHandle {
  /** The name of the conversation in its client. */
  readonly name: string
  readonly session: ChatSession
  readonly options: ChatClientOptions
  /** The client's, whether an option names one or not. */
  readonly clock: Clock
  /** Calls `listener` after each change, before a request of it leaves. It is no subscription that keeps the session. */
  observe(listener: () => void): void
  /** The conversation as it is now. */
  kept(): KeptChat
  /** Puts another conversation in its place, and reads the run that grows it; a run that is read already is read on. */
  restore(chat: KeptChat): void
  /** Whether a request is on its way that may have to be sent again: until text comes, what it says has to stay as it is. */
  isAsked(): boolean
  /** Tells of a version elsewhere: what happens here from now on is newer. */
  see(version: number): void
  /**
   * Tells of something that costs no message, in the same words once: by `onError`, and in the snapshot until it is withdrawn.
   * @param isShown - Whether the snapshot says it, too. Default: true.
   */
  report(error: ChatError, isShown?: boolean): void
  /** Tells whether all of the conversation can be brought back. As long as nobody says so, the client holds its messages. */
  stored(isWhole: boolean): void
  /** What was told under this code is so no more. What was told under another one stays. */
  withdraw(code: ChatErrorCode): void
}

/**
 * Called once for each conversation, when it is made, and once more when one that was let go is used again.
 * @returns Undoes it, when the conversation is let go. Default: nothing to undo.
 * @public
 */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- an extension that leaves nothing behind returns nothing
export type SessionExtension = (handle: SessionHandle) => (() => void) | void

/** @public */
export interface ChatClient {
  /**
   * The conversation under a name of the app's own: the same object each time.
   * @param name - Which one. Default: the client's main conversation.
   */
  session(name?: string): ChatSession
  /**
   * Asks the gateway how it is.
   * @param signal - Gives up waiting. Default: none.
   * @throws {ChatError} `network`, or what the gateway answered.
   */
  status(signal?: AbortSignal): Promise<GatewayStatus>
  /** Closes every conversation; `session()` throws a TypeError afterwards. */
  close(): void
  [Symbol.dispose](): void
}
