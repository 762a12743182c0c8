import { ChatError, isChatError, systemClock, type ErrorBody } from '@midstream/core'
import { abortable, abortWith, follow, reasonOf, throwIfAborted } from './abort.ts'
import type { ChatClientOptions } from '../options.ts'

/** Where the gateway is and how to talk to it. */
export type Endpoint = Pick<ChatClientOptions, 'url' | 'fetch' | 'headers' | 'credentials'>

interface RequestParts {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What is posted. */
  readonly json?: object
  /** Goes out before what waits for a free connection, and although the page is left meanwhile. */
  readonly isUrgent?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Sends one request to the gateway. A 401 asks `headers()` anew, once.
 * @throws {ChatError} The gateway's answer; `headers_failed`; `network` when nobody or somebody else answered. An abort stays
 * one, with its reason.
 */
export async function request(endpoint: Endpoint, path: string, parts: RequestParts = {}): Promise<Response> {
  const { headers } = endpoint
  let response = await send(endpoint, path, parts)
  if (response.status === 401 && typeof headers === 'function') response = await send(endpoint, path, parts)
  if (response.ok) {
    if (!/\bhtml\b/i.test(contentType(response))) return response
    discard(response)
    throw notTheGateway(response)
  }
  throw await refusal(response, parts.signal)
}

/** Longest wait for an answer that is no stream, ms. */
export const answerMs = 10_000

/**
 * Sends one request and reads its JSON answer, both together in a bounded time.
 * @param withinMs - How long both may take, ms.
 * @throws {ChatError} As {@link request}; `network` if the answer takes longer or is no JSON object.
 */
export async function requestJson<Answer>(
  endpoint: Endpoint & Pick<ChatClientOptions, 'clock'>,
  path: string,
  parts: RequestParts = {},
  withinMs: number = answerMs,
): Promise<Answer> {
  const { clock = systemClock } = endpoint
  const bound = follow(parts.signal)
  const late = new ChatError('network', `The gateway has not answered in ${withinMs / 1_000} s`, {
    cause: tooLate,
    retryable: true,
  })
  const disarm = clock.after(withinMs, () => abortWith(bound, late))
  try {
    const response = await request(endpoint, path, { ...parts, signal: bound.signal })
    if (response.status === 204 && parts.method === 'DELETE') return undefined as Answer
    const answer: unknown = await abortable(response.json(), bound.signal).catch(() => throwIfAborted(bound.signal))
    if (typeof answer !== 'object' || answer === null) throw notTheGateway(response)
    return answer as Answer
  } finally {
    disarm()
    bound.abort()
  }
}

async function send(endpoint: Endpoint, path: string, parts: RequestParts): Promise<Response> {
  const { method = 'GET', headers, json, isUrgent, signal } = parts
  const endsRun = isUrgent || (json && 'interrupts' in json && json.interrupts !== undefined)
  const own = typeof endpoint.headers === 'function' ? await ask(endpoint.headers, signal) : endpoint.headers
  for (const [name, value] of Object.entries(own ?? {}))
    // `fetch` would call it a failure of the network. A line end behind a value it takes away itself.
    if (!/^[\w!#$%&'*+.^`|~-]+\n[\t\x20-\x7e\x80-\xff]*[\r\n]*$/.test(`${name}\n${value}`))
      throw new ChatError(
        'headers_failed',
        `The option \`headers\` gives a name or a value that no header can have: ${name}`,
      )
  try {
    const response = (endpoint.fetch ?? fetch)(endpoint.url.replace(/\/$/, '') + path, {
      method,
      ...(json && { method: 'POST', body: JSON.stringify(json) }),
      ...(endpoint.credentials && { credentials: endpoint.credentials }),
      ...(isUrgent && { keepalive: true }),
      // Without HTTPS, tabs do not know of each other's streams: what waits for a connection lets an interrupt by.
      ...('isSecureContext' in globalThis && !isSecureContext && !endsRun && { priority: 'low' }),
      cache: 'no-store',
      headers: { ...own, ...headers, ...(json && { 'content-type': 'application/json' }) },
      signal: signal ?? null,
    })
    return await abortable(response, signal)
  } catch (cause) {
    // `fetch` may reject with an error of its own, before or after.
    if (signal) throwIfAborted(signal)
    throw new ChatError('network', 'The gateway was not reached', { cause, retryable: true })
  }
}

type OwnHeaders = Readonly<Record<string, string>>

/** Asks the app for its headers. An app that knows that asking again is in vain throws a ChatError of its own. */
async function ask(
  headers: () => OwnHeaders | Promise<OwnHeaders>,
  signal: AbortSignal | undefined,
): Promise<OwnHeaders> {
  try {
    return await abortable(headers(), signal)
  } catch (cause) {
    if (!signal?.aborted && isChatError(cause)) throw cause
    if (signal?.aborted && !isChatError(reasonOf(signal))) throw cause
    const how = signal?.aborted
      ? 'did not settle in time'
      : `failed: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new ChatError('headers_failed', `The option \`headers\` ${how}`, { cause, retryable: true })
  }
}

const contentType = (response: Response): string => response.headers.get('content-type') ?? ''

/** A login page, a start page, another API: it will not become the gateway by asking again. */
export function notTheGateway(response: Response): ChatError {
  const { status, redirected } = response
  const kind = contentType(response).split(';')[0] || 'no content type'
  const where = redirected ? ', after a redirect' : ''
  return new ChatError(
    'network',
    `HTTP ${status} (${kind})${where} is no answer of the gateway. Check the option url, and whether the user is signed in`,
  )
}

/** An answer that is none of the gateway's may pass: a balancer answers 404 while no gateway is ready. */
export const isPassing = (error: ChatError): boolean => error.cause === passing
const passing = {}

/** A request whose time was up, while it waited for its answer or for the app's `headers`: it has waited already. */
export const isLate = (error: unknown): boolean =>
  isChatError(error) && (error.cause === tooLate || (isChatError(error.cause) && error.cause.cause === tooLate))
const tooLate = {}

async function refusal(response: Response, signal: AbortSignal | undefined): Promise<ChatError> {
  const { status } = response
  const body: unknown = await abortable(response.json(), signal).catch(() => null)
  if (signal) throwIfAborted(signal)
  const { error } = (body ?? {}) as { readonly error?: Partial<ErrorBody> | null }
  const retryAfterMs = error?.retry_after_ms ?? retryAfter(response)
  if (typeof error?.code === 'string' && typeof error.retryable === 'boolean') {
    const { retryable, limits } = error
    return new ChatError(error.code, error.message ?? error.code, { retryable, retryAfterMs, limits })
  }
  const message = `HTTP ${status} (${contentType(response) || 'no content type'}) from something other than the gateway`
  // A proxy has a bound of its own.
  if (status === 413) return new ChatError('too_large', message)
  if (status === 401) return new ChatError('unauthorized', message)
  const isBusy = [408, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 505)
  const cause = status === 404 ? passing : undefined
  return new ChatError('network', message, { retryable: isBusy, retryAfterMs, cause })
}

/** `Retry-After`, in seconds or as a date, ms from now. */
function retryAfter({ headers }: Response): number | undefined {
  const said = headers.get('retry-after')?.trim()
  if (!said) return undefined
  if (/^\d+$/.test(said)) return Number(said) * 1_000
  const date = headers.get('date')
  const ms = Date.parse(said) - (date ? Date.parse(date) : Date.now())
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** Gives a body up that nobody reads, so that its connection is free. */
function discard({ body }: Response): void {
  if (typeof body?.cancel === 'function') void body.cancel().catch(() => undefined)
}

/**
 * Why a connection gave no terminal event, which is never a success: what the gateway said, or that it was lost.
 * @param cause - Nothing when the body just ended.
 */
export function droppedError(cause?: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('dropped', 'The connection was lost', { cause, retryable: true })
}
