import { ChatError } from '../../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../../wire/events.ts'
import { isRecord, record, text, type Json } from '../../wire/json.ts'
import { countedUsage } from '../reply/counted-usage.ts'
import { decodeFrames } from '../reply/decode-frames.ts'
import { endingOf, reasonIn } from '../reply/finish-reasons.ts'
import { saidError } from '../http/error-meaning.ts'
import { errorIn, errorOf } from '../http/said-error.ts'
import type { ReplyDecoder } from '../reply/ask-reply.ts'
import { brokenCall } from '../reply/reply-errors.ts'
import { callFragments, contentEvents, thoughts } from '../reply/said.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { createToolFragments, type FragmentsOptions } from '../reply/tool-fragments.ts'
import type { UpstreamEvent } from '../upstream.ts'

/**
 * Decodes the lines of one answer of `/api/chat`, of Ollama and of those who speak like it. Nothing is taken for a repeat: two
 * lines that are the same to the byte are a token said twice, by a server whose stamps are coarse or constant.
 *
 * `done` is the evidence of success, and nothing behind it counts.
 */
export function createOllamaDecoder(
  options: FragmentsOptions & { readonly maxChars?: number | undefined } = {},
): ReplyDecoder {
  const frames = createSseFrames({ maxChars: options.maxChars, isLines: true })
  const calls = createToolFragments(options)
  let called = false
  let finished = false

  const fail = (error: ChatError): UpstreamEvent => {
    finished = true
    return { error }
  }
  const decode = (frame: Json, events: UpstreamEvent[]): void => {
    const isReply = isRecord(frame['message']) || 'done' in frame || 'response' in frame
    if (errorIn(frame, undefined, isReply) !== undefined) return void events.push(fail(saidError(errorOf(frame))))
    const { message = {}, response } = frame
    const { thinking, content, tool_calls: calling } = isRecord(message) ? message : { content: message }
    const thought = thoughts(thinking) || thoughts(frame['thinking'])
    if (thought !== '') events.push({ thinking: thought })
    // The answer of `/api/generate` stands beside the message.
    for (const part of contentEvents(content || response)) events.push(part)
    pushCalls(callFragments(calling), events)
    // Some backends send done_reason without done.
    const reason = reasonIn([frame, record(message)])
    if (isTrue(frame['done']) || reason !== '') events.push(...finish(reason || 'stop', frame))
  }
  /** Ollama's own calls are whole, with an object. What may be a fragment waits for the end of the reply. */
  const pushCalls = (fragments: readonly unknown[], events: UpstreamEvent[]): void => {
    const isWhole = calls.pending() === 0 && fragments.every(isOllamaCall)
    for (const fragment of fragments) calls.push(fragment)
    if (isWhole) for (const call of calls.end().whole) events.push(calledEvent(call))
    else if (fragments.length > 0) events.push({ progress: { stage: 'tool_call', done: calls.chars() } })
  }
  const calledEvent = (call: ToolCall): UpstreamEvent => {
    called = true
    return { tool_call: call }
  }
  const finish = (reason: string, frame: Json): UpstreamEvent[] => {
    finished = true
    if (reason === 'load' || reason === 'unload') {
      const message = 'The model server loaded or unloaded its model and gave no answer.'
      return [{ error: new ChatError('upstream_failed', message, { retryable: true }) }]
    }
    const ending = endingOf(reason) ?? { finish: 'stop' }
    if ('error' in ending) return [{ error: ending.error }]
    const isCut = ending.finish === 'length'
    const { whole, broken } = calls.end()
    if (broken !== undefined && !isCut) return [{ error: brokenCall(broken) }]
    if (ending.finish === 'tool_calls' && !called && whole.length === 0)
      return [{ error: brokenCall('done_reason: tool_calls, and no call') }]
    const last = whole.map(calledEvent)
    const known: FinishReason = isCut ? 'length' : called ? 'tool_calls' : 'stop'
    const usage = ollamaUsage(frame)
    return [...last, { finish: known, ...(usage === undefined ? {} : { usage }) }]
  }
  return decodeFrames(frames, {
    decode: (frame, _event, events) => decode(frame, events),
    errorOf: saidError,
    stamps: ['created_at'],
    isFinished: () => finished,
    fail,
  })
}

/** Some write it as a text, or as a figure. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1 || (typeof value === 'string' && /^(?:true|yes|1)$/i.test(value.trim()))
}

/** Counters of zero are absent on the wire. */
function ollamaUsage(frame: Json): Usage | undefined {
  return countedUsage(frame['prompt_eval_count'], frame['eval_count'])
}

function isOllamaCall(fragment: unknown): boolean {
  const { name, arguments: args } = record(record(fragment)['function'])
  return text(name) !== '' && isRecord(args)
}
