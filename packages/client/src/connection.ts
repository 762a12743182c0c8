import { ChatError, isChatError, type ChatEvent, type ErrorBody } from '@midstream/core'
import { createParser } from 'eventsource-parser'
import type { ChatClientOptions } from './types.ts'

/** Where the gateway is and how to talk to it. */
export type Endpoint = Pick<ChatClientOptions, 'url' | 'fetch' | 'headers' | 'credentials'>

interface RequestParts {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What is posted. */
  readonly json?: object
  readonly signal?: AbortSignal | null | undefined
}

/**
 * Sends one request to the gateway.
 * @throws {ChatError} What the gateway answered, or `network` when nobody or somebody else answered. An abort stays one.
 */
export async function request(
  endpoint: Endpoint,
  path: string,
  { method = 'GET', headers, json, signal = null }: RequestParts = {},
): Promise<Response> {
  const own = typeof endpoint.headers === 'function' ? await endpoint.headers() : endpoint.headers
  const response = await (endpoint.fetch ?? fetch)(endpoint.url.replace(/\/$/, '') + path, {
    method,
    ...(json && { method: 'POST', body: JSON.stringify(json) }),
    ...(endpoint.credentials && { credentials: endpoint.credentials }),
    headers: { ...own, ...headers, ...(json && { 'content-type': 'application/json' }) },
    signal,
  }).catch((cause: unknown) => {
    if (signal?.aborted) throw cause
    throw new ChatError('network', 'The gateway was not reached', { cause, retryable: true })
  })
  if (response.ok) return response
  const { status } = response
  const body = (await response.json().catch(() => null)) as { readonly error?: ErrorBody } | null
  const {
    code = 'network',
    message = `HTTP ${status} from the gateway`,
    retryable = status >= 500 || status === 429,
    retry_after_ms: retryAfterMs,
  } = body?.error ?? {}
  throw new ChatError(code, message, { retryable, retryAfterMs })
}

/** One event of a body, with the position after it where it has one. */
export interface Received {
  readonly type: 'event'
  readonly event: ChatEvent
  readonly position: number | undefined
}

/** Longest frame, UTF-16 code units: what is held in memory until it is complete. */
const maxChars = 4_194_304

/**
 * Reads the events of a body; what came in one read comes at once. Who has seen the terminal event leaves the loop, which
 * gives the body up.
 * @throws {ChatError} `dropped` when the body ends before that; `overflow`.
 */
export async function* readEvents(response: Response): AsyncGenerator<readonly Received[], never, undefined> {
  let received: Received[] = []
  let isTooLong = false
  const parser = createParser({
    maxBufferSize: maxChars,
    onEvent: ({ id, data }) =>
      void received.push({
        type: 'event',
        event: JSON.parse(data) as ChatEvent,
        position: id ? Number(id) : undefined,
      }),
    onError: ({ type }) => void (isTooLong ||= type === 'max-buffer-size-exceeded'),
  })
  const utf8 = new TextDecoder()
  // Not `for await` over the body, which Safari lacks.
  const reader = response.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) throw droppedError()
      parser.feed(utf8.decode(value, { stream: true }))
      yield received
      if (isTooLong) throw new ChatError('overflow', 'The frame is too long')
      received = []
    }
  } finally {
    // Releasing the lock alone would leave the connection open. What cancel says no longer matters to anybody.
    await reader.cancel().catch(() => undefined)
  }
}

/**
 * Why a connection gave no terminal event, which is never a success: what the gateway said, or that it was lost.
 * @param cause - Nothing when the body just ended.
 */
export function droppedError(cause?: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('dropped', 'The connection was lost', { cause, retryable: true })
}
