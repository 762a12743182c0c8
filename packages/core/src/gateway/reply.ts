import type { Reader } from '../read/reader.ts'
import { isChatError, toErrorBody, type ChatErrorCode } from '../wire/errors.ts'

/** What the gateway answers: the same for web hosts, which get a `Response`, and for `node:http`. @public */
export interface GatewayReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A reader writes frames into a sink: whoever has it must start it, or cancel it. */
  readonly body: string | Reader | null
}

/** Codes that a status of its own tells; what an upstream did is 502 to a client that asked for one JSON answer. */
const statuses: { readonly [Code in ChatErrorCode]?: number } = {
  bad_request: 400,
  unsupported_content: 400,
  model_not_allowed: 400,
  option_not_allowed: 400,
  unauthorized: 401,
  origin_not_allowed: 403,
  host_not_allowed: 403,
  not_found: 404,
  method_not_allowed: 405,
  session_busy: 409,
  run_conflict: 409,
  expired: 410,
  too_large: 413,
  too_many_messages: 400,
  too_many_readers: 429,
  too_many_runs: 429,
  internal: 500,
  overloaded: 503,
  shutting_down: 503,
  breaker_open: 503,
  upstream_busy: 503,
  upstream_unreachable: 503,
  upstream_silent: 504,
  upstream_stalled: 504,
  run_too_long: 504,
}

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): GatewayReply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(value),
  }
}

/** An error as a status and JSON. Anything unknown is 500 without its words. */
export function errorReply(error: unknown): GatewayReply {
  const body = toErrorBody(error)
  const status = statuses[body.code] ?? 502
  const waitS = Math.max(1, Math.ceil((body.retry_after_ms ?? 0) / 1_000))
  const wait: Record<string, string> = status === 429 || status === 503 ? { 'retry-after': String(waitS) } : {}
  const allow: Record<string, string> =
    status === 405 && isChatError(error) && typeof error.cause === 'string' ? { allow: error.cause } : {}
  // A 401 has to say how one would be let in (RFC 9110, 15.5.2).
  const challenge: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {}
  return jsonReply(status, { error: body }, { ...wait, ...allow, ...challenge })
}

export function streamReply(reader: Reader, ids: { readonly sessionId: string; readonly runId: string }): GatewayReply {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'session-id': ids.sessionId,
      'run-id': ids.runId,
    },
    body: reader,
  }
}

const utf8 = /* @__PURE__ */ new TextEncoder()

/** A reply as the `Response` of web hosts. Cancelling its body gives the reader up. */
export function toResponse({ status, headers, body }: GatewayReply): Response {
  if (body === null || typeof body === 'string') return new Response(body, { status, headers })
  let isStarted = false
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(out) {
        if (isStarted) return body.resume()
        isStarted = true
        body.start({
          write(frames) {
            out.enqueue(utf8.encode(frames))
            return false
          },
          end: () => out.close(),
          fail: (error) => out.error(error),
        })
      },
      cancel: () => body.cancel(),
    },
    // Nothing is read ahead: coalescing is when a reader reads.
    { highWaterMark: 0 },
  )
  return new Response(stream, { status, headers })
}
