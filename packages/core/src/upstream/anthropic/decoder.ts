import { ChatError } from '../../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../../wire/events.ts'
import { createId, type RandomBytes } from '../../wire/ids.ts'
import { isRecord, parsedJson, record, text, type Json } from '../../wire/json.ts'
import type { SseFrame } from '../../wire/sse.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { anthropicError, isAnthropicError, refusal } from './errors.ts'
import { endingOf } from '../reply/finish-reasons.ts'
import type { ReplyDecoder } from '../reply/read-reply.ts'
import { countedUsage } from '../reply/counted-usage.ts'
import { brokenCall, incompleteReply, unreadable } from '../reply/reply-errors.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** What the calls of one reply may hold, UTF-16 code units: nobody else counts them before they are whole. */
const maxCallChars = 1_048_576

/** A tool call while its arguments come. */
interface Begun {
  readonly block: Json
  args: string
}

/**
 * Decodes the events of Anthropic's Messages API. Types that nobody knows are ignored, as its documents ask.
 *
 * A `stop_reason` is the evidence of success: it comes behind the last block. Its event waits for `message_stop` or the
 * end of the body, so that an error said meanwhile still counts. `message_stop` without it is a failure.
 */
export function createAnthropicDecoder(
  options: { readonly maxChars?: number | undefined; readonly random?: RandomBytes | undefined } = {},
): ReplyDecoder {
  const sse = createSseFrames(options.maxChars)
  const begun = new Map<unknown, Begun>()
  let broken: string | undefined
  /** Calls without arguments. The token limit may have cut them off, which only what follows tells. */
  const bare: ToolCall[] = []
  let hasCalled = false
  let hasSaid = false
  let callChars = 0
  let reason: FinishReason | undefined
  /** As the server said them last; the figures are of the whole reply so far. */
  let counts: Json = {}
  let usage: Usage | undefined
  let finished = false

  const fail = (error: ChatError): UpstreamEvent[] => {
    finished = true
    return [{ error }]
  }
  const finish = (): UpstreamEvent[] => {
    if (reason === undefined || finished) return []
    finished = true
    return [{ finish: reason, ...(usage === undefined ? {} : { usage }) }]
  }
  const decode = ({ data, event }: SseFrame): UpstreamEvent[] => {
    if (event === 'comment' || data.trim() === '') return []
    const frame = parsedJson(data)
    // An error that is no JSON is one all the same.
    if (!isRecord(frame)) return event === 'error' ? fail(anthropicError(data, {})) : [unreadable(data)]
    if (event === 'error' || isAnthropicError(frame)) return fail(anthropicError(data, frame))
    switch (frame['type']) {
      case 'message_start':
        return counted(record(record(frame['message'])['usage']))
      case 'content_block_start':
        return startBlock(frame['index'], record(frame['content_block']))
      case 'content_block_delta':
        return delta(frame['index'], record(frame['delta']))
      case 'content_block_stop':
        return stopBlock(frame['index'])
      case 'message_delta':
        return [...counted(record(frame['usage'])), ...over(record(frame['delta']))]
      case 'message_stop':
        if (reason !== undefined) return finish()
        if (!hasSaid) return fail(incompleteReply('message_stop came first'))
        // Whoever reads the reply judges an end without evidence.
        finished = true
        return []
      default:
        return []
    }
  }
  const counted = (more: Json): UpstreamEvent[] => {
    const given = Object.entries(more).filter(([, value]) => typeof value === 'number')
    if (given.length === 0) return []
    counts = { ...counts, ...Object.fromEntries(given) }
    usage = usageOf(counts)
    return usage ? [{ usage }] : []
  }
  const startBlock = (index: unknown, block: Json): UpstreamEvent[] => {
    // The calls of its own tools the server answers itself: they have other types.
    if (block['type'] === 'tool_use') begun.set(index, { block, args: '' })
    return [...bareCalls(), ...said('thinking', block['thinking']), ...said('message', block['text'])]
  }
  const delta = (index: unknown, { type, text: words, thinking, partial_json: json }: Json): UpstreamEvent[] => {
    if (type === 'text_delta') return said('message', words)
    if (type === 'thinking_delta') return said('thinking', thinking)
    const call = begun.get(index)
    const piece = text(json)
    if (type !== 'input_json_delta' || !call || piece === '') return []
    call.args += piece
    callChars += piece.length
    if (callChars > maxCallChars)
      throw new ChatError('overflow', `Tool calls are longer than ${maxCallChars} characters.`)
    return [{ progress: { stage: 'tool_call', done: callChars } }]
  }
  const stopBlock = (index: unknown): UpstreamEvent[] => {
    const call = begun.get(index)
    if (!call) return []
    begun.delete(index)
    const whole = wholeCall(call, options.random)
    // Whether the token limit cut it off is said only later.
    if (!whole) broken ??= written(call)
    else if (call.args.trim() === '' && Object.keys(whole.arguments).length === 0) bare.push(whole)
    else return [called(whole)]
    return []
  }
  const called = (call: ToolCall): UpstreamEvent => {
    hasCalled = true
    return { tool_call: call }
  }
  const bareCalls = (): UpstreamEvent[] => bare.splice(0).map(called)
  const over = (end: Json): UpstreamEvent[] => {
    const why = text(end['stop_reason'])
    if (why === 'refusal') return fail(refusal(end))
    const ending = endingOf(why)
    if (!ending) return []
    if ('error' in ending) return fail(ending.error)
    const isCut = ending.finish === 'length'
    const half = broken ?? [...begun.values()].map(written)[0]
    if (half !== undefined && !isCut) return fail(brokenCall(half))
    const last = isCut ? [] : bareCalls()
    reason = isCut ? 'length' : hasCalled ? 'tool_calls' : 'stop'
    return last
  }
  return {
    get finished() {
      return finished
    },
    push(bytes) {
      const events: UpstreamEvent[] = []
      for (const frame of finished ? [] : sse.push(bytes)) {
        if (finished) break
        const decoded = decode(frame)
        hasSaid ||= decoded.some((one) => 'message' in one)
        events.push(...(decoded.length === 0 ? [{ alive: true } as const] : decoded))
      }
      return events
    },
    end() {
      // A frame that was too long in the last read is said now.
      if (!finished) sse.push(new Uint8Array())
      return finish()
    },
  }
}

function said(key: 'message' | 'thinking', value: unknown): UpstreamEvent[] {
  const words = text(value)
  if (words === '') return []
  return [key === 'message' ? { message: words } : { thinking: words }]
}

function wholeCall({ block, args }: Begun, random?: RandomBytes): ToolCall | undefined {
  const value = args.trim() === '' ? record(block['input']) : parsedJson(args)
  const name = text(block['name'])
  if (name === '' || !isRecord(value)) return undefined
  return { id: text(block['id']) || createId('call', random), name, arguments: value }
}

const written = ({ block, args }: Begun): string => `${text(block['name'])}(${args})`

/** What was read from the cache, or written to it, was read as well. */
function usageOf(counts: Json): Usage | undefined {
  const { input_tokens: input, output_tokens: output } = counts
  const figure = (name: string): number => (typeof counts[name] === 'number' ? counts[name] : 0)
  const cached = figure('cache_read_input_tokens') + figure('cache_creation_input_tokens')
  return countedUsage(typeof input === 'number' ? input + cached : undefined, output)
}
