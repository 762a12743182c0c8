import { defaultTransport } from '#transport'
import { systemClock } from '../../clock.ts'
import { tickerOf } from '../../ticker.ts'
import { anthropicQuestion } from './body.ts'
import { createAnthropicDecoder } from './decoder.ts'
import { continuesReplies } from '../reply/claude-versions.ts'
import { askStatus } from './status.ts'
import { keyFromEnvironment } from '../http/env-key.ts'
import { checkKey, endpointOf, ownHeaders } from '../http/http.ts'
import { continueInstruction } from '../history/continuation.ts'
import { askReply } from '../reply/ask-reply.ts'
import { written } from '../reply/reply-errors.ts'
import { createSeam } from '../reply/seam.ts'
import { withThinkTags } from '../reply/think-tags.ts'
import type { HttpUpstreamOptions } from '../http/http-options.ts'
import type { Upstream } from '../upstream.ts'
import { createWays, type AskOneWay } from '../reply/ways.ts'

const home = 'https://api.anthropic.com'
const version = '2023-06-01'

/** Words by which the API says that a reply cannot be the last message, or not with thinking. All were seen in the wild. */
const refusals =
  /does not support assistant message prefill|prefilling assistant messages is not supported|must end with a user message|final `?assistant`? message must start with a thinking block/i

/** @public */
export interface AnthropicOptions extends HttpUpstreamOptions {
  /** The base of `/v1/messages`; its query goes up with every request. @defaultValue 'https://api.anthropic.com' */
  readonly url?: string | undefined
  /** Goes up as `x-api-key`, and nowhere else. @defaultValue `ANTHROPIC_API_KEY` of the environment, for Anthropic's own URL only */
  readonly apiKey?: string | undefined
  /** Fields of every request, e.g. `{ stop_sequences: ['END'] }`. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
  /** Longest answer, thinking included, tokens, where neither `body` nor a request's options say. @defaultValue 16384 */
  readonly maxTokens?: number | undefined
}

/**
 * Anthropic's Messages API, or a server that speaks it.
 *
 * A reply that has begun is the last message of the request where the model takes that (Claude up to 4.5, without
 * thinking); where it does not, which is known by name or learnt from the refusal, it is asked for in words.
 * `stop_reason: "refusal"` is an error, `upstream_rejected`: the reply is not whole, and asking again does not help.
 * @throws {TypeError} When `url` is no http(s) URL or has a password in it, `model` is empty, or a header cannot go up.
 * @throws {RangeError} When `maxTokens` is not a whole number from 1 up.
 * @public
 */
export function anthropic(options: AnthropicOptions): Upstream {
  const { model, maxLineChars, random, clock = tickerOf(systemClock) } = options
  const { body: extra = {}, instruction = continueInstruction, maxTokens = 16_384 } = options
  if (!model) throw new TypeError('anthropic({ model }): name a model.')
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1)
    throw new RangeError(`anthropic({ maxTokens }) must be a whole number >= 1, got ${maxTokens}`)
  const { url: given = home, transport: send = defaultTransport } = options
  const { url: base, query, transport } = endpointOf('anthropic', given, send)
  const url = base.replace(/\/v1$/, '')
  const headers = outgoing(options, url)

  const ask: AskOneWay = (request, way, sink, signal) => {
    const { body, sent, tail } = written(() => anthropicQuestion(request, { way, instruction, extra, maxTokens }))
    const question = {
      url: `${url}/v1/messages`,
      headers,
      body,
      model: request.model,
      connectMs: request.connectMs,
    }
    const decoder = createAnthropicDecoder({ maxChars: maxLineChars, random })
    const seam = createSeam({ sent, tail, copies: sent === '' || way === 'native' ? 'never' : 'overlap' })
    const isNative = sent !== '' && way === 'native'
    askReply(transport, question, { decoder, seam: isNative ? seam : withThinkTags(seam), clock }, sink, signal)
  }

  const ways = createWays(
    {
      model,
      fields: [...Object.entries(headers), ...query],
      clock,
      isNative: continuesReplies,
      isRefusal: (said) => refusals.test(said),
    },
    ask,
  )
  return {
    name: 'anthropic',
    model,
    open: ways.open,
    status: async (signal) => ({
      ...(await askStatus({ transport, url, headers, model }, signal)),
      continuation: ways.continuation(),
    }),
  }
}

/** Headers that every request has: the app's own, and the key. */
function outgoing({ apiKey, headers }: AnthropicOptions, url: string): Record<string, string> {
  const own = ownHeaders('anthropic', headers)
  const isKnown = 'x-api-key' in own || 'authorization' in own
  const key = apiKey ?? (isKnown ? undefined : keyFromEnvironment('ANTHROPIC_API_KEY', url, home))
  if (key !== undefined) checkKey('anthropic', key)
  return { 'anthropic-version': version, ...own, ...(key === undefined ? {} : { 'x-api-key': key }) }
}
