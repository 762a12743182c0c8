import type { ChatMessage } from '../message.ts'

/** What the request that starts a run says besides the conversation, and what cannot be made again after a reload. */
export interface Ask {
  /** The run that it ends, and how much of it the person has seen; without a position, all of it. */
  readonly interrupts?: { readonly run_id: string; readonly position: number | undefined } | undefined
  /** What becomes of a run that somebody else has started meanwhile. */
  readonly busy?: 'reject' | undefined
}

/** A run whose reply is the last message, as it is kept. */
export interface KeptRun {
  readonly runId: string
  /** How it was asked for, as long as it may have to be asked for again. */
  readonly ask?: Ask | undefined
  /** The reply before this run: empty, or what a continuation goes on from. */
  readonly before: ChatMessage
  /** Whether the gateway has spoken of it: from then on it is a part of the conversation, in every tab. */
  readonly isOpen: boolean
}

/** A conversation as it is kept. */
export interface KeptChat {
  readonly sessionId: string
  readonly messages: readonly ChatMessage[]
  readonly run: KeptRun | null
  readonly version: number
  /** Ids of the messages that were taken away last: another copy must not bring them back. */
  readonly removed?: readonly string[] | undefined
}
