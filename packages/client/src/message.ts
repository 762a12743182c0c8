import type { DataEvent, ErrorBody, FinishReason, ToolCall } from '@midstream/core'

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
  /** The text as the user sees it. The next request sends the same text. */
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
  /**
   * The version of the conversation in which a person last acted on it. Of two copies of a message, in tabs and in a storage, the
   * higher one is right; and what was said in several tabs at once stands in the order of its versions.
   */
  readonly version?: number | undefined
}

/** A message that waits for its turn. @public */
export interface QueuedMessage {
  readonly id: string
  readonly content: string
}
