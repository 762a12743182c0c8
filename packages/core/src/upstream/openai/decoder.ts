import type { ChatError } from '../../wire/errors.ts'
import type { FinishReason, Progress, Usage } from '../../wire/events.ts'
import type { RandomBytes } from '../../wire/ids.ts'
import type { SseFrame } from '../../wire/sse.ts'
import type { AnswerFacts } from './dialects.ts'
import { countedUsage } from '../reply/counted-usage.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { isRecord, list, parsedJson, record, text, type Json } from '../../wire/json.ts'
import { bandError, isBandError } from './errors.ts'
import { endingOf } from '../reply/finish-reasons.ts'
import type { ReplyDecoder } from '../reply/read-reply.ts'
import { brokenCall, incompleteReply, unreadable } from '../reply/reply-errors.ts'
import { openAiProgress, sameProgress } from '../reply/progress.ts'
import { createToolFragments } from '../reply/tool-fragments.ts'
import type { UpstreamEvent } from '../upstream.ts'

/**
 * Decodes the chunks of every server of OpenAI's kind: what differs between them is read in all its shapes.
 *
 * A `finish_reason` is the evidence of success. Its event waits for `[DONE]`, the end of the body or the usage that
 * comes after it, so that an error said meanwhile still counts. `[DONE]` without it is a failure.
 */
export function createOpenAiDecoder(
  options: { readonly maxChars?: number | undefined; readonly random?: RandomBytes | undefined } = {},
  facts: AnswerFacts = {},
): ReplyDecoder {
  const { thinkingFields = allThinkingFields, finishReasons = {}, errors } = facts
  const sse = createSseFrames(options.maxChars)
  const calls = createToolFragments(options.random)
  let called = false
  let said = false
  let reason: FinishReason | undefined
  /** The end of a reply whose reason nobody knows, unless a later chunk says another one. */
  let unknown: ChatError | undefined
  /** The last chunk that counted tokens. */
  let counted: Json = {}
  let usage: Usage | undefined
  let progress: Progress | undefined
  let told: Progress | undefined
  let finished = false

  const fail = (error: ChatError): UpstreamEvent => {
    finished = true
    return { error }
  }
  const finish = (): UpstreamEvent[] => {
    if (finished) return []
    if (reason === undefined) return unknown ? [fail(unknown)] : []
    finished = true
    usage = usageOf(counted, usage)
    return [{ finish: reason, ...(usage === undefined ? {} : { usage }) }]
  }
  const decode = ({ data, event }: SseFrame, events: UpstreamEvent[]): void => {
    if (event === 'comment' || (data[0] !== '{' && data.trim() === '')) return void events.push({ alive: true })
    if (data.startsWith('[DONE]')) {
      if (said && facts.proof === '[DONE]' && reason === undefined) over('stop', events)
      if (reason !== undefined || unknown) events.push(...finish())
      // Whoever reads the reply judges an end without evidence; without a word it is a failure.
      else if (!finished && said) finished = true
      else if (!finished) events.push(fail(incompleteReply(`${data.slice(0, 20)} came first`)))
      return
    }
    const chunk = parsedJson(data)
    // A line of an error that is no JSON is an error all the same.
    if (!isRecord(chunk))
      return void events.push(event === 'error' ? fail(bandError({ error: data }, errors)) : unreadable(data))
    if (isBandError(chunk, event)) return void events.push(fail(bandError(chunk, errors)))
    const wasOver = reason !== undefined || unknown !== undefined
    if (isRecord(chunk['usage']) || isRecord(chunk['timings'])) counted = chunk
    const before = events.length
    // Whoever asks for several answers gets the first one.
    const choice =
      list(chunk['choices'])
        .map(record)
        .find(({ index }) => (index ?? 0) === 0) ?? {}
    const calling = pushDelta(record(choice['delta']), events)
    said ||= calling !== undefined || events.length > before
    progress = calling ?? openAiProgress(chunk) ?? progress
    const why = text(choice['finish_reason'])
    const isOver = over(why, events)
    // The chunk behind the last one: whatever its choices hold, nothing but `[DONE]` follows.
    if (!isOver && wasOver && isRecord(chunk['usage'])) events.push(...finish())
    if (events.length === before) events.push({ alive: true })
  }
  /** What one read has changed beyond the reply: once, however many chunks it held. */
  const pushCounts = (events: UpstreamEvent[]): void => {
    if (finished || reason !== undefined) return
    if (progress && !sameProgress(progress, told)) events.push({ progress: (told = progress) })
    const before = usage
    usage = usageOf(counted, usage)
    if (usage && usage !== before) events.push({ usage })
  }
  /** Gives how far the tool calls have come, where the delta holds a piece of one. */
  const pushDelta = (delta: Json, events: UpstreamEvent[]): Progress | undefined => {
    const thinking = thinkingOf(delta, thinkingFields)
    if (thinking !== '') events.push({ thinking })
    const content = delta['content']
    if (typeof content === 'string') {
      if (content !== '') events.push({ message: content })
    } else for (const part of list(content)) pushPart(record(part), events)
    // What OpenAI's models say when they refuse is for the person to read.
    const refusal = text(delta['refusal'])
    if (refusal !== '') events.push({ message: refusal })
    const calling = list(delta['tool_calls'])
    const old = delta['function_call']
    // The one call of old servers; newer ones may say it both ways.
    const fragments = calling.length === 0 && isRecord(old) ? [{ function: old }] : calling
    for (const fragment of fragments) calls.push(fragment)
    return fragments.length === 0 ? undefined : { stage: 'tool_call', done: calls.chars }
  }
  /** @returns Whether it is a reason at all. */
  const over = (why: string, events: UpstreamEvent[]): boolean => {
    const ending = endingOf(why, finishReasons)
    if (!ending) return false
    if ('error' in ending) {
      // Without the calls: what has been called for must not be generated again.
      if (ending.isKnown) events.push(fail(ending.error))
      else unknown ??= ending.error
      return true
    }
    const isCut = ending.finish === 'length'
    const { whole, broken } = calls.end()
    called ||= whole.length > 0
    const lost = broken ?? (called || ending.finish !== 'tool_calls' ? undefined : `finish_reason ${why}`)
    if (lost !== undefined && !isCut) events.push(fail(brokenCall(lost)))
    else {
      for (const call of whole) events.push({ tool_call: call })
      reason = isCut ? 'length' : called ? 'tool_calls' : 'stop'
    }
    return true
  }
  return {
    get finished() {
      return finished
    },
    push(bytes) {
      const events: UpstreamEvent[] = []
      for (const frame of finished ? [] : sse.push(bytes)) if (!finished) decode(frame, events)
      pushCounts(events)
      return events
    },
    end() {
      // A frame that was too long in the last read is said now.
      if (!finished) sse.push(new Uint8Array())
      return finish()
    },
  }
}

