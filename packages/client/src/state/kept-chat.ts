import type { ChatMessage } from '../message.ts'

/** What the request that starts a run says besides the conversation, and what cannot be made again after a reload. */
export interface Ask {
  /** The run that it ends, and how much of it the person has seen; without a position, all of it. */
  readonly interrupts?: { readonly run_id: string; readonly position: number | undefined } | undefined
  /** What becomes of a run that somebody else has started meanwhile. */
  readonly busy?: 'reject' | undefined
}

/** A run as it is kept: its reply is the message with the id of `before`. */
export interface KeptRun {
  readonly runId: string
  /** How it was asked for, as long as it may have to be asked for again. */
  readonly ask?: Ask | undefined
  /** The reply before this run: empty, or what a continuation goes on from. */
  readonly before: ChatMessage
  /** Whether the gateway has spoken of it: from then on it is a part of the conversation, in every tab. */
  readonly isOpen: boolean
}

/** A conversation as it is kept. Copies of it are merged by `mergeChats`. */
export interface KeptChat {
  readonly sessionId: string
  readonly messages: readonly ChatMessage[]
  /** What goes on. A session reads one run, which grows the last message; a kept conversation can have more. */
  readonly runs: readonly KeptRun[]
  readonly version: number
  /** What was taken away last, and in which version it was: another copy must not bring it back. */
  readonly removed: readonly (readonly [id: string, version: number])[]
  /** What is of an earlier version was taken away, too: more than is remembered. */
  readonly cleared: number
}
