/**
 * Every way in which a request or a run can fail. What the gateway knows itself is a status (docs/design.md §3); what the
 * upstream says, and what a fuse says of it, is an error event at the end of the run.
 * @public
 */
export type ChatErrorCode =
  | 'bad_request'
  | 'unsupported_content'
  | 'model_not_allowed'
  | 'option_not_allowed'
  | 'unauthorized'
  | 'origin_not_allowed'
  | 'host_not_allowed'
  | 'not_found'
  | 'method_not_allowed'
  | 'session_busy'
  | 'run_conflict'
  | 'expired'
  | 'too_large'
  | 'too_many_messages'
  | 'too_many_readers'
  | 'too_many_runs'
  | 'overloaded'
  | 'shutting_down'
  | 'internal'
  | 'breaker_open'
  | 'upstream_unreachable'
  | 'upstream_busy'
  | 'upstream_model_missing'
  | 'upstream_unauthorized'
  | 'upstream_rejected'
  | 'upstream_failed'
  | 'upstream_crashed'
  | 'upstream_incomplete'
  | 'upstream_malformed'
  | 'upstream_stalled'
  | 'upstream_silent'
  | 'overflow'
  | 'run_too_long'
  | 'network'
  | 'headers_failed'
  | 'orphaned'
  | 'storage_failed'
  | 'stored_invalid'
  | 'extension_failed'
  | 'closed'
  | 'dropped'

/** What can go wrong with a model server. @public */
export type UpstreamErrorCode = Extract<ChatErrorCode, `upstream_${string}`>

/**
 * An error as it travels: in a JSON answer, and in a terminal event.
 * @public
 */
export interface ErrorBody {
  readonly code: ChatErrorCode
  /** One English sentence for developers, safe to show: it never holds what an upstream said. */
  readonly message: string
  /** True when the same request may succeed later. */
  readonly retryable: boolean
  /** How soon it makes sense, ms, where that is known. */
  readonly retry_after_ms?: number
  /** With `too_large` and `too_many_messages`: how much the gateway takes. */
  readonly limits?: RequestLimits
}

/** How much a gateway takes in one request. @public */
export interface RequestLimits {
  /** Most messages. */
  readonly messages: number
  /** Largest body, UTF-8 bytes. */
  readonly body_bytes: number
}

/** @public */
export interface ChatErrorOptions {
  /** What must not leave the process: an upstream's own words, a socket error. */
  readonly cause?: unknown
  /** Whether the same request may succeed later. @defaultValue false */
  readonly retryable?: boolean | undefined
  /** How soon to ask again, ms, as whoever refused said it. */
  readonly retryAfterMs?: number | undefined
  /** How much the gateway takes, with `too_large` and `too_many_messages`. */
  readonly limits?: RequestLimits | undefined
}

/**
 * The one error class. `cause` holds what must not leave the process (an upstream's own words, a socket error).
 * @public
 */
export class ChatError extends Error {
  override readonly name: string = 'ChatError'
  readonly code: ChatErrorCode
  readonly retryable: boolean
  /** How soon to ask again, ms, as whoever refused said it. */
  readonly retryAfterMs: number | undefined
  /** How much the gateway takes, with `too_large` and `too_many_messages`. */
  readonly limits: RequestLimits | undefined
  constructor(code: ChatErrorCode, message: string, options: ChatErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfterMs = options.retryAfterMs
    this.limits = options.limits
  }
}

/**
 * Tells a {@link ChatError} by its shape: two copies of this package may be installed.
 * @public
 */
export function isChatError(value: unknown): value is ChatError {
  return value instanceof Error && value.name === 'ChatError' && 'code' in value
}

/**
 * What of an error may travel. Anything that is not a {@link ChatError} becomes `internal` without its words.
 * @public
 */
export function toErrorBody(error: unknown): ErrorBody {
  if (!isChatError(error)) return { code: 'internal', message: 'The gateway failed.', retryable: false }
  const { code, message, retryable, retryAfterMs, limits } = error
  return {
    code,
    message,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
    ...(limits && { limits }),
  }
}
