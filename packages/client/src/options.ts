import type { ChatError, Clock, RandomBytes, ToolDefinition } from '@midstream/core'
import type { SessionExtension } from './extension.ts'

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
