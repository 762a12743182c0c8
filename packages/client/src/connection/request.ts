import { ChatError, isChatError, systemClock } from '@midstream/core'
import type { ChatClientOptions } from '../options.ts'
import { partsOf } from './address.ts'
import { abortable, abortWith, follow, throwIfAborted } from './abort.ts'
import { isPromise, ownHeaders, wordsOf } from './headers.ts'
import { isPage, notTheGateway, refusal, sizeHint } from './refusal.ts'

/** Where the gateway is and how to talk to it. */
export type Endpoint = Pick<ChatClientOptions, 'url' | 'fetch' | 'headers' | 'credentials'>

export interface RequestParts {
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
    if (!isPage(response)) return response
    discard(response)
    throw notTheGateway(response)
  }
  throw await refusal(response, parts)
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
  const asked = ownHeaders(endpoint.headers, signal)
  // Not awaited where they are known: the request is on its way in the tick of its message.
  const own = isPromise(asked) ? await asked : asked
  const url = endpoint.url.replace(/\/$/, '') + path
  const body = json && toJson(json)
  let isCalled = false
  const { fetch: send = fetch, credentials } = endpoint
  try {
    const answer = send(url, {
      method,
      ...(body && { method: 'POST', body }),
      ...(credentials && { credentials }),
      ...(isUrgent && { keepalive: true }),
      // Without HTTPS, tabs do not know of each other's streams: what waits for a connection lets an interrupt by.
      ...('isSecureContext' in globalThis && !isSecureContext && !endsRun && { priority: 'low' }),
      cache: 'no-store',
      headers: { ...own, ...headers, ...(json && { 'content-type': 'application/json' }) },
      signal: signal ?? null,
    })
    isCalled = true
    const response = await abortable(answer, signal)
    if (typeof response?.headers?.get !== 'function' || response.bodyUsed) {
      throw new ChatError('network', 'The option `fetch` returned no Response that can be read')
    }
    return response
  } catch (cause) {
    // `fetch` may reject with an error of its own, before or after.
    if (signal) throwIfAborted(signal)
    // An app that knows that asking again is in vain throws a ChatError of its own.
    if (isChatError(cause)) throw cause
    let final: string | undefined
    // A `fetch` rejects where it fails. Of one that throws, only a TypeError is as a failure of the network would be.
    if (!isCalled && !(cause instanceof TypeError)) final = `The option \`fetch\` failed: ${wordsOf(cause)}`
    // One of the app's own may know what to do with any URL, until it complains of it.
    else if (!canBeAsked(url) && (!endpoint.fetch || /url/i.test(String(cause)))) {
      final = `The option \`url\` leads nowhere: ${endpoint.url}. Outside of a page it has to be absolute`
    }
    const look = (redirect: RequestRedirect): Promise<Response> =>
      abortable(
        send(endpoint.url, {
          redirect,
          ...(credentials && { credentials }),
          cache: 'no-store',
          headers: own,
          signal: signal ?? null,
        }),
        signal,
      )
    if (!final && isCalled && (await isSentAway(look))) {
      final = 'The option `url` redirects to another origin. Check whether the user is signed in'
    }
    if (signal) throwIfAborted(signal)
    throw new ChatError('network', final ?? `The gateway was not reached${sizeHint(json)}`, {
      cause,
      retryable: !final,
    })
  }
}

/** @throws {ChatError} `bad_request`: a BigInt or a circle is no fault of the network. */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw new ChatError('bad_request', `The request cannot be written as JSON: ${wordsOf(cause)}`, { cause })
  }
}

/**
 * Whether a page is sent to another origin, as by a proxy that wants a sign-in: a `fetch` that follows fails there as if it were
 * offline. One that does not follow sees the redirect. Redirects within the origin do not fail.
 */
async function isSentAway(look: (redirect: RequestRedirect) => Promise<Response>): Promise<boolean> {
  const { onLine = true } = (globalThis.navigator ?? {}) as Partial<Navigator>
  if (!globalThis.location || !onLine) return false
  try {
    if ((await look('manual')).type !== 'opaqueredirect') return false
  } catch {
    return false
  }
  return look('follow').then(
    (response) => (discard(response), false),
    () => true,
  )
}

/** Whether a URL can be asked at all: relative to nothing, without a host, or with a password in it, it never can. */
function canBeAsked(url: string): boolean {
  const { host, username } = partsOf(url)
  return !!host && !username
}

/** A request whose time was up, while it waited for its answer or for the app's `headers`: it has waited already. */
export const isLate = (error: unknown): boolean =>
  isChatError(error) && (error.cause === tooLate || (isChatError(error.cause) && error.cause.cause === tooLate))
const tooLate = {}

/** Gives a body up that nobody reads, so that its connection is free. */
function discard({ body }: Response): void {
  if (typeof body?.cancel === 'function') void body.cancel().catch(() => undefined)
}
