import type { ChatError } from '../wire/errors.ts'
import type { FinishReason, LogEvent, Progress, Usage } from '../wire/events.ts'
import type { ChatTurn, ToolDefinition } from '../wire/messages.ts'

/**
 * What an upstream says while it generates: events for the log, and what only the fuse and the run's end care about.
 * @public
 */
export type UpstreamEvent =
  | LogEvent
  /** A valid frame without progress: the socket is alive. */
  | { readonly alive: true }
  /** The server is at work and has come further. The same figures again are only `alive`. */
  | { readonly progress: Progress }
  /** Tokens of this request so far, as the server counts them, before its finish. */
  | { readonly usage: Usage }
  /** A frame that could not be read: what it held, cut short. */
  | { readonly malformed: string }
  /** The terminal evidence: without it a run has failed, however its body ended. */
  | { readonly finish: FinishReason; readonly usage?: Usage }
  /** The server said that it failed. What it sent before stays. */
  | { readonly error: ChatError }

/** What the model is asked. @public */
export interface UpstreamRequest {
  readonly model: string
  /** The whole history, as the app has it; the upstream makes it valid for its server. */
  readonly messages: readonly ChatTurn[]
  readonly tools?: readonly ToolDefinition[] | undefined
  readonly think?: boolean | string | undefined
  readonly options?: Readonly<Record<string, unknown>> | undefined
  /** Beginning of the reply, to be continued from exactly its end: only what follows is yielded. Empty for a whole reply. */
  readonly prefill: string
  /** Tokens that this reply has taken already, as many as are certain: its limits are lowered by them. @defaultValue 0 */
  readonly spent?: number | undefined
  /**
   * Longest wait for a connection, ms, where another model server can go on; `fetchTransport` cannot limit it.
   * @defaultValue as long as the transport waits
   */
  readonly connectMs?: number | undefined
  /** What is said after a message that a person cut off; null says nothing. */
  readonly interruptedNote: string | null
}

/** What a model server says of itself. @public */
export interface UpstreamStatus {
  /**
   * `ready`: it answers, and nothing speaks against the model. `idle`: the model is there, but has to be loaded first.
   * `unauthorized`: it refuses the key.
   */
  readonly state: 'ready' | 'idle' | 'unreachable' | 'unauthorized' | 'model_missing'
  /** The HTTP status of its answer, when it answered and told nothing of its models. */
  readonly status?: number | undefined
  readonly version?: string | undefined
  /** How a reply of its default model that has begun is gone on with, by what is known so far. */
  readonly continuation?: Continuation | undefined
}

/** `native`: by the server's own means; `instruction`: asked for in words, which a model may follow less exactly. @public */
export interface Continuation {
  readonly plain: 'native' | 'instruction'
  /** In requests that ask for thinking. */
  readonly thinking: 'native' | 'instruction'
}

/** Takes the events of one reply. @public */
export interface UpstreamSink {
  /** The events of one read of the socket, in order. A promise asks for a pause: nothing is pushed until it resolves. */
  push(events: readonly UpstreamEvent[]): void | Promise<void>
  /**
   * Nothing follows.
   * @param error - Why the reply failed. Default: the body ended.
   */
  end(error?: unknown): void
}

/**
 * A model server, as the gateway sees it.
 * @public
 */
export interface Upstream {
  /** What kind of server it is, e.g. `ollama`. */
  readonly name: string
  /** The model that is used when a request names none. */
  readonly model: string
  /**
   * Asks for one reply, and pushes the events of one read of the socket at a time, in the call in which they are read. After a
   * finish or an error event nothing counts any more; a body that ends without them is ended without an error: where that
   * model has finished a reply within the last hour it is a cut, to be continued; else the run fails as `upstream_incomplete`. When `signal` aborts, the request is closed in every phase, and nothing counts any more.
   * After a finish it is not aborted: the rest of the answer may be read, so that its connection is used again.
   * @throws {ChatError} When nothing could be asked. Later errors go to the sink, with an `upstream_…` code.
   */
  open(request: UpstreamRequest, sink: UpstreamSink, signal: AbortSignal): void
  /** Asks the server how it is. Never throws; gives up when `signal` aborts. */
  status?(signal: AbortSignal): Promise<UpstreamStatus>
}
