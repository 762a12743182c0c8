import { ChatError } from '../../wire/errors.ts'
import type { FinishReason, ToolCall, Usage } from '../../wire/events.ts'
import type { RandomBytes } from '../../wire/ids.ts'
import { isRecord, record, text, type Json } from '../../wire/json.ts'
import type { ReplyDecoder } from '../reply/ask-reply.ts'
import { figure, larger } from '../reply/counted-usage.ts'
import { decodeFrames } from '../reply/decode-frames.ts'
import { endingOf, reasonIn } from '../reply/finish-reasons.ts'
import { hasWords } from '../reply/lost-words.ts'
import { callFragment, isCallType, looksLikeCall } from '../reply/call-shapes.ts'
import { contentEvents, thoughts } from '../reply/said.ts'
import { createSseFrames } from '../reply/sse-frames.ts'
import { createBlockCalls } from './calls.ts'
import { anthropicError, isAnthropicError, refusal } from './errors.ts'
import { figures, usageOf } from './usage.ts'
import { brokenCall, incompleteReply } from '../reply/reply-errors.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** Most blocks of one reply. */
const maxBlocks = 10_000

/**
 * Decodes the events of Anthropic's Messages API. Types that nobody knows are ignored, as its documents ask.
 *
 * A `stop_reason` is the evidence of success: it comes behind the last block. Its event waits for `message_stop` or the
 * end of the body, so that an error said meanwhile still counts. `message_stop` without it is a failure.
 */
export function createAnthropicDecoder(
  options: { readonly maxChars?: number | undefined; readonly random?: RandomBytes | undefined } = {},
): ReplyDecoder {
  const sse = createSseFrames({ maxChars: options.maxChars })
  const calls = createBlockCalls(options.random)
  /** The numbers of all blocks that have begun. */
  const known = new Set<unknown>()
  let hasCalled = false
  let hasSaid = false
  /** The first block that looks like a call, and is of no type that is one. */
  let uncalled: string | undefined
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
    const isCut = reason === 'length'
    const { whole, broken } = calls.end(isCut)
    const last = whole.map(called)
    const lost = broken ?? (hasCalled || reason !== 'tool_calls' ? undefined : 'stop_reason tool_use')
    if (lost !== undefined && !isCut) return fail(brokenCall(lost))
    finished = true
    const end = isCut ? 'length' : hasCalled ? 'tool_calls' : 'stop'
    const hole: UpstreamEvent[] = hasCalled || uncalled === undefined ? [] : [{ malformed: uncalled }]
    return [...hole, ...last, { finish: end, ...(usage === undefined ? {} : { usage }) }]
  }
  const decode = (frame: Json, event: string | undefined): UpstreamEvent[] => {
    if (event === 'error' || isAnthropicError(frame)) return fail(anthropicError(frame))
    switch (frame['type'] ?? event) {
      case 'message_start':
        return message(record(frame['message']))
      case 'message':
        return message(frame)
      case 'content_block_start':
        return startBlock(frame['index'], frame['content_block'])
      case 'content_block_delta':
        return delta(frame['index'], frame['delta'] ?? frame)
      case 'content_block_stop':
        return stopBlock(frame['index'])
      case 'message_delta':
        return [...counted(record(frame['usage'])), ...over(record(frame['delta']), frame)]
      // What the API said before it had messages.
      case 'completion':
        return [...contentEvents(frame['completion']), ...over(frame)]
      case 'message_stop': {
        const end = reason === undefined ? over(frame) : []
        if (end.length > 0) return end
        if (reason !== undefined) return finish()
        if (!hasSaid) return fail(incompleteReply('message_stop came first'))
        // Whoever reads the reply judges an end without evidence.
        finished = true
        return []
      }
      default:
        return []
    }
  }
  /** The start of a stream, or a whole answer in one piece. */
  const message = (whole: Json): UpstreamEvent[] => {
    const { content, usage: counts } = whole
    const blocks = (Array.isArray(content) ? content : [content]).flatMap((block: unknown, i) =>
      startBlock(i, block).concat(stopBlock(i)),
    )
    return [...counted(record(counts)), ...blocks, ...over(whole)]
  }
  const counted = (more: Json): UpstreamEvent[] => {
    const given = figures.flatMap((name) => {
      const one = figure(more[name])
      // Figures only grow, and some servers say 0 at the end.
      return one === undefined ? [] : [[name, larger(one, figure(counts[name]))] as const]
    })
    if (given.length === 0) return []
    counts = { ...counts, ...Object.fromEntries(given) }
    usage = usageOf(counts)
    return usage ? [{ usage }] : []
  }
  const startBlock = (index: unknown, given: unknown): UpstreamEvent[] => {
    const block = record(given)
    const before = stopBlock(index)
    known.add(index)
    if (known.size > maxBlocks) throw new ChatError('overflow', `The reply has more than ${maxBlocks} blocks.`)
    // The calls of its own tools the server answers itself: they have other types.
    const isCall = isCallType(block['type'])
    if (!isCall && uncalled === undefined && looksLikeCall(block)) uncalled = JSON.stringify(block).slice(0, 200)
    const bare = calls.begin(index, isCall ? callBlock(block) : undefined)
    return [...before, ...bare.map(called), ...said(given)]
  }
  const delta = (index: unknown, given: unknown): UpstreamEvent[] => {
    const { type, partial_json: partial, input, arguments: args } = record(given)
    const json = partial ?? input ?? args
    if (type !== 'input_json_delta' && (type !== undefined || json === undefined)) return said(given)
    const isCalling = calls.grow(index, typeof json === 'string' ? json : isRecord(json) ? JSON.stringify(json) : '')
    return isCalling ? [{ progress: { stage: 'tool_call', done: calls.chars() } }] : []
  }
  const stopBlock = (index: unknown): UpstreamEvent[] => calls.stop(index).map(called)
  const called = (call: ToolCall): UpstreamEvent => {
    hasCalled = true
    return { tool_call: call }
  }
  /** @param beside - Where proxies may say it in place of that. */
  const over = (end: Json, beside: Json = {}): UpstreamEvent[] => {
    const why = reasonIn([end, beside])
    if (why === 'refusal') return fail(refusal(end))
    const ending = endingOf(why)
    if (!ending) return []
    if ('error' in ending) return fail(ending.error)
    // Calls that were announced are missed, whatever is said after that.
    if (ending.finish !== 'stop' || reason !== 'tool_calls') reason = ending.finish
    return []
  }
  return decodeFrames(sse, {
    decode(frame, event, events) {
      const decoded = decode(frame, event)
      hasSaid ||= decoded.some((one) => 'message' in one)
      events.push(...decoded)
    },
    errorOf: anthropicError,
    // What proxies that translate from another kind say last.
    done: (_mark, events) => void events.push(...finish()),
    stamps: [],
    isAlike: (event) => event === 'content_block_delta',
    isFinished: () => finished,
    isProven: () => reason !== undefined,
    fail: (error) => fail(error)[0]!,
    end: (events) => events.push(...finish()),
  })
}

