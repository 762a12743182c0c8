import type { ChatError, Clock, RandomBytes, ToolDefinition } from '@midstream/core'
import type { SessionExtension } from './extension.ts'

/** Fields of every request for a reply, besides the history. @public */
export interface RequestOptions {
  /** One of the models that the gateway offers. @defaultValue the gateway's own */
  readonly model?: string | undefined
  /** Options of the model that the gateway lets through, such as `temperature`. */
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /** Tools that the model may call; running them is the app's part. */
  readonly tools?: readonly ToolDefinition[] | undefined
  /** Turns thinking on or off, or sets its effort (`'high'`), if the model supports it. @defaultValue the model's own way */
  readonly think?: boolean | string | undefined
}

/** Headers as `fetch` takes them. @public */
export type RequestHeaders = Readonly<Record<string, string>> | Iterable<readonly [name: string, value: string]>

/** @public */
export interface ReconnectOptions {
  /**
   * Longest time without a connection before the message is given up as `dropped`, or as `failed` when nothing came of it, ms; 0 or
   * more. Time in which the machine slept does not count. An interrupt that was not confirmed is retried as long.
   * @defaultValue 120000
   */
  readonly maxMs?: number | undefined
}

/** @public */
export interface ChatClientOptions {
  /**
   * Where the gateway is mounted, e.g. `/api/chat`; outside of a page it has to be absolute. A URL that can never be asked fails a
   * message at once (`network`).
   */
  readonly url: string
  /**
   * Sends every request; in a test, `gatewayFetch(gateway)`. A rejection, or a TypeError that it throws, is a lost connection and is
   * retried. Anything else that it throws, and an answer that is no `Response` or was read already, fails the message at once (`network`); a `ChatError`
   * is taken as it is.
   * @defaultValue the platform's
   */
  readonly fetch?: typeof globalThis.fetch | undefined
  /**
   * Headers of every request, as `fetch` takes them: an object, `Headers`, or pairs. A function is called before each one, and once more after a 401. One that throws, rejects or does not
   * settle is called again a few times (`headers_failed`); a `ChatError` that is not retryable fails the message at once.
   */
  readonly headers?: RequestHeaders | (() => RequestHeaders | Promise<RequestHeaders>) | undefined
  /** Sends cookies, or does not: the option of `fetch`. @defaultValue 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined
  /**
   * Calls `publish` when the page is next painted. One that throws, or has not called it after 1 s, is not waited for.
   * @defaultValue `requestAnimationFrame` in a visible page, a microtask elsewhere
   */
  readonly schedule?: ((publish: () => void) => void) | undefined
  /** Fields of every request for a reply, besides the history. */
  readonly body?: RequestOptions | undefined
  /** Limits how long the client retries a lost connection. */
  readonly reconnect?: ReconnectOptions | undefined
  /**
   * Sets how `send` behaves while an answer streams: it interrupts the answer and follows up, queues the message (at most 8), or throws.
   * Only this page holds queued messages: `persist` does not store them and `tabs` does not share them, because two tabs would send them
   * twice. A reload loses them: show `queue`, and have the browser ask before the user leaves a page whose queue is not empty.
   * @defaultValue 'interrupt'
   */
  readonly whenBusy?: 'interrupt' | 'queue' | 'reject' | undefined
  /**
   * What becomes of a request that is more than the gateway takes: the oldest turns are left out of it, and the snapshot says
   * how many messages (`omitted`); or its reply fails with `too_large`, or with `too_many_messages`
   * when the gateway said so. A last turn that alone is too much fails either way.
   * @defaultValue 'omit'
   */
  readonly whenTooLong?: 'omit' | 'fail' | undefined
  /**
   * How long a named conversation rests before the client lets go of it, ms; 0 or more, `Infinity` for never. It rests while nobody is
   * subscribed to it, nothing is under way in it and nothing waits in its queue. Of more than 32 that rest, the one that has
   * rested the longest is let go of before its time.
   *
   * The extensions of a conversation that was let go of are undone (`tabs` closes its channel, `persist` writes what waits), and they
   * are called again when it is used. If `persist` has stored all of it, or it is empty, the client does not hold it, and reads it
   * from the storage when its name is asked for. Else the client holds its messages: those of the 1 000 such conversations, and
   * of 8 Mi UTF-16 units, that were let go of last; the others are gone, unless the app holds the session: use `persist`. The main conversation is kept until `close()`.
   * @defaultValue 300000
   */
  readonly gcMs?: number | undefined
  /**
   * Called once for each error that costs no message: a storage that fails (`storage_failed`), a stored conversation that makes no sense
   * (`stored_invalid`), an extension that throws or rejects (`extension_failed`).
   * @defaultValue `console.warn`
   */
  readonly onError?: ((error: ChatError) => void) | undefined
  /**
   * Whether a reply that the gateway ended while nobody was connected, or lost, is continued without a call: at most 6 times without
   * progress. Not after a tool call.
   * @defaultValue true
   */
  readonly autoContinue?: boolean | undefined
  /** Extensions of each conversation: `persist` keeps it over a reload, `tabs` shows it in every tab. */
  readonly extensions?: readonly SessionExtension[] | undefined
  /** Time and timers; a test holds them still. @defaultValue systemClock */
  readonly clock?: Clock | undefined
  /** Makes ids, and the jitter of waits. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}