/** Servers call it differently, and some say it under two names at once. */
const allThinkingFields = ['reasoning_content', 'reasoning', 'thinking']

function thinkingOf(delta: Json, fields: readonly string[]): string {
  for (const field of fields) {
    const said = text(delta[field])
    if (said !== '') return said
  }
  return ''
}

/** A part of content in a list: Mistral's models think in such. */
function pushPart(part: Json, events: UpstreamEvent[]): void {
  const said = text(part['text'])
  if (part['type'] === 'text' && said !== '') events.push({ message: said })
  if (part['type'] !== 'thinking') return
  const given = part['thinking']
  const thinking =
    text(given) ||
    list(given)
      .map((one) => text(record(one)['text']))
      .join('')
  if (thinking !== '') events.push({ thinking })
}

/** OpenAI's usage; else the timings of llama.cpp. What was known before, where a chunk says nothing new. */
function usageOf(chunk: Json, before: Usage | undefined): Usage | undefined {
  const { prompt_tokens: prompt, completion_tokens: completion } = record(chunk['usage'])
  const { cache_n: cached, prompt_n: read, predicted_n: predicted } = record(chunk['timings'])
  if (typeof prompt === 'number' || typeof completion === 'number') return changed(before, prompt, completion)
  if (typeof read !== 'number' || typeof predicted !== 'number') return before
  return changed(before, read + (typeof cached === 'number' ? cached : 0), predicted)
}

function changed(before: Usage | undefined, prompt: unknown, completion: unknown): Usage | undefined {
  if (before && before.prompt_tokens === prompt && before.completion_tokens === completion) return before
  return countedUsage(prompt, completion)
}
