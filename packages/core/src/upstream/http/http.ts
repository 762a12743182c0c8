import { ChatError, isChatError, type ChatErrorCode } from '../../wire/errors.ts'
import { hash64 } from '../../wire/hash64.ts'
import { parsedJson, record } from '../../wire/json.ts'
import { mayPass, meant, sentences, type ErrorWords } from './error-meaning.ts'
import { childAbort } from './child-abort.ts'
import { retryAfter } from './retry-after.ts'
import type { Transport, TransportHead, TransportRequest } from './transport.ts'
import type { UpstreamStatus } from '../upstream.ts'
import { onRejected } from '../../rejected.ts'

/** How much of an error's body is read for the log, UTF-16 code units. */
export const maxErrorChars = 8_192
/** The same of an answer in JSON. */
const maxJsonChars = 4_194_304

/** Where a server is, and how it is asked there. */
export interface Endpoint {
  /** The base of its paths, without a slash at its end, and without its query. */
  readonly url: string
  /** What its query says, as it means it and as it writes it, for keys may be in it. */
  readonly query: readonly (readonly [name: string, value: string])[]
  /** Adds the query to each request. */
  readonly transport: Transport
}

/**
 * @param factory - Whose option `url` it is, for the error.
 * @throws {TypeError} When it is no http(s) URL, or has a name or a password in it.
 */
export function endpointOf(factory: string, url: string, transport: Transport): Endpoint {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new TypeError(`${factory}({ url }): not an http(s) URL: ${url}`)
  const { origin, pathname, search, searchParams, username, password } = parsed
  if (username || password)
    throw new TypeError(`${factory}({ url }): no name or password goes up from it: use \`headers\`.`)
  const written = search
    .slice(1)
    .split('&')
    .map((field) => {
      const [name = '', ...value] = field.split('=')
      return [name, value.join('=')] as const
    })
  return {
    url: origin + pathname.replace(/\/+$/, ''),
    query: [...searchParams, ...written],
    transport: (request, sink) => {
      const more = request.url.includes('?') ? search.replace('?', '&') : search
      const outcome: unknown = transport({ ...request, url: request.url + more }, sink)
      onRejected(outcome, sink.error)
    },
  }
}

/** Whose opaque data it is: a hash, since clients see it, of the kind of server and of the host's name, on whatever port. */
export function serverId(kind: string, url: string): string {
  return hash64(`${kind} ${new URL(url).hostname}`)
}

/**
 * An app's own headers, by their lower-case names. What a transport says of one that it refuses holds its value.
 * @param factory - Whose option `headers` they are, for the error.
 * @throws {TypeError} When a name or a value cannot be a header's.
 */
export function ownHeaders(factory: string, headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const lowerCased = Object.entries(headers).map(([name, value]) => {
    if (typeof value !== 'string' || !/^[\w!#$%&'*+.^`|~-]+\n[\t\x20-\x7e\x80-\xff]*$/.test(`${name}\n${value}`))
      throw new TypeError(`${factory}({ headers }): no header can be called ${name}, or have that value.`)
    return [name.toLowerCase(), value]
  })
  return Object.fromEntries(lowerCased) as Record<string, string>
}

/**
 * A key as it may stand in a header: what `fetch` says of one that it refuses holds its value.
 * @param factory - Whose option `apiKey` it is, for the error.
 * @throws {TypeError} When it is empty, or holds what no header may.
 */
export function checkKey(factory: string, key: string): void {
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new TypeError(`${factory}({ apiKey }): empty, or with a character that no header may hold.`)
}

/** What a transport said, as an error that may travel, with the socket's error as its cause. */
export function unreachable(cause: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('upstream_unreachable', 'The model server cannot be reached, or it hung up.', {
    cause,
    retryable: true,
  })
}

/** Whether a status says that the body is the answer. 204 and 205 have no body. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300 && status !== 204 && status !== 205
}

/**
 * What an answer means that {@link isSuccess} is not true of. The server's own words become the cause: they do not leave the gateway.
 * @param now - Epoch milliseconds, for a `Retry-After` that names a date.
 * @param own - What the dialect knows of its words.
 */
export function httpError(
  head: TransportHead,
  said: string,
  model: string,
  now: number,
  own: ErrorWords = [],
): ChatError {
  const { status } = head
  const { code, waitMs } = meant(status, said, parsedJson(said) ?? said, own)
  return new ChatError(code, messageOf(code, status, model), {
    cause: `HTTP ${status}: ${said}`,
    retryable: mayPass(code),
    retryAfterMs: retryAfter(head, now) ?? waitMs,
  })
}

function messageOf(code: ChatErrorCode, status: number, model: string): string {
  if (code === 'upstream_model_missing') return `The model server does not have the model "${model}".`
  if (code !== 'upstream_rejected') return sentences[code] ?? `The model server failed (HTTP ${status}).`
  return status === 404
    ? 'The model server has nothing at this path (HTTP 404): is the URL right?'
    : `The model server refused the request (HTTP ${status}).`
}

/**
 * Asks for one piece of JSON.
 * @throws Whatever the transport says, on a status that is no success, which is the error's cause, and on what is no JSON.
 */
export async function askJson(transport: Transport, request: TransportRequest): Promise<unknown> {
  const { status, said } = await askText(transport, request)
  if (!isSuccess(status)) throw new Error(`HTTP ${status}`, { cause: status })
  return JSON.parse(said) as unknown
}

/** @throws As {@link askJson}. */
export function getJson(
  transport: Transport,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  return askJson(transport, { method: 'GET', url, headers, signal })
}

/** An answer as a text: its beginning, where it is too long or breaks off. */
function askText(transport: Transport, request: TransportRequest): Promise<{ status: number; said: string }> {
  const utf8 = new TextDecoder()
  const left = childAbort(request.signal)
  let status: number | undefined
  let said = ''
  return new Promise((resolve, reject) => {
    const end = (): void => resolve({ status: status ?? 0, said })
    transport(
      { ...request, signal: left.signal },
      {
        head: (head) => void (status = head.status),
        data(bytes) {
          said += utf8.decode(bytes, { stream: true })
          if (said.length < maxJsonChars) return
          end()
          left.abort()
        },
        end,
        error(cause) {
          if (status === undefined || request.signal.aborted) reject(cause)
          else end()
        },
      },
    )
  })
}

/**
 * How a server is that did not tell of its models.
 * @param failure - What {@link getJson} threw; the status is its cause.
 */
export function failedStatus(failure: unknown): UpstreamStatus {
  const { cause: status } = record(failure)
  if (typeof status !== 'number') return { state: 'unreachable' }
  if (status === 401 || status === 403) return { state: 'unauthorized', status }
  // Some have no list at all; that they answer is enough.
  return { state: status === 404 || status === 405 ? 'ready' : 'unreachable', status }
}
