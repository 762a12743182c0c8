import type { ChatMessage } from './message.ts'
import type { ChatSnapshot } from './snapshot.ts'

/**
 * The outcome of an interrupt. `interrupted`: the gateway has stopped the run. `already_done`: the run had ended before.
 * `unconfirmed`: the gateway has not answered yet. The client retries for `reconnect.maxMs`, and the next request repeats the
 * interrupt; if neither reaches the gateway, it ends the run after `orphanMs`.
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
  /**
   * Ends what runs, forgets the conversation here, in the storage, in the other tabs and at the gateway, and starts an empty one. A
   * question that is sent elsewhere in the same moment stays. Settles in 10 s at most; a gateway that was not reached is told on
   * meanwhile, for `reconnect.maxMs`. Never rejects.
   */
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
   * Lets the conversation go: gives up its connection, closes its channel to other tabs, and writes what waits to be stored. The
   * snapshot keeps the messages and says so: `status` is `error`, `error.code` is `closed`; listeners hear of that, and of nothing
   * more. The run goes on at the gateway for `orphanMs`; `interrupt()` first ends it. `send`, `continue`, `edit` and `regenerate`
   * throw a TypeError afterwards; the client's next `session()` of that name is a new one.
   */
  close(): void
  [Symbol.dispose](): void
}
