import { defaultTransport } from '#transport'
import { systemClock } from '../../clock.ts'
import { tickerOf } from '../../ticker.ts'
import type { Dialect, DialectName } from './dialect.ts'
import { dialects } from './dialects.ts'
import { keyFromEnvironment } from '../http/env-key.ts'
import { checkKey, endpointOf, getJson, ownHeaders, serverId } from '../http/http.ts'
import { createLoadingWatch } from '../reply/loading.ts'
import { continueInstruction } from '../history/continuation.ts'
import { openAiQuestion } from './body.ts'
import { createOpenAiDecoder } from './decoder.ts'
import { createRefusal } from './refusal.ts'
import { askStatus } from './status.ts'
import { lookAtModels } from '../reply/residency.ts'
import { askReply } from '../reply/ask-reply.ts'
import { written } from '../reply/reply-errors.ts'
import { createSeam } from '../reply/seam.ts'
import { withThinkTags } from '../reply/think-tags.ts'
import type { HttpUpstreamOptions } from '../http/http-options.ts'
import type { Upstream } from '../upstream.ts'
import { createWays, type AskOneWay } from '../reply/ways.ts'

/** @public */
export interface OpenAiCompatibleOptions extends HttpUpstreamOptions {
  /**
   * The base of `/chat/completions`, e.g. `http://127.0.0.1:8080/v1`; its query, such as Azure's `?api-version=…`, goes up
   * with every request. @defaultValue where the dialect's server listens
   */
  readonly url?: string | undefined
  /** What kind of server it is, or the facts of one that is not listed. @defaultValue 'openai', which works with most */
  readonly dialect?: DialectName | Dialect | undefined
  /**
   * Goes up as `Authorization: Bearer`, and nowhere else.
   * @defaultValue the dialect's `apiKeyVariable` of the environment, for the dialect's own server only
   */
  readonly apiKey?: string | undefined
  /** Fields of every request, e.g. `{ temperature: 0.6 }`. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
}

/**
 * A server that speaks OpenAI's `POST /chat/completions`, told the truth in its own dialect.
 *
 * A reply that has begun is continued by the server's own means where it has some; what it refuses is learnt, per model
 * and thinking, and asked for in words for an hour.
 * @throws {TypeError} When `url` is no http(s) URL or has a password in it, `model` is empty, or a header cannot go up.
 * @public
 */
export function openaiCompatible(options: OpenAiCompatibleOptions): Upstream {
  const { model, maxLineChars, random, instruction = continueInstruction } = options
  const { dialect: kind = 'openai', body: extra = {}, clock = tickerOf(systemClock) } = options
  if (typeof kind === 'string' && !Object.hasOwn(dialects, kind))
    throw new TypeError(`openaiCompatible({ dialect }): unknown: ${kind}`)
  const dialect = typeof kind === 'string' ? dialects[kind] : kind
  const { continuation, errors, residency } = dialect
  if (!model) throw new TypeError('openaiCompatible({ model }): name a model.')
  const { url: base = dialect.url, transport: send = defaultTransport } = options
  const { url, query, transport } = endpointOf('openaiCompatible', base, send)
  const headers = outgoing(options, () => keyFromEnvironment(dialect.apiKeyVariable, url, dialect.url))

  const from = serverId('openai', url)
  // Whoever stands in front of other servers knows the common names.
  const names = new URL(url).origin === new URL(dialect.url).origin ? dialect.options : undefined

  const ask: AskOneWay = (request, way, sink, signal) => {
    const { body, sent, tail } = written(() =>
      openAiQuestion(request, dialect, { way, instruction, extra, from, names }),
    )
    const isNative = sent !== '' && way === 'native'
    const base = isNative ? withPath(url, continuation?.path) : url
    const question = {
      url: `${base}/chat/completions`,
      headers,
      body,
      model: request.model,
      connectMs: request.connectMs,
      errors,
    }
    const decoder = createOpenAiDecoder({ maxChars: maxLineChars, random, from }, dialect)
    const seam = createSeam({ sent, tail, copies: sent === '' ? 'never' : isNative ? dialect.echo : 'overlap' })
    // A native continuation is past its thinking.
    const opens = request.think !== false && dialect.opensThinking?.(request.model)
    askReply(transport, question, { decoder, seam: isNative ? seam : withThinkTags(seam, opens), clock }, sink, signal)
  }

  const ways = createWays(
    {
      model,
      fields: [...Object.entries(headers), ...query],
      clock,
      canReturnThinking: dialect.history.thinkingOfTools === undefined,
      isNative: (name) => continuation !== null && (continuation.models?.(name) ?? true),
      isRefusal: createRefusal(dialect),
    },
    ask,
  )
  const watch =
    residency &&
    createLoadingWatch({
      clock,
      look: (signal) =>
        lookAtModels(residency, (path) => getJson(transport, url.replace(/\/v1$/, '') + path, headers, signal)),
    })
  return {
    name: typeof kind === 'string' ? kind : 'openai-compatible',
    model,
    open: (request, sink, signal) =>
      watch
        ? watch(request.model, sink, signal, (watched) => ways.open(request, watched, signal))
        : ways.open(request, sink, signal),
    status: async (signal) => ({
      ...(await askStatus({ transport, url, headers, model, dialect }, signal)),
      continuation: ways.continuation(),
    }),
  }
}

/** Headers that every request has: the app's own, and the key. */
function outgoing(
  { apiKey, headers }: OpenAiCompatibleOptions,
  fromEnvironment: () => string | undefined,
): Record<string, string> {
  const own = ownHeaders('openaiCompatible', headers)
  // llama.cpp goes on with a reply that has this header when its reader leaves: an interrupt would stop nothing.
  if ('x-conversation-id' in own)
    throw new TypeError('openaiCompatible({ headers }): X-Conversation-Id would keep llama.cpp from stopping.')
  const key = apiKey ?? ('authorization' in own ? undefined : fromEnvironment())
  if (key === undefined) return own
  checkKey('openaiCompatible', key)
  return { ...own, authorization: `Bearer ${key}` }
}

/** The same base with another path in place of `/v1`. */
function withPath(url: string, path: string | undefined): string {
  return path === undefined || url.endsWith(path) ? url : url.replace(/\/v1$/, '') + path
}
