import type { ErrorBody, StatusEvent } from '@midstream/core'
import type { ChatMessage, QueuedMessage } from './message.ts'

/**
 * `submitting`: posted, no answer yet. `waiting`: the gateway has the run, the model has said nothing yet.
 * `reconnecting`: the connection was lost, and the next one is tried. `interrupting`: the text is frozen, and the gateway
 * has not confirmed it yet. `error`: the last run failed or dropped.
 * @public
 */
export type ChatStatus = 'idle' | 'submitting' | 'waiting' | 'streaming' | 'reconnecting' | 'interrupting' | 'error'

/** What a page shows. Immutable; the same object until something changes. @public */
export interface ChatSnapshot {
  readonly messages: readonly ChatMessage[]
  readonly status: ChatStatus
  /** Which attempt to reconnect is on, from 1; 0 unless `status` is `reconnecting`. */
  readonly attempt: number
  /** What was said while an answer streamed and waits for its turn (`whenBusy: 'queue'`), oldest first. A reload loses it. */
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

/** The empty conversation: what a server renders, and what a page shows before anything is said. @public */
export const emptySnapshot: ChatSnapshot = /* @__PURE__ */ Object.freeze({
  messages: [],
  status: 'idle',
  attempt: 0,
  queue: [],
  error: null,
  model: null,
  runStatus: null,
  omitted: 0,
  notice: null,
})
