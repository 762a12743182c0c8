import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import type { ChatErrorCode } from '../src/wire/errors.ts'
import {
  anthropicSample,
  anthropicSamples,
  block,
  frame,
  reason,
  said,
  start,
  stop,
} from './support/anthropic-samples.ts'
import { cutAt, cuts, eachByte, utf8 } from './support/bytes.ts'

const decoderOf = () => createAnthropicDecoder({ random: (bytes) => bytes.fill(7) })
/** Events of a whole body that ended by itself. */
function decode(pieces: readonly Uint8Array[]): UpstreamEvent[] {
  const decoder = decoderOf()
  return [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
}
const decodeText = (body: string): UpstreamEvent[] => decode([utf8(body)])
const joined = (events: readonly UpstreamEvent[], key: 'message' | 'thinking'): string =>
  events.map((event) => (key in event ? (event as Record<typeof key, string>)[key] : '')).join('')
const callsOf = (events: readonly UpstreamEvent[]): unknown[] =>
  events.flatMap((event) => ('tool_call' in event ? [event.tool_call] : []))
const endOf = (events: readonly UpstreamEvent[]): string | undefined => {
  const ends = events.flatMap((event) => ('finish' in event ? event.finish : 'error' in event ? event.error.code : []))
  expect(ends.length).toBeLessThanOrEqual(1)
  return ends[0]
}
const isDone = (end: string | undefined): boolean => end === 'stop' || end === 'length' || end === 'tool_calls'

// Byte samples

const usage = (prompt_tokens: number, completion_tokens: number): object => ({ prompt_tokens, completion_tokens })
const samples: Readonly<
  Record<string, { message?: string; thinking?: string; calls?: unknown[]; end: string | undefined; usage?: object }>
> = {
  'context-full': { message: 'Half', end: 'length', usage: usage(25, 5) },
  crlf: { message: 'Hello friend', end: 'stop', usage: usage(25, 15) },
  'error-after-reason': { message: 'Half', end: 'upstream_crashed' },
  'error-first': { end: 'upstream_crashed' },
  'error-overloaded': { message: 'Half', end: 'upstream_busy' },
  'pause-turn': { message: 'Searching', end: 'upstream_incomplete' },
  plain: { message: 'Hello friend', end: 'stop', usage: usage(25, 15) },
  'reason-without-stop': { message: 'Hi', end: 'stop', usage: usage(25, 5) },
  'redacted-thinking': { thinking: 'Hm', message: 'Based on my analysis...', end: 'stop', usage: usage(25, 20) },
  refusal: { message: 'Hello..', end: 'upstream_rejected' },
  'stop-sequence': { message: 'Hi', end: 'stop', usage: usage(25, 5) },
  'stop-without-reason': { message: 'Half', end: undefined },
  thinking: {
    thinking: 'I need to find the GCD of 1071 and 462\nusing the Euclidean algorithm.',
    message: 'The greatest common divisor is **21**.',
    end: 'stop',
    usage: usage(142, 60),
  },
  'thinking-omitted': { message: '21', end: 'stop', usage: usage(25, 60) },
  tools: {
    message: 'Okay, let me check:',
    calls: [
      {
        id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6',
        name: 'get_weather',
        arguments: { location: 'San Francisco, CA', unit: 'fahrenheit' },
      },
      { id: 'toolu_01KFbKqPYSuAKujiL6mTfzYA', name: 'now', arguments: {} },
    ],
    end: 'tool_calls',
    usage: usage(472, 89),
  },
  'tools-broken': { end: 'upstream_malformed' },
  'tools-cut': { end: 'length', usage: usage(25, 16) },
  'unknown-events': { message: 'Hi', end: 'stop', usage: usage(25, 5) },
  'web-search': { message: "I'll check.春光明媚", end: 'stop', usage: usage(10_682, 510) },
}

test('anthropic: every byte sample is looked at', () => {
  expect(anthropicSamples().sort()).toEqual(Object.keys(samples).sort())
})

test.for(Object.entries(samples))('anthropic: the sample %s', ([name, known]) => {
  const { message = '', thinking = '', calls = [], end, usage: counted } = known
  const body = anthropicSample(name)
  const events = decode([body])
  expect({
    message: joined(events, 'message'),
    thinking: joined(events, 'thinking'),
    calls: callsOf(events),
    end: endOf(events),
  }).toEqual({ message, thinking, calls, end })
  expect(events.some((event) => 'malformed' in event)).toBe(false)
  if (isDone(end)) expect(events.at(-1)).toEqual({ finish: end, usage: counted })
  expect(decode(eachByte(body))).toEqual(events)
  fc.assert(
    fc.property(cuts, (at) => {
      expect(decode(cutAt(body, at))).toEqual(events)
    }),
    { numRuns: 30 },
  )
})

test.for(Object.keys(samples))('anthropic: the sample %s, cut at every byte, is never a false success', (name) => {
  const body = anthropicSample(name)
  const whole = decode([body])
  const reasonAt = body.indexOf('"stop_reason":"')
  // The end of the object that names the reason is the first byte from which on the reply is whole.
  const lineAt = reasonAt === -1 ? -1 : body.indexOf('\n', reasonAt)
  const wholeAt = lineAt === -1 ? Infinity : body.lastIndexOf('}', lineAt) + 1
  for (let cut = 0; cut <= body.length; cut++) {
    const events = decode([body.subarray(0, cut)])
    const end = endOf(events)
    const isWhole = cut >= wholeAt && (isDone(endOf(whole)) || (end !== endOf(whole) && name === 'error-after-reason'))
    if (isDone(end) !== isWhole) expect.fail(`cut at ${cut}: ${end}`)
    if (!joined(whole, 'message').startsWith(joined(events, 'message'))) expect.fail(`cut at ${cut}: other text`)
    if (isDone(end) && joined(events, 'message') !== joined(whole, 'message')) expect.fail(`cut at ${cut}: not whole`)
    expect(callsOf(whole).slice(0, callsOf(events).length)).toEqual(callsOf(events))
  }
})

// Shapes

const callStart = (more: object = {}, index = 0): string =>
  block(
    'content_block_start',
    { content_block: { type: 'tool_use', id: 'toolu_1', name: 'f', input: {}, ...more } },
    index,
  )
const args = (partial_json: string, index = 0): string =>
  block('content_block_delta', { delta: { type: 'input_json_delta', partial_json } }, index)
const blockEnd = (index = 0): string => block('content_block_stop', {}, index)

test('anthropic: a tool call is told of while it is written, by its characters, and comes whole', () => {
  const decoder = decoderOf()
  const step = (frames: string): UpstreamEvent[] => decoder.push(utf8(frames))
  expect(step(callStart())).toEqual([{ alive: true }])
  expect(step(args(''))).toEqual([{ alive: true }])
  expect(step(args('{"x"'))).toEqual([{ progress: { stage: 'tool_call', done: 4 } }])
  expect(step(args(':1}'))).toEqual([{ progress: { stage: 'tool_call', done: 7 } }])
  expect(step(blockEnd())).toEqual([{ tool_call: { id: 'toolu_1', name: 'f', arguments: { x: 1 } } }])
  expect(step(reason('tool_use', { usage: {} }) + stop)).toEqual([{ alive: true }, { finish: 'tool_calls' }])
})

test('anthropic: calls whose blocks overlap are kept apart by their index', () => {
  const body =
    callStart({ id: 'a' }, 0) +
    callStart({ id: 'b' }, 1) +
    args('{"x":1', 0) +
    args('{"y":2', 1) +
    args('}', 0) +
    args('}', 1) +
    blockEnd(1) +
    blockEnd(0)
  expect(callsOf(decodeText(body))).toEqual([
    { id: 'b', name: 'f', arguments: { y: 2 } },
    { id: 'a', name: 'f', arguments: { x: 1 } },
  ])
})

test('anthropic: a call may come without an id, or with its whole input at the start', () => {
  expect(callsOf(decodeText(callStart({ id: undefined, input: { x: 1 } }) + blockEnd()))).toEqual([
    { id: `call_${'07'.repeat(16)}`, name: 'f', arguments: { x: 1 } },
  ])
})

test.for<[string, string]>([
  ['no JSON', args('{"x') + blockEnd()],
  ['no object', args('7') + blockEnd()],
  ['no end', args('{"x":')],
  ['no beginning', blockEnd() + args('{}') + args('{"x":1}', 1) + blockEnd(1)],
])('anthropic: a call with %s is a failure, unless the token limit cut it off', ([, frames]) => {
  expect(decodeText(start + callStart() + frames + reason('tool_use') + stop).at(-1)).toMatchObject({
    error: { code: 'upstream_malformed', retryable: true },
  })
  const cut = decodeText(start + callStart() + frames + reason('max_tokens') + stop)
  expect(endOf(cut)).toBe('length')
  expect(callsOf(cut)).toEqual([])
})

test('anthropic: a call without arguments waits for what tells that the token limit did not cut them off', () => {
  const call = { tool_call: { id: 'toolu_1', name: 'f', arguments: {} } }
  const body = start + callStart() + args('') + blockEnd()
  expect(callsOf(decodeText(body))).toEqual([])
  expect(callsOf(decodeText(body + reason('max_tokens') + stop))).toEqual([])
  expect(callsOf(decodeText(start + callStart() + args('{}') + blockEnd()))).toEqual([call.tool_call])
  const two = callStart({ id: 'a' }, 0) + callStart({ id: 'b' }, 1) + blockEnd(0) + blockEnd(1) + reason('tool_use')
  expect(callsOf(decodeText(start + two + stop))).toMatchObject([{ id: 'a' }, { id: 'b' }])
  const behind = block('content_block_start', { content_block: { type: 'text', text: 'Hi' } }, 1)
  expect(decodeText(body + behind).slice(-2)).toEqual([call, { message: 'Hi' }])
  expect(decodeText(body + reason('tool_use') + stop).slice(-3)).toEqual([
    { usage: usage(3, 2) },
    call,
    { finish: 'tool_calls', usage: usage(3, 2) },
  ])
})

test('anthropic: calls without an end overflow', () => {
  const decoder = decoderOf()
  decoder.push(utf8(callStart()))
  const piece = utf8(args('x'.repeat(500_000)))
  decoder.push(piece)
  decoder.push(piece)
  const last = decoder.push(utf8(said('Hi') + args('x'.repeat(500_000))))
  expect([last[0], endOf(last), decoder.finished()]).toEqual([{ message: 'Hi' }, 'overflow', true])
})

test.for([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['length', 'length'],
  ['stop', 'stop'],
  ['pause_turn', 'upstream_incomplete'],
  ['content_filter', 'upstream_rejected'],
  ['error', 'upstream_failed'],
  ['reason_of_tomorrow', 'upstream_incomplete'],
])('anthropic: stop_reason %s is %s', ([why, finish]) => {
  expect(endOf(decodeText(start + said('Hi') + reason(why!) + stop))).toBe(finish)
})

test('anthropic: a refusal is no success: it is rejected for good, and what it says stays here', () => {
  const events = decode([anthropicSample('refusal')])
  const [error] = events.flatMap((event) => ('error' in event ? [event.error] : []))
  expect(error).toMatchObject({ code: 'upstream_rejected', retryable: false })
  expect(error!.message).not.toContain('cyber')
  expect(error!.cause).toContain('cyber')
})

test('anthropic: the finish waits for message_stop or the end of the body, and an error meanwhile counts', () => {
  const decoder = decoderOf()
  expect(decoder.push(utf8(start + said('Hi') + reason('end_turn'))).at(-1)).toEqual({ usage: usage(3, 2) })
  expect(decoder.finished()).toBe(false)
  expect(decoder.push(utf8(stop))).toEqual([{ finish: 'stop', usage: usage(3, 2) }])
  expect(decoder.finished()).toBe(true)
  expect(decoder.push(utf8(said('late')))).toEqual([])
  expect(decoder.end()).toEqual([])
})

test('anthropic: usage is told as it is counted; each figure is of the whole reply, and null is none', () => {
  const counts = (more: object): string => reason(null, { usage: more })
  const events = decodeText(
    start +
      counts({ output_tokens: 5, input_tokens: null }) +
      counts({ cache_read_input_tokens: 100 }) +
      counts({ output_tokens: 9 }),
  )
  expect(events).toEqual([
    { usage: usage(3, 1) },
    { usage: usage(3, 5) },
    { usage: usage(103, 5) },
    { usage: usage(103, 9) },
  ])
})

test('anthropic: pings, comments, signatures and what nobody knows prove that the socket is alive', () => {
  const deltas = [{ type: 'signature_delta', signature: 'x' }, { type: 'citations_delta' }, { type: 'x_delta' }, null]
  for (const one of [
    frame({ type: 'ping' }),
    'data: {"type": "ping"}\n\n',
    ':\n\n',
    'event: x\ndata: \n\n',
    frame({ type: 'event_of_tomorrow' }),
    frame({ type: 'toString' }),
    'data: {}\n\n',
    block('content_block_start', { content_block: { type: 'text', text: '' } }),
    block('content_block_stop', {}),
    reason(null, { usage: {} }),
    ...deltas.map((delta) => block('content_block_delta', { delta })),
  ])
    expect([one, decodeText(one)]).toEqual([one, [{ alive: true }]])
})

test('anthropic: what a block begins with is a part of it', () => {
  expect(decodeText(block('content_block_start', { content_block: { type: 'text', text: 'Hi' } }))).toEqual([
    { message: 'Hi' },
  ])
  expect(decodeText(block('content_block_start', { content_block: { type: 'thinking', thinking: 'Hm' } }))).toEqual([
    { thinking: 'Hm' },
  ])
})

test('anthropic: what is no JSON object is malformed, but for an error', () => {
  for (const bad of ['{"x', '[7]', '<p>', '"text"']) {
    expect(decodeText(`event: content_block_delta\ndata: ${bad}\n\n`)).toEqual([{ malformed: bad }])
  }
  expect(decodeText('event: error\ndata: upstream connect error\n\n')).toMatchObject([
    { error: { code: 'upstream_unreachable', cause: 'upstream connect error' } },
  ])
})

test.for<[string, ChatErrorCode, boolean]>([
  ['overloaded_error', 'upstream_busy', true],
  ['rate_limit_error', 'upstream_busy', true],
  ['timeout_error', 'upstream_unreachable', true],
  ['api_error', 'upstream_failed', true],
  ['error_of_tomorrow', 'upstream_failed', true],
  ['not_found_error', 'upstream_model_missing', false],
  ['invalid_request_error', 'upstream_rejected', false],
  ['authentication_error', 'upstream_unauthorized', false],
  ['permission_error', 'upstream_unauthorized', false],
  ['billing_error', 'upstream_unauthorized', false],
  ['request_too_large', 'upstream_rejected', false],
])('anthropic: %s in the stream is %s, and its words stay here', ([type, code, retryable]) => {
  const data = JSON.stringify({ type: 'error', error: { type, message: 'at 10.0.0.7' } })
  // Some proxies leave out the names of events.
  for (const name of ['event: error\n', '']) {
    const [event] = decodeText(`${name}data: ${data}\n\n`)
    expect(event).toMatchObject({ error: { code, retryable, cause: data } })
    expect(event && 'error' in event && event.error.message).not.toContain('10.0.0.7')
  }
})

test('anthropic: a frame over the limit overflows, also as the last one', () => {
  const decoder = createAnthropicDecoder({ maxChars: 200 })
  expect(decoder.push(utf8(said('a') + `data: ${'x'.repeat(300)}`))).toEqual([{ message: 'a' }])
  expect(decoder.end()).toMatchObject([{ error: { code: 'overflow' } }])
})

test.for(['[DONE]', '"[DONE]"', ' [DONE]'])(
  'end: a proxy that says %j in place of message_stop has lost nothing',
  (mark) => {
    const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
    const body =
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } }) +
      event({ type: 'message_delta', delta: { stop_reason: 'end_turn' } }) +
      `data: ${mark}\n\n`
    const events = decode(eachByte(utf8(body)))
    expect([joined(events, 'message'), endOf(events)]).toEqual(['Hi', 'stop'])
    expect(events.filter((one) => 'malformed' in one)).toEqual([])
  },
)
