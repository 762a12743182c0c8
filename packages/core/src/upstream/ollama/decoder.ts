import { ChatError } from '../../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../../wire/events.ts'
import { isRecord, record, type Json } from '../../wire/json.ts'
import { countedUsage } from '../reply/counted-usage.ts'
import { decodeFrames } from '../reply/decode-frames.ts'
import { endingOf, reasonIn } from '../reply/finish-reasons.ts'
import { saidError } from '../http/error-meaning.ts'
import { errorIn, errorOf } from '../http/said-error.ts'
import type { ReplyDecoder } from '../reply/ask-reply.ts'
import { brokenCall } from '../reply/reply-errors.ts'
import { hasLostWords } from '../reply/lost-words.ts'
import { asDelta, contentBeside, contentOf } from '../reply/places.ts'
import { callFragment, callsIn, looksLikeCall } from '../reply/call-shapes.ts'
import { contentEvents } from '../reply/said.ts'
import { createSaidText } from '../reply/said-text.ts'
import { thinkingBeside, thinkingIn } from '../reply/thinking-fields.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { createToolFragments, type FragmentsOptions } from '../reply/tool-fragments.ts'
import type { UpstreamEvent } from '../upstream.ts'

/**
 * Decodes the lines of one answer of `/api/chat`, of Ollama and of those who speak like it. Nothing is taken for a repeat: two
 * lines that are the same to the byte are a token said twice, by a server whose stamps are coarse or constant.
 *
 * `done` is the evidence of success, and nothing behind it counts. Where nothing was said, or no call that was announced, its event
 * waits for the end of the body: some say it behind that.
 */
