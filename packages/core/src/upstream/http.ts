import { ChatError, type ChatErrorCode } from '../wire/errors.ts'
import { crashWords } from './crash-words.ts'
import { retryAfter } from './retry-after.ts'
import type { Transport, TransportResponse } from './transport.ts'

/** How much of an error's body is read for the log, UTF-16 code units. */
const maxErrorChars = 8_192

/**
 * The base of a server's paths, without a slash at its end.
 * @param factory - Whose option `url` it is, for the error.
 * @throws {TypeError} When it is no http(s) URL.
 */
export function baseUrl(factory: string, url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new TypeError(`${factory}({ url }): not an http(s) URL: ${url}`)
  return parsed.origin + parsed.pathname.replace(/\/+$/, '')
}

/** An app's own headers, by their lower-case names. */
export function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
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

/**
 * Rethrows what a transport said as an error that may travel; an abort stays what it is.
 * @throws {ChatError} `upstream_unreachable`, with the socket's error as its cause.
 */
export function unreachable(cause: unknown, signal: AbortSignal): never {
  // Not the cause: node:http says of an abort in mid body that the connection was reset.
  if (signal.aborted) throw signal.reason
  if (cause instanceof ChatError) throw cause
  throw new ChatError('upstream_unreachable', 'The model server cannot be reached, or it hung up.', {
    cause,
    retryable: true,
  })
}

/**
 * What an answer that is not 200 means. The server's own words become the cause: they do not leave the gateway.
 * @param now - Epoch milliseconds, for a `Retry-After` that names a date.
 */
export async function httpError(response: TransportResponse, model: string, now: number): Promise<ChatError> {
  const { status } = response
  const retryAfterMs = retryAfter(response, now)
  const said = await readText(response)
  const [code, message] = meaningOf(status, said, model)
  return new ChatError(code, message, {
    cause: `HTTP ${status}: ${said}`,
    retryable: code !== 'upstream_rejected' && code !== 'upstream_model_missing',
    retryAfterMs,
  })
}

function meaningOf(status: number, said: string, model: string): [code: ChatErrorCode, message: string] {
  // Servers name the model, in whatever words; a wrong path names none, and would send people looking for the model.
  if (status === 404 && /model/i.test(said))
    return ['upstream_model_missing', `The model server does not have the model "${model}".`]
  if (status === 404)
    return ['upstream_rejected', 'The model server has nothing at this path (HTTP 404): is the URL right?']
  // 529 is Anthropic's word for being overloaded.
  if (status === 429 || status === 503 || status === 529) return ['upstream_busy', 'The model server is busy.']
  // What a proxy says when there is nobody behind it, or nobody who answers.
  if (status === 408 || status === 502 || status === 504)
    return ['upstream_unreachable', 'The model server cannot be reached.']
  if (status < 500) return ['upstream_rejected', `The model server refused the request (HTTP ${status}).`]
  const code = crashWords.test(said) ? 'upstream_crashed' : 'upstream_failed'
  return [code, `The model server failed (HTTP ${status}).`]
}

/** @throws Whatever the transport throws, and on any status but 200. */
export async function getJson(
  transport: Transport,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  return readJson(await transport({ method: 'GET', url, headers, signal }))
}

/** @throws On any status but 200, and on what is no JSON. */
export async function readJson(response: TransportResponse): Promise<unknown> {
  const body = await readText(response, 4_194_304)
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`)
  return JSON.parse(body) as unknown
}

/** The beginning of a body, however it ends. */
export async function readText(response: TransportResponse, maxChars: number = maxErrorChars): Promise<string> {
  const utf8 = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body) {
      text += utf8.decode(bytes, { stream: true })
      if (text.length >= maxChars) break
    }
  } catch {
    // The status has said it; what the body adds is only for the log.
  }
  return text.slice(0, maxChars)
}
