import type { UpstreamEvent } from '../upstream/upstream.ts'
import { isDeeper, maxReplyDepth, replyTooDeep } from '../wire/depth.ts'
import { ChatError } from '../wire/errors.ts'
import type { FinishReason, Usage } from '../wire/events.ts'
import { isRecord } from '../wire/json.ts'

/**
 * An event as a run can take it: its readers have to write it as JSON, each of them. What is no text is copied, so that it
 * stays what it was, whatever becomes of the object.
 * @throws {ChatError} `internal` for what is no JSON, `overflow` for what nests too deep.
 */
export function checkedEvent(event: UpstreamEvent): UpstreamEvent {
  if ('message' in event) return text(event, event.message)
  if ('thinking' in event) return text(event, event.thinking)
  if ('finish' in event) return finish(event.finish, event.usage)
  if ('usage' in event) return { usage: usage(event.usage) }
  if ('tool_call' in event && !isCall(event.tool_call)) throw unfit('tool_call', 'a call with id, name and arguments')
  if ('tool_call' in event || 'data' in event || 'progress' in event) return copied(event)
  return event
}

const finishes: readonly unknown[] = ['stop', 'length', 'tool_calls'] satisfies FinishReason[]

/** Readers hold on to what they know of the end: one that cannot be written would be a drop to each of them, for ever. */
function finish(reason: FinishReason, counted: Usage | undefined): UpstreamEvent {
  if (!finishes.includes(reason)) throw unfit('finish', `one of ${finishes.join(', ')}`)
  return counted === undefined ? { finish: reason } : { finish: reason, usage: usage(counted) }
}

function usage(counted: Usage): Usage {
  const { prompt_tokens: prompt, completion_tokens: completion, estimated } = counted
  for (const figure of [prompt, completion])
    if (figure !== undefined && !Number.isFinite(figure)) throw unfit('usage', 'of numbers')
  return {
    ...(prompt !== undefined && { prompt_tokens: prompt }),
    ...(completion !== undefined && { completion_tokens: completion }),
    ...(estimated && { estimated: true }),
  }
}

function isCall(call: unknown): boolean {
  return (
    isRecord(call) && typeof call['id'] === 'string' && typeof call['name'] === 'string' && isRecord(call['arguments'])
  )
}

function unfit(kind: string, wanted: string): ChatError {
  return new ChatError('internal', `The upstream gave an event that no client can read: ${kind} must be ${wanted}.`)
}

function text(event: UpstreamEvent, value: unknown): UpstreamEvent {
  if (typeof value !== 'string') throw notJson(event)
  return event
}

function copied(event: UpstreamEvent): UpstreamEvent {
  const json = encoded(event)
  if (isDeeper(json, maxReplyDepth + 1)) throw replyTooDeep(json)
  return JSON.parse(json) as UpstreamEvent
}

function encoded(event: UpstreamEvent): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(event)
  } catch (error) {
    // The stack of some engines ends before the levels do.
    if (error instanceof RangeError) throw replyTooDeep()
    cause = error
  }
  // What is undefined, or a function, leaves nothing behind.
  if (json === undefined || json === '{}') throw notJson(event, cause)
  return json
}

function notJson(event: UpstreamEvent, cause?: unknown): ChatError {
  const [kind = ''] = Object.keys(event)
  const message = `The upstream gave an event that cannot be written as JSON: ${kind.slice(0, 64)}.`
  return new ChatError('internal', message, { cause })
}
