import { ChatError, createSseDecoder, type ChatEvent, type ErrorBody } from '@midstream/core'
import type { ChatClientOptions } from './types.ts'

/** Where the gateway is and how to talk to it. */
export type Endpoint = Pick<ChatClientOptions, 'url' | 'fetch' | 'headers' | 'credentials'>

/**
 * Sends one request to the gateway.
 * @throws {ChatError} What the gateway answered, or `network` when nobody or somebody else answered. An abort stays one.
 */
export async function request(
  endpoint: Endpoint,
  path: string,
  init: Omit<RequestInit, 'headers'> & {
    readonly json?: object
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): Promise<Response> {
  const { json, headers, ...rest } = init
  const own = typeof endpoint.headers === 'function' ? await endpoint.headers() : endpoint.headers
  const send = endpoint.fetch ?? globalThis.fetch
  const response = await send(endpoint.url.replace(/\/$/, '') + path, {
    ...rest,
    ...(endpoint.credentials && { credentials: endpoint.credentials }),
    headers: { ...own, ...headers, ...(json && { 'content-type': 'application/json' }) },
    body: json ? JSON.stringify(json) : null,
  }).catch((cause: unknown) => {
    if (init.signal?.aborted) throw cause
    throw new ChatError('network', 'The gateway cannot be reached', { cause, retryable: true })
  })
  if (response.ok) return response
  const { status } = response
  const error = await response.json().then(
    (body: { error?: ErrorBody } | null) => body?.error,
    () => undefined,
  )
  const {
    code = 'network',
    message = `HTTP ${status} from the gateway`,
    retryable = status >= 500 || status === 429,
    retry_after_ms: retryAfterMs,
  } = error ?? {}
  throw new ChatError(code, message, { retryable, retryAfterMs })
}

/** One event of a body, with the position after it where it has one. */
export interface Received {
  readonly event: ChatEvent
  readonly position: number | undefined
}

/**
 * Reads the events of a body; what came in one read comes at once. Returns when the body ends, with or without a
 * terminal event; leaving the loop gives the body up.
 */
export async function* readEvents(response: Response): AsyncGenerator<readonly Received[], void, undefined> {
  const decoder = createSseDecoder()
  // Not `for await` over the body, which Safari lacks.
  const reader = response.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield decoder.push(value).map(({ id, data }) => ({
        event: JSON.parse(data) as ChatEvent,
        position: id === undefined ? undefined : Number(id),
      }))
    }
  } finally {
    // Releasing the lock alone would leave the connection open. What cancel says no longer matters to anybody.
    await reader.cancel().catch(() => undefined)
  }
}

/** The error of a body that ended without a terminal event: never a success. */
export function droppedError(cause?: unknown): ChatError {
  return new ChatError('dropped', 'The connection was lost', { cause, retryable: true })
}
