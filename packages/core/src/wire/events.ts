import type { ErrorBody } from './errors.ts'

/**
 * The JSON of the wire (docs/design.md §3). An event's kind is the key it has, so `'message' in event` tells it.
 * Keys are as they travel, in snake_case.
 */

/** The first event of every reader. @public */
export interface StartEvent {
  readonly session_id: string
  readonly run_id: string
  readonly model: string
  /** A ping comes whenever nothing else came for this long, ms. */
  readonly heartbeat_ms: number
  /**
   * When the run began, epoch ms. A run of the same id that began at another time is another one, of a gateway that has lost the
   * first: positions of the one mean nothing in the other.
   */
  readonly started_at?: number
  /**
   * A continuation: of the message's text so far, this many UTF-16 units stay; what this run says is appended to them.
   * `run_id` is the run that is continued, where the gateway still knows it.
   */
  readonly continues?: { readonly run_id?: string | undefined; readonly position: number }
  /** The position in the run's log after which this reader begins; absent at its start. */
  readonly position?: number
}

/** Text to append to the reply. @public */
export interface MessageDelta {
  readonly message: string
}

/** Reasoning text to append. @public */
export interface ThinkingDelta {
  readonly thinking: string
}

/**
 * Fields of its own that a model server attached to a call and wants back with it, e.g. Gemini's `extra_content` with the
 * signature of its thoughts. Nobody else reads them. They go back to the server that `from` tells, and to no other one.
 * @public
 */
export interface OpaqueData {
  /** A hash of the kind of server and its host's name. */
  readonly from: string
  /** Fields beside the call's id. */
  readonly call?: Readonly<Record<string, unknown>>
  /** Fields beside the function's name. */
  readonly function?: Readonly<Record<string, unknown>>
  /** Fields of the message that has the call, e.g. OpenRouter's `reasoning_details`. */
  readonly message?: Readonly<Record<string, unknown>>
}

/** One whole tool call. @public */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
  /** Goes back with the call in later requests, as it came; at most 65 536 characters of JSON. */
  readonly opaque?: OpaqueData
}

/** A whole tool call, never a fragment. @public */
export interface ToolCallEvent {
  readonly tool_call: ToolCall
}

/** An event of the app's own, put in by an upstream wrapper. @public */
export interface DataEvent {
  readonly data: { readonly type: string; readonly [key: string]: unknown }
}

/** The thinking so far is void. @public */
export interface ResetEvent {
  readonly reset: 'thinking'
}

/** What a run's log holds. @public */
export type LogEvent = MessageDelta | ThinkingDelta | ToolCallEvent | DataEvent | ResetEvent

/** What a model server is at while it says nothing yet, where it tells. @public */
export interface Progress {
  /** Loading the model (bytes), reading the prompt (tokens), writing a tool call (characters). */
  readonly stage: 'loading' | 'prompt' | 'tool_call'
  readonly done?: number
  readonly total?: number
}

/** Where the run stands; not a part of its log. @public */
export interface StatusEvent {
  readonly status: 'waiting' | 'generating' | 'recovering'
  readonly attempt?: number
  readonly retry_in_ms?: number
  readonly progress?: Progress
  /** Who goes on with the reply, when it is not who began it. */
  readonly upstream?: string
  readonly model?: string
}

/** Sent when nothing else was, for an interval. @public */
export interface PingEvent {
  readonly ping: 'keepalive'
}

/** Tokens, as the upstream counted them. @public */
export interface Usage {
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  /** The upstream did not count them all: some are an estimate of the gateway. */
  readonly estimated?: true
}

/** Why an upstream ended its reply by itself. @public */
export type FinishReason = 'stop' | 'length' | 'tool_calls'

/** Who ended a run. @public */
export type InterruptedBy = 'person' | 'superseded' | 'orphan' | 'shutdown' | 'deleted'

/** The reply is whole, or as long as it may be. @public */
export interface FinishedEvent {
  readonly done: true
  readonly reason: FinishReason
  readonly usage?: Usage
}

/** The run was ended; text after `position` is cut back everywhere. @public */
export interface InterruptedEvent {
  readonly done: true
  readonly reason: 'interrupted'
  readonly by: InterruptedBy
  readonly position: number
  readonly usage?: Usage
}

/** The run failed; its text up to `position` is kept. @public */
export interface FailedEvent {
  readonly done: true
  readonly reason: 'error'
  readonly error: ErrorBody
  readonly position: number
}

/** The last event of a run. A body that ends without one is a drop. @public */
export type TerminalEvent = FinishedEvent | InterruptedEvent | FailedEvent

/** Anything a frame can hold. @public */
export type ChatEvent = StartEvent | LogEvent | StatusEvent | PingEvent | TerminalEvent
