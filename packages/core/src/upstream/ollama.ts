import { defaultTransport } from '#transport'
import { ChatError } from '../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../wire/events.ts'
import { createId, type RandomBytes } from '../wire/ids.ts'
import type { ChatTurn, ToolDefinition } from '../wire/messages.ts'
import { isRecord, list, record, text, type Json } from '../wire/json.ts'
import { createLineDecoder, parseLine } from '../wire/ndjson.ts'
import { baseUrl, getJson, httpError, unreachable } from './http.ts'
import { normaliseHistory } from './history.ts'
import type { Transport } from './transport.ts'
import type { Upstream, UpstreamEvent, UpstreamRequest, UpstreamStatus } from './upstream.ts'

/** @public */
export interface OllamaOptions {
  /** Where Ollama listens. @defaultValue 'http://127.0.0.1:11434' */
  readonly url?: string | undefined
  /** The model that is used when a request names none, e.g. `qwen3:32b`. */
  readonly model: string
  /** Headers of every request, e.g. an `authorization` for ollama.com. Nothing of a client's headers goes up. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** @defaultValue `nodeTransport()` on Node, `fetchTransport()` elsewhere */
  readonly transport?: Transport | undefined
  /** Longest line of an answer, UTF-16 code units. @defaultValue 1048576 */
  readonly maxLineChars?: number | undefined
  /** Makes ids for tool calls that come without one. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}

/**
 * An Ollama server, spoken to by `POST /api/chat` (its `/v1` loses errors in mid-stream).
 * @see https://github.com/ollama/ollama/blob/main/docs/api.md
 * @throws {TypeError} When `url` is no http(s) URL or `model` is empty.
 * @public
 */
export function ollama(options: OllamaOptions): Upstream {
  const { model, headers = {}, transport = defaultTransport, maxLineChars, random } = options
  if (!model) throw new TypeError('ollama({ model }): name a model, as `ollama list` shows it.')
  const url = baseUrl('ollama', options.url ?? 'http://127.0.0.1:11434')

  async function* generate(
    request: UpstreamRequest,
    signal: AbortSignal,
  ): AsyncGenerator<UpstreamEvent[], void, undefined> {
    const response = await transport({
      method: 'POST',
      url: `${url}/api/chat`,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify(ollamaBody(request)),
      signal,
    }).catch((cause: unknown) => unreachable(cause, signal))
    if (response.status !== 200) throw await httpError(response, request.model)
    const lines = createLineDecoder({ maxChars: maxLineChars })
    const decoder = createOllamaDecoder(random)
    try {
      for await (const bytes of response.body) {
        const events = decoder.push(lines.push(bytes))
        if (events.length > 0) yield events
        if (decoder.finished) return
      }
    } catch (cause) {
      unreachable(cause, signal)
    }
    // A last line without its end counts: a line that parses is whole.
    const events = decoder.push(lines.end())
    if (events.length > 0) yield events
  }

  async function status(signal: AbortSignal): Promise<UpstreamStatus> {
    try {
      const ask = (path: string): Promise<unknown> => getJson(transport, `${url}${path}`, headers, signal)
      const [version, tags, ps] = await Promise.all([ask('/api/version'), ask('/api/tags'), ask('/api/ps')])
      const known = (answer: unknown): boolean => modelNames(answer).some((name) => sameModel(name, model))
      const state = known(ps) ? 'ready' : known(tags) ? 'idle' : 'model_missing'
      return { state, version: text(record(version)['version']) || undefined }
    } catch {
      // Whatever went wrong, to whoever asks how the server is, it is not to be had.
      return { state: 'unreachable' }
    }
  }

  return { name: 'ollama', model, generate, status }
}

/** Names of the models in an answer of `/api/tags` or `/api/ps`. @public */
export function modelNames(answer: unknown): string[] {
  return list(record(answer)['models'])
    .map((entry) => text(record(entry)['name']))
    .filter((name) => name !== '')
}

const withTag = (name: string): string => (name.includes(':') ? name : `${name}:latest`)
const sameModel = (a: string, b: string): boolean => withTag(a) === withTag(b)

/** The body of `POST /api/chat`: the whole history, made valid. */
export function ollamaBody(request: UpstreamRequest): Record<string, unknown> {
  const { prefill, tools, options } = request
  // A trailing assistant message is continued. It is a part of the history, which must not end with two of them.
  const begun: readonly ChatTurn[] = prefill === '' ? [] : [{ role: 'assistant', content: prefill }]
  const history = normaliseHistory([...request.messages, ...begun], request.interruptedNote)
  // A reply that has begun is past its thinking, whatever was asked for: some servers refuse the one with the other.
  const think = prefill === '' ? request.think : false
  return {
    model: request.model,
    messages: ollamaMessages(history),
    stream: true,
    ...(tools === undefined ? {} : { tools: tools.map(ollamaTool) }),
    ...(think === undefined ? {} : { think }),
    ...(options === undefined ? {} : { options }),
  }
}

/** Ollama knows a tool's result by the tool's name. */
function ollamaMessages(turns: readonly ChatTurn[]): Record<string, unknown>[] {
  const names = new Map<string, string>()
  return turns.map(({ role, content, tool_calls: calls, tool_call_id: callId }) => {
    for (const { id, name } of calls ?? []) names.set(id, name)
    return {
      role,
      content,
      ...(calls === undefined
        ? {}
        : {
            tool_calls: calls.map((call) => ({
              id: call.id,
              function: { name: call.name, arguments: call.arguments },
            })),
          }),
      ...(callId === undefined ? {} : { tool_name: names.get(callId), tool_call_id: callId }),
    }
  })
}

function ollamaTool({
  name,
  description = '',
  parameters = { type: 'object', properties: {} },
}: ToolDefinition): Record<string, unknown> {
  return { type: 'function', function: { name, description, parameters } }
}

/** Turns the lines of one answer into events. */
export interface OllamaDecoder {
  push(lines: readonly string[]): UpstreamEvent[]
  /** The reply has finished or failed: nothing after that counts. */
  readonly finished: boolean
}

export function createOllamaDecoder(random?: RandomBytes): OllamaDecoder {
  let last = ''
  let called = false
  let finished = false

  const decode = (line: string, events: UpstreamEvent[]): void => {
    const repeated = line === last
    last = line
    const parsed = parseLine(line)
    const frame = 'value' in parsed ? parsed.value : undefined
    if (!isRecord(frame)) return void events.push({ malformed: line.slice(0, 200) })
    // A repeat to the byte, time stamp included, is a fault of the server and no second delta. Without a stamp it may well
    // be one: a model can say a token twice.
    if (repeated && 'created_at' in frame) return void events.push({ alive: true })
    if ('error' in frame) {
      finished = true
      const cause = frame['error']
      return void events.push({ error: lineError(cause) })
    }
    const before = events.length
    const message = record(frame['message'])
    const thinking = text(message['thinking'])
    const content = text(message['content'])
    if (thinking) events.push({ thinking })
    if (content) events.push({ message: content })
    for (const call of list(message['tool_calls'])) {
      const whole = toolCall(call, random)
      called ||= whole !== undefined
      events.push(whole ? { tool_call: whole } : { malformed: line.slice(0, 200) })
    }
    const reason = text(frame['done_reason'])
    // Some backends send done_reason without done.
    if (frame['done'] === true || reason) {
      finished = true
      events.push(finish(reason || 'stop', called, frame))
    } else if (events.length === before) events.push({ alive: true })
  }
  return {
    get finished() {
      return finished
    },
    push(lines) {
      const events: UpstreamEvent[] = []
      for (const line of lines) if (!finished) decode(line, events)
      return events
    },
  }
}

/** Words of Ollama that mean that the process which runs the model is gone; Ollama starts another one. */
const crashed = /EOF|runner|connection (refused|reset)|terminated|forcibly closed/i

function lineError(cause: unknown): ChatError {
  const code = typeof cause === 'string' && crashed.test(cause) ? 'upstream_crashed' : 'upstream_failed'
  return new ChatError(code, 'The model server failed in the middle of its reply.', { cause, retryable: true })
}

function finish(reason: string, called: boolean, frame: Json): UpstreamEvent {
  if (reason === 'load' || reason === 'unload') {
    const message = 'The model server loaded or unloaded its model and gave no answer.'
    return { error: new ChatError('upstream_failed', message, { retryable: true }) }
  }
  // Unknown reasons end an answer as `stop` does: the server said that it was done.
  const known: FinishReason = reason === 'length' ? 'length' : called ? 'tool_calls' : 'stop'
  const usage = ollamaUsage(frame)
  return { finish: known, ...(usage === undefined ? {} : { usage }) }
}

/** Counters of zero are absent on the wire. */
function ollamaUsage(frame: Json): Usage | undefined {
  const prompt = frame['prompt_eval_count']
  const completion = frame['eval_count']
  if (typeof prompt !== 'number' && typeof completion !== 'number') return undefined
  return {
    ...(typeof prompt === 'number' ? { prompt_tokens: prompt } : {}),
    ...(typeof completion === 'number' ? { completion_tokens: completion } : {}),
  }
}

/** Ollama's arguments are an object; compatible servers send JSON text. Anything else is no whole call. */
function toolCall(call: unknown, random?: RandomBytes): ToolCall | undefined {
  const { id, function: called } = record(call)
  const { name, arguments: given = {} } = record(called)
  const parsed = typeof given === 'string' ? parseLine(given) : { value: given }
  const args = 'value' in parsed ? parsed.value : undefined
  if (!text(name) || !isRecord(args)) return undefined
  return { id: text(id) || createId('call', random), name: name as string, arguments: args }
}