export function createOllamaDecoder(
  options: FragmentsOptions & { readonly maxChars?: number | undefined } = {},
): ReplyDecoder {
  const frames = createSseFrames({ maxChars: options.maxChars, isLines: true })
  const calls = createToolFragments(options)
  let called = false
  let hasText = false
  const heard = createSaidText()
  /** The last frame that said something, and the first that said nothing and has words in it. */
  let saying: Json | undefined
  let lost: string | undefined
  /** The first one with what may be a call, in a place where nobody knows to look. */
  let uncalled: string | undefined
  let reason: FinishReason | undefined
  let usage: Usage | undefined
  let finished = false

  const fail = (error: ChatError): UpstreamEvent => {
    finished = true
    return { error }
  }
  const decode = (frame: Json, events: UpstreamEvent[]): void => {
    const isReply = isRecord(frame['message']) || 'done' in frame || 'response' in frame
    if (errorIn(frame, undefined, isReply) !== undefined) return void events.push(fail(saidError(errorOf(frame))))
    const before = events.length
    const message = asDelta(frame['message'])
    const thought = thinkingIn(message) || thinkingBeside(frame)
    if (thought !== '') events.push({ thinking: thought })
    // The answer of `/api/generate` stands beside the message.
    const content = contentEvents(contentOf(message))
    const parts = content.length > 0 ? content : contentEvents(contentBeside(frame))
    for (const part of isTrue(frame['done']) ? withoutWhole(parts) : parts) events.push(part)
    for (const part of events.slice(before)) hear(part)
    const inMessage = callsIn(message)
    const fragments = inMessage.length > 0 ? inMessage : callsIn(frame)
    pushCalls(fragments, events)
    if (fragments.length === 0 && uncalled === undefined && looksLikeCall(frame))
      uncalled = JSON.stringify(frame).slice(0, 200)
    if (events.length > before) saying = frame
    else if (hasLostWords(frame, saying)) lose(frame, events)
    // Some backends send done_reason without done.
    const reason = reasonIn([frame, message])
    if (isTrue(frame['done']) || reason !== '') over(reason, frame, events)
  }
  /** What says nothing to anybody, and has words in it: where text is looked for, or anywhere, while the reply has none. */
  const lose = (frame: Json, events: UpstreamEvent[]): void => {
    const said = JSON.stringify(frame).slice(0, 200)
    const { message } = frame
    if (isRecord(message) ? hasLostWords(message, record(saying?.['message'])) : frame['type'] === undefined)
      events.push({ malformed: said })
    else lost ??= said
  }
  const hear = (event: UpstreamEvent): void => {
    if (!('message' in event)) return
    hasText = true
    heard.add(event.message)
  }
  /** Some say all of the reply again in the line that ends it. */
  const withoutWhole = (parts: readonly UpstreamEvent[]): readonly UpstreamEvent[] => {
    const whole = parts.map((part) => ('message' in part ? part.message : '')).join('')
    const rest = hasText && whole.trim() !== '' && heard.isLong() ? heard.beyond(whole, true) : undefined
    if (rest === undefined) return parts
    const others = parts.filter((part) => !('message' in part))
    return rest.trim() === '' ? others : [...others, { message: rest }]
  }
  /** Ollama's own calls are whole, with an object. What may be a fragment waits for the end of the reply. */
  const pushCalls = (fragments: readonly unknown[], events: UpstreamEvent[]): void => {
    const isWhole = calls.pending() === 0 && fragments.length > 0 && fragments.every(isOllamaCall)
    calls.push(fragments)
    if (isWhole) for (const call of calls.end().whole) events.push(calledEvent(call))
    else if (fragments.length > 0) events.push({ progress: { stage: 'tool_call', done: calls.chars() } })
  }
  const calledEvent = (call: ToolCall): UpstreamEvent => {
    called = true
    return { tool_call: call }
  }
  const over = (why: string, frame: Json, events: UpstreamEvent[]): void => {
    usage = countedUsage(frame['prompt_eval_count'], frame['eval_count'], usage)
    if (why === 'load' || why === 'unload') {
      const message = 'The model server loaded or unloaded its model and gave no answer.'
      return void events.push(fail(new ChatError('upstream_failed', message, { retryable: true })))
    }
    const ending = endingOf(why) ?? { finish: reason ?? 'stop' }
    if ('error' in ending) events.push(fail(ending.error))
    // Calls that were announced are missed, whatever is said after that.
    else if (ending.finish !== 'stop' || reason !== 'tool_calls') reason = ending.finish
    const hasCalls = called || calls.pending() > 0
    if (hasCalls || (hasText && reason !== 'tool_calls')) events.push(...finish())
  }
  const finish = (): UpstreamEvent[] => {
    if (reason === undefined || finished) return []
    const isCut = reason === 'length'
    const { whole, broken } = calls.end()
    if (broken !== undefined && !isCut) return [fail(brokenCall(broken))]
    if (reason === 'tool_calls' && !called && whole.length === 0)
      return [fail(brokenCall('done_reason: tool_calls, and no call'))]
    finished = true
    const last = whole.map(calledEvent)
    const missed = called ? undefined : (uncalled ?? (hasText ? undefined : lost))
    const hole: UpstreamEvent[] = missed === undefined ? [] : [{ malformed: missed }]
    const known: FinishReason = isCut ? 'length' : called ? 'tool_calls' : 'stop'
    return [...hole, ...last, { finish: known, ...(usage === undefined ? {} : { usage }) }]
  }
  return decodeFrames(frames, {
    decode: (frame, _event, events) => decode(frame, events),
    errorOf: saidError,
    stamps: ['created_at'],
    heard: hear,
    done: (_mark, events) => void events.push(...finish()),
    isFinished: () => finished,
    isProven: () => reason !== undefined,
    fail,
    end: (events) => void events.push(...finish()),
  })
}

/** Some write it as a text, or as a figure. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1 || (typeof value === 'string' && /^(?:true|yes|1)$/i.test(value.trim()))
}

function isOllamaCall(fragment: unknown): boolean {
  if (!isRecord(fragment)) return false
  const { name, isObject } = callFragment(fragment)
  return name !== '' && isObject
}