/** A call in the API's words, whatever its own were. */
function callBlock(block: Json): Json {
  if (block['type'] === 'tool_use') return block
  const { id, name, args } = callFragment(block)
  return { id, name, input: args }
}

/** Parts of other types, such as the results of tools that the server runs itself, say what they say for the model only. */
const textTypes = /^(?:|text|text_delta|output_text|output_text_delta|completion)$/
const thinkingTypes = /^(?:redacted_)?(?:thinking|reasoning|thought)/

/** What a block or a delta says, in whatever shape: a text, a part, a list of parts. Of one that has both, thinking comes first. */
function said(part: unknown): UpstreamEvent[] {
  if (Array.isArray(part)) return part.flatMap((one: unknown) => (Array.isArray(one) ? [] : said(one)))
  if (!isRecord(part)) return contentEvents(part)
  const type = text(part['type'])
  const isThinking = thinkingTypes.test(type)
  const thinking = thoughts(
    part['thinking'] ?? part['reasoning'] ?? (isThinking ? [part['text'], part['content']] : ''),
  )
  const words = isThinking && part['thinking'] === undefined ? undefined : part['text']
  const more = textTypes.test(type) ? (part['output_text'] ?? part['content'] ?? part['value']) : undefined
  // It is called a text, and stands where nobody knows to look.
  const isLost = textTypes.test(type) && (words ?? more) === undefined && thinking === '' && hasWords(part)
  if (isLost) return [{ malformed: JSON.stringify(part).slice(0, 200) }]
  return [...(thinking === '' ? [] : [{ thinking }]), ...contentEvents(words ?? more)]
}
