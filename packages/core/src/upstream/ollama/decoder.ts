import { ChatError } from '../../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../../wire/events.ts'
import { createId, type RandomBytes } from '../../wire/ids.ts'
import { isRecord, list, parsedJson, record, text, type Json } from '../../wire/json.ts'
import { countedUsage } from '../reply/counted-usage.ts'
import { endingOf } from '../reply/finish-reasons.ts'
import { saidError } from '../http/error-meaning.ts'
import { errorIn, errorOf } from '../http/said-error.ts'
import { unreadable } from '../reply/reply-errors.ts'
import type { UpstreamEvent } from '../upstream.ts'

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
    const frame = parsedJson(line)
    if (!isRecord(frame)) return void events.push(unreadable(line))
    // A repeat to the byte, time stamp included, is a fault of the server and no second delta. Without a stamp it may well
    // be one: a model can say a token twice.
    if (repeated && 'created_at' in frame) return void events.push({ alive: true })
    const isReply = isRecord(frame['message']) || 'done' in frame || 'response' in frame
    if (errorIn(frame, undefined, isReply) !== undefined) {
      finished = true
      return void events.push({ error: saidError(errorOf(frame)) })
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
      events.push(
        whole ? { tool_call: whole } : unreadable(text(record(record(call)['function'])['arguments']) || line),
      )
    }
    const reason = text(frame['done_reason'])
    // Some backends send done_reason without done.
    if (frame['done'] === true || endingOf(reason)) {
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

function finish(reason: string, called: boolean, frame: Json): UpstreamEvent {
  if (reason === 'load' || reason === 'unload') {
    const message = 'The model server loaded or unloaded its model and gave no answer.'
    return { error: new ChatError('upstream_failed', message, { retryable: true }) }
  }
  const ending = endingOf(reason) ?? { finish: 'stop' }
  if ('error' in ending) return { error: ending.error }
  const known: FinishReason = ending.finish === 'length' ? 'length' : called ? 'tool_calls' : 'stop'
  const usage = ollamaUsage(frame)
  return { finish: known, ...(usage === undefined ? {} : { usage }) }
}

/** Counters of zero are absent on the wire. */
function ollamaUsage(frame: Json): Usage | undefined {
  return countedUsage(frame['prompt_eval_count'], frame['eval_count'])
}

/** Ollama's arguments are an object; compatible servers send JSON text. Anything else is no whole call. */
function toolCall(call: unknown, random?: RandomBytes): ToolCall | undefined {
  const { id, function: called } = record(call)
  const { name, arguments: given = {} } = record(called)
  const args = typeof given === 'string' ? parsedJson(given) : given
  if (!text(name) || !isRecord(args)) return undefined
  return { id: text(id) || createId('call', random), name: name as string, arguments: args }
}
