import type { ChatError, ChatErrorCode, Clock } from '@midstream/core'
import type { ChatSession } from './chat-session.ts'
import type { ChatClientOptions } from './options.ts'
import type { KeptChat } from './state/kept-chat.ts'

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
  /**
   * Calls `look` before anything that a person does: time to look at other copies, so that what is done comes after all that is known.
   * @param look - Returns all that is known of the conversation, here and elsewhere: what `clear()` takes away.
   */
  before(look: () => KeptChat): void
  /** The conversation as it is now. */
  kept(): KeptChat
  /** Puts another conversation in its place, and reads the one run that grows it; a run that is read already is read on. */
  restore(chat: KeptChat): void
  /**
   * Whether what is shown has to stay as it is: while a request is on its way that may have to be sent again, until text comes; while
   * an interrupt is not confirmed; and until it is clear whether a reply that ended goes on by itself.
   */
  isBusy(): boolean
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
 * Called once for each conversation, when it is made, and once more when one that was let go is used again. Where it, what it
 * returns or what it gave to `before` throws or rejects, `onError` hears of it (`extension_failed`), and nothing else is lost.
 * @returns Undoes it, when the conversation is let go. Default: nothing to undo.
 * @public
 */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- an extension that leaves nothing behind returns nothing
export type SessionExtension = (handle: SessionHandle) => (() => void) | void
