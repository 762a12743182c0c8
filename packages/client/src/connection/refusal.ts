import { ChatError, isChatError, type ErrorBody } from '@midstream/core'
import { abortable, throwIfAborted } from './abort.ts'
import type { RequestParts } from './request.ts'

const contentType = (response: Response): string => response.headers.get('content-type') ?? ''

/** Whether an answer says of itself that it is a page, where the gateway would have none. */
export const isPage = (response: Response): boolean => /\bhtml\b/i.test(contentType(response))

export const isEventStream = (response: Response): boolean => /event-stream/i.test(contentType(response))

/** Whether an answer says of itself that it is no event stream. Layers may change the type, or take it away. */
export const isDocument = (response: Response): boolean => /json|text\/(?!event-stream)/i.test(contentType(response))

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

/** What an answer that is no success says. */
export async function refusal(response: Response, { signal, json }: RequestParts): Promise<ChatError> {
  const { status } = response
  const body: unknown = await abortable(response.json(), signal).catch(() => null)
  if (signal) throwIfAborted(signal)
  const { error } = (body ?? {}) as { readonly error?: Partial<ErrorBody> | null }
  const retryAfterMs = asWait(error?.retry_after_ms) ?? retryAfter(response)
  if (typeof error?.code === 'string' && typeof error.retryable === 'boolean') {
    const { retryable, limits } = error
    return new ChatError(error.code, error.message ?? error.code, { retryable, retryAfterMs, limits })
  }
  const message = `HTTP ${status} (${contentType(response) || 'no content type'}) from something other than the gateway${sizeHint(json)}`
  // A proxy has a bound of its own.
  if (status === 413) return new ChatError('too_large', message)
  if (status === 401) return new ChatError('unauthorized', message)
  const isBusy = [408, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 505)
  const cause = status === 404 ? passing : undefined
  return new ChatError('network', message, { retryable: isBusy, retryAfterMs, cause })
}

/** What may be the cause where nothing else is known: proxies refuse what is large, some by a reset or a 500. */
export function sizeHint(json: object | undefined): string {
  const { length } = json ? JSON.stringify(json) : ''
  return length > largeChars ? `. The request has ${length} characters: a proxy may take less` : ''
}
const largeChars = 65_536

/** `Retry-After`, in seconds or as a date, ms from now. Some servers write `1.5` or `30s`, and layers double the header. */
function retryAfter({ headers }: Response): number | undefined {
  const said = headers.get('retry-after')?.trim()
  if (!said) return undefined
  const [, seconds] = /^(\d+(?:\.\d+)?)\s*s?(?:,|$)/i.exec(said) ?? []
  if (seconds) return Number(seconds) * 1_000
  const date = headers.get('date')
  const ms = Date.parse(said) - (date ? Date.parse(date) : Date.now())
  return asWait(Math.max(0, ms))
}

/** A wait that somebody else names, ms; undefined if it is none. */
export const asWait = (ms: unknown): number | undefined =>
  typeof ms === 'number' && Number.isFinite(ms) && ms >= 0 ? ms : undefined

/**
 * Why a connection gave no terminal event, which is never a success: what the gateway said, or that it was lost.
 * @param cause - Nothing when the body just ended.
 */
export function droppedError(cause?: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('dropped', 'The connection was lost', { cause, retryable: true })
}
