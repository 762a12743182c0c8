import { defaultTransport } from '#transport'
import { ChatError, isChatError } from '../wire/errors.ts'
import type { RandomBytes } from '../wire/ids.ts'
import { parseLine } from '../wire/ndjson.ts'
import { dialects, refusesContinuation, type Dialect, type DialectName } from './dialects.ts'
import { baseUrl, httpError, readText, unreachable } from './http.ts'
import { record } from '../wire/json.ts'
import { continueInstruction, openAiQuestion, type ContinuationWay } from './openai-body.ts'
import { createOpenAiDecoder } from './openai-decoder.ts'
import { bandError, isBandError } from './openai-errors.ts'
import { askStatus } from './openai-status.ts'
import { createSeam } from './seam.ts'
import type { Transport, TransportResponse } from './transport.ts'
import type { Upstream, UpstreamEvent, UpstreamRequest } from './upstream.ts'

/** @public */
export interface OpenAiCompatibleOptions {
  /** The base of `/chat/completions`, e.g. `http://127.0.0.1:8080/v1`. @defaultValue where the dialect's server listens */
  readonly url?: string | undefined
  /** The model that is used when a request names none. */
  readonly model: string
  /** What kind of server it is, or the facts of one that is not listed. @defaultValue 'openai', which works with most */
  readonly dialect?: DialectName | Dialect | undefined
  /** Goes up as `Authorization: Bearer`, and nowhere else. */
  readonly apiKey?: string | undefined
  /** Headers of every request, e.g. an organisation. Nothing of a client's headers goes up. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Fields of every request, e.g. `{ temperature: 0.6 }`. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
  /** Asks for the rest of a reply where the server cannot do so by itself. @defaultValue continueInstruction */
  readonly instruction?: string | undefined
  /** @defaultValue `nodeTransport()` on Node, `fetchTransport()` elsewhere */
  readonly transport?: Transport | undefined
  /** Longest frame of an answer, UTF-16 code units. @defaultValue 1048576 */
  readonly maxLineChars?: number | undefined
  /** Makes ids for tool calls that come without one. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}

/**
 * A server that speaks OpenAI's `POST /chat/completions`, told the truth in its own dialect.
 *
 * A reply that has begun is continued by the server's own means where it has some; what it refuses is learnt, per model
 * and thinking, and from then on asked for in words.
 * @throws {TypeError} When `url` is no http(s) URL, `model` is empty, or a header must not go up.
 * @public
 */
export function openaiCompatible(options: OpenAiCompatibleOptions): Upstream {
  const { model, transport = defaultTransport, maxLineChars, random, instruction = continueInstruction } = options
  const { dialect: kind = 'openai', body: extra = {} } = options
  if (typeof kind === 'string' && !Object.hasOwn(dialects, kind))
    throw new TypeError(`openaiCompatible({ dialect }): unknown: ${kind}`)
  const dialect = typeof kind === 'string' ? dialects[kind] : kind
  if (!model) throw new TypeError('openaiCompatible({ model }): name a model.')
  const url = baseUrl('openaiCompatible', options.url ?? dialect.url)
  const headers = outgoing(options)
  /** Models, with and without thinking, that were found not to continue by the server's means. */
  const refused = new Set<string>()

  const ask = async function* (
    request: UpstreamRequest,
    way: ContinuationWay,
    signal: AbortSignal,
  ): AsyncGenerator<UpstreamEvent[], void, undefined> {
    const { body, sent, tail } = openAiQuestion(request, dialect, { way, instruction, extra })
    const isNative = sent !== '' && way === 'native'
    const base = isNative ? withPath(url, dialect.continuation?.path) : url
    const response = await transport({
      method: 'POST',
      url: `${base}/chat/completions`,
      headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(body),
      signal,
    }).catch((cause: unknown) => unreachable(cause, signal))
    if (response.status !== 200) {
      const error = await httpError(response, request.model)
      signal.throwIfAborted()
      throw error
    }
    if (/json|html/i.test(response.header('content-type') ?? '')) throw await notAStream(response)
    const decoder = createOpenAiDecoder({ maxChars: maxLineChars, random })
    const seam = createSeam({ sent, tail, copies: sent === '' ? 'never' : isNative ? dialect.echo : 'overlap' })
    try {
      for await (const bytes of response.body) {
        const events = seam.push(decoder.push(bytes))
        if (events.length > 0) yield events
        if (decoder.finished) return
      }
    } catch (cause) {
      // The reason was there before the socket broke: the reply is whole.
      const events = signal.aborted ? [] : decoder.end()
      if (events.length === 0) unreachable(cause, signal)
      yield seam.push(events)
      return
    }
    const events = [...seam.push(decoder.end()), ...seam.end()]
    if (events.length > 0) yield events
  }

  async function* generate(
    request: UpstreamRequest,
    signal: AbortSignal,
  ): AsyncGenerator<UpstreamEvent[], void, undefined> {
    const { continuation } = dialect
    const key = `${request.model} ${Boolean(request.think)}`
    const isNative = continuation !== null && request.prefill.trim() !== '' && !refused.has(key)
    let hasYielded = false
    try {
      for await (const events of ask(request, isNative ? 'native' : 'instruction', signal)) {
        const failed = events.find((event) => 'error' in event)
        // Also where the head had gone out before the template was looked at.
        if (isNative && !hasYielded && failed && isRefusal(failed.error)) throw failed.error
        hasYielded ||= events.some((event) => 'message' in event || 'thinking' in event)
        yield events.map(safe)
      }
      return
    } catch (error) {
      if (!isNative || hasYielded || !isRefusal(error)) throw withoutKey(error)
      refused.add(key)
    }
    try {
      for await (const events of ask(request, 'instruction', signal)) yield events.map(safe)
    } catch (error) {
      throw withoutKey(error)
    }
  }
  const isRefusal = (error: unknown): boolean =>
    dialect.continuation !== null &&
    isChatError(error) &&
    error.code !== 'upstream_unreachable' &&
    typeof error.cause === 'string' &&
    refusesContinuation(error.cause, dialect.continuation)
  /** Some servers say the key again that they refuse; whoever logs a cause must not log that. */
  const withoutKey = <E>(error: E): E | ChatError => {
    const { apiKey } = options
    if (!apiKey || !isChatError(error) || typeof error.cause !== 'string' || !error.cause.includes(apiKey)) return error
    const cause = error.cause.replaceAll(apiKey, '[key]')
    return new ChatError(error.code, error.message, { cause, retryable: error.retryable })
  }
  const safe = (event: UpstreamEvent): UpstreamEvent => ('error' in event ? { error: withoutKey(event.error) } : event)

  return {
    name: typeof kind === 'string' ? kind : 'openai-compatible',
    model,
    generate,
    status: (signal) => askStatus({ transport, url, headers, model, dialect }, signal),
  }
}

/** Headers that every request has: the app's own, and the key. */
function outgoing({ apiKey, headers = {} }: OpenAiCompatibleOptions): Record<string, string> {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  // llama.cpp goes on with a reply that has this header when its reader leaves: an interrupt would stop nothing.
  if ('x-conversation-id' in own)
    throw new TypeError('openaiCompatible({ headers }): X-Conversation-Id would keep llama.cpp from stopping.')
  if (apiKey === undefined) return own
  // What `fetch` says of a header that it refuses holds its value.
  if (!/^[\x21-\x7e]+$/.test(apiKey))
    throw new TypeError('openaiCompatible({ apiKey }): empty, or with a character that no header may hold.')
  return { ...own, authorization: `Bearer ${apiKey}` }
}

/** A proxy's page, or a server that has no streams: whatever it says, it is no reply in the making. */
async function notAStream(response: TransportResponse): Promise<ChatError> {
  const said = await readText(response)
  const parsed = parseLine(said)
  const body = record('value' in parsed ? parsed.value : undefined)
  if (isBandError(body, undefined)) return bandError(body)
  const message = 'The model server answered with something that is no stream of events.'
  return new ChatError('upstream_malformed', message, { cause: said, retryable: false })
}

/** The same base with another path in place of `/v1`. */
function withPath(url: string, path: string | undefined): string {
  return path === undefined || url.endsWith(path) ? url : url.replace(/\/v1$/, '') + path
}
