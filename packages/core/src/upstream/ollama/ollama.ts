import { defaultTransport } from '#transport'
import { systemClock } from '../../clock.ts'
import { tickerOf } from '../../ticker.ts'
import { record, text } from '../../wire/json.ts'
import { askJson, endpointOf, failedStatus, getJson, ownHeaders, serverId } from '../http/http.ts'
import { createLoadingWatch } from '../reply/loading.ts'
import { ollamaQuestion } from './body.ts'
import { createOllamaDecoder } from './decoder.ts'
import { continueInstruction } from '../history/continuation.ts'
import { lookAtModels, modelNames, sameModel } from '../reply/residency.ts'
import { askReply } from '../reply/ask-reply.ts'
import { written } from '../reply/reply-errors.ts'
import { refusesContinuation } from '../reply/refuses-continuation.ts'
import { createSeam } from '../reply/seam.ts'
import { withThinkTags } from '../reply/think-tags.ts'
import type { HttpUpstreamOptions } from '../http/http-options.ts'
import type { Upstream, UpstreamRequest, UpstreamStatus } from '../upstream.ts'
import { createWays, type AskOneWay } from '../reply/ways.ts'

/** @public */
export interface OllamaOptions extends HttpUpstreamOptions {
  /** Where Ollama listens; its query goes up with every request. @defaultValue 'http://127.0.0.1:11434' */
  readonly url?: string | undefined
}

/**
 * An Ollama server, spoken to by `POST /api/chat` (its `/v1` loses errors in mid-stream).
 *
 * Whether a model's template leaves a reply open, to be continued, is asked before its first continuation; one that does
 * not is asked in words.
 * @see https://github.com/ollama/ollama/blob/main/docs/api.md
 * @throws {TypeError} When `url` is no http(s) URL or has a password in it, `model` is empty, or a header cannot go up.
 * @public
 */
export function ollama(options: OllamaOptions): Upstream {
  const { model, maxLineChars, random, clock = tickerOf(systemClock) } = options
  const { instruction = continueInstruction } = options
  if (!model) throw new TypeError('ollama({ model }): name a model, as `ollama list` shows it.')
  const { url: given = 'http://127.0.0.1:11434', transport: send = defaultTransport } = options
  const { url, query, transport } = endpointOf('ollama', given, send)
  const headers = ownHeaders('ollama', options.headers)

  const from = serverId('ollama', url)

  const ask: AskOneWay = (request, way, sink, signal) => {
    const { body, sent, tail } = written(() => ollamaQuestion(request, way, instruction, from))
    const { model, connectMs } = request
    const question = { url: `${url}/api/chat`, headers, accept: 'application/x-ndjson', body, model, connectMs }
    const decoder = createOllamaDecoder({ maxChars: maxLineChars, random, from })
    // Models that llama-server has the template of may be continued by builds that say the partial again.
    const seam = createSeam({ sent, tail, copies: sent === '' ? 'never' : way === 'native' ? 'maybe' : 'overlap' })
    const isNative = sent !== '' && way === 'native'
    askReply(transport, question, { decoder, seam: isNative ? seam : withThinkTags(seam), clock }, sink, signal)
  }

  /**
   * Ollama renders the prompt and generates nothing. A template that closes the reply's turn and opens another one makes the
   * model answer anew, and says nothing of it.
   */
  const probe = async (request: UpstreamRequest, signal: AbortSignal): Promise<boolean | undefined> => {
    const { body, sent } = written(() => ollamaQuestion(request, 'native', instruction, from))
    // A server that does not know the question answers it, as briefly as it can be told to.
    const brief = { ...record(body['options']), num_predict: 1 }
    try {
      const asked = { ...body, stream: false, options: brief, _debug_render_only: true }
      const answer = await askJson(transport, {
        method: 'POST',
        url: `${url}/api/chat`,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(asked),
        connectMs: request.connectMs,
        signal,
      })
      const { rendered_template: rendered } = record(record(answer)['_debug_info'])
      return typeof rendered !== 'string' || rendered.trimEnd().endsWith(sent)
    } catch {
      signal.throwIfAborted()
      // The reply itself says what is wrong with the server.
      return undefined
    }
  }
  const ways = createWays(
    {
      model,
      fields: [...Object.entries(headers), ...query],
      clock,
      // Its templates write any name.
      takesAnyName: true,
      isNative: () => true,
      isRefusal: refusesContinuation,
      probe,
    },
    ask,
  )
  const get = (path: string, signal: AbortSignal): Promise<unknown> =>
    getJson(transport, `${url}${path}`, headers, signal)
  const watch = createLoadingWatch({
    clock,
    look: (signal) => lookAtModels('ollama', (path) => get(path, signal)),
  })

  async function state(signal: AbortSignal): Promise<UpstreamStatus> {
    try {
      const paths = ['/api/version', '/api/tags', '/api/ps']
      const [version, tags, ps] = await Promise.all(paths.map((path) => get(path, signal)))
      const known = (answer: unknown): boolean => modelNames(answer).some((name) => sameModel(name, model))
      const found = known(ps) ? 'ready' : known(tags) ? 'idle' : 'model_missing'
      return { state: found, version: text(record(version)['version']) || undefined }
    } catch (failure) {
      const found = failedStatus(failure)
      // Without these paths it is no Ollama.
      return found.state === 'ready' ? { ...found, state: 'unreachable' } : found
    }
  }
  return {
    name: 'ollama',
    model,
    open: (request, sink, signal) =>
      watch(request.model, sink, signal, (watched) => ways.open(request, watched, signal)),
    status: async (signal) => ({ ...(await state(signal)), continuation: ways.continuation() }),
  }
}
