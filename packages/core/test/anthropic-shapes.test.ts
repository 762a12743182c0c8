import { expect, test } from 'vitest'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { block, frame, reason, stop } from './support/anthropic-samples.ts'
import { eachByte, utf8 } from './support/bytes.ts'

// What proxies that speak like Anthropic's API send beside what it sends.

const decode = (body: string): UpstreamEvent[] => {
  const decoder = createAnthropicDecoder({ random: (bytes) => bytes.fill(7) })
  const events = [...eachByte(utf8(body)).flatMap((piece) => decoder.push(piece)), ...decoder.end()]
  return events.filter((event) => 'finish' in event || !('alive' in event || 'usage' in event))
}
const end = block('content_block_stop', {}) + reason('end_turn') + stop
const heard = (body: string): string[] =>
  decode(body).map((event) => ('message' in event ? event.message : 'thinking' in event ? `(${event.thinking})` : 'x'))
const joined = (body: string): string => heard(body).join('').replaceAll(')(', '')

test.for<[string, unknown]>([
  ['a list of texts', { type: 'text_delta', text: ['H', 'i'] }],
  ['a list of parts', { type: 'text_delta', text: [{ type: 'text', text: 'H' }, { text: 'i' }] }],
  ['an object', { type: 'text_delta', text: { text: 'Hi' } }],
  ['an object with a value', { type: 'text', text: { value: 'Hi' } }],
  ['content', { type: 'text_delta', content: 'Hi' }],
  ['content in parts', { content: [{ type: 'output_text', text: 'Hi' }] }],
  ['a text alone', 'Hi'],
  ['parts alone', [{ type: 'text', text: 'H' }, 'i']],
])('anthropic: the text of a delta, or of the start of a block, as %s is read', ([, given]) => {
  expect(joined(block('content_block_delta', { delta: given }) + end)).toBe('Hix')
  expect(joined(block('content_block_start', { content_block: given }) + end)).toBe('Hix')
})

test('anthropic: a text beside the delta is read', () => {
  expect(joined(block('content_block_delta', { text: 'Hi' }) + end)).toBe('Hix')
})

test.for<[string, object]>([
  ['a list', { type: 'thinking_delta', thinking: ['H', { text: 'm' }] }],
  ['an object', { type: 'thinking_delta', thinking: { text: 'Hm' } }],
  ['text', { type: 'thinking_delta', text: 'Hm' }],
  ['reasoning', { type: 'reasoning', reasoning: 'Hm' }],
])('anthropic: thinking as %s is thinking', ([, delta]) => {
  expect(joined(block('content_block_delta', { delta }) + end)).toBe('(Hm)x')
})

test.for<[string, unknown]>([
  ['a text', 'Hi'],
  ['a text in a list', ['Hi']],
  ['one block', { type: 'text', text: 'Hi' }],
  ['blocks of parts', [{ type: 'text', text: [{ text: 'Hi' }] }]],
])('anthropic: a whole message whose content is %s is read', ([, content]) => {
  expect(joined(frame({ type: 'message', content, stop_reason: 'end_turn' }))).toBe('Hix')
})

test('anthropic: the results of tools that the server runs itself are no text of the reply', () => {
  for (const type of ['mcp_tool_result', 'code_execution_tool_result', 'web_search_tool_result']) {
    const content_block = { type, content: [{ type: 'text', text: 'for the model only' }] }
    expect(heard(block('content_block_start', { content_block }) + end)).toEqual(['x'])
  }
})

test.for<[string, object]>([
  ['a field that nobody knows', { type: 'text_delta', words: 'Hi' }],
  ['a field that nobody knows, without a type', { words: 'Hi' }],
  ['a figure', { type: 'text_delta', text: 42 }],
])('anthropic: a text delta with its text in %s is told', ([, delta]) => {
  expect(decode(block('content_block_delta', { delta }) + end)[0]).toHaveProperty('malformed')
})

test.for<[string, string]>([
  ['beside the delta', frame({ type: 'message_delta', stop_reason: 'end_turn' })],
  ['in camel case', frame({ type: 'message_delta', delta: { stopReason: 'END_TURN' } })],
  ['as a list', frame({ type: 'message_delta', delta: { stop_reason: ['end_turn'] } })],
  ["in OpenAI's name", frame({ type: 'message_delta', delta: { finish_reason: 'stop' } })],
])('anthropic: a stop reason %s ends the reply', ([, last]) => {
  expect(
    decode(block('content_block_delta', { delta: { type: 'text_delta', text: 'Hi' } }) + last + stop),
  ).toMatchObject([{ message: 'Hi' }, { finish: 'stop' }])
})

test('anthropic: a stop reason in the last event only ends the reply', () => {
  const last = frame({ type: 'message_stop', stop_reason: 'max_tokens' })
  expect(decode(block('content_block_delta', { delta: { type: 'text_delta', text: 'Hi' } }) + last)).toMatchObject([
    { message: 'Hi' },
    { finish: 'length' },
  ])
})

const call = (more: object): string =>
  block('content_block_start', { content_block: { type: 'tool_use', id: 'c', name: 'rm', input: {}, ...more } })
const closed = block('content_block_stop', {})
const json = (partial_json: string): string =>
  block('content_block_delta', { delta: { type: 'input_json_delta', partial_json } })
test.for<[string, string]>([
  ['whole in its block, with {} in a delta', call({ input: { x: 1 } }) + json('{}') + closed],
  ['whole in its block, with null in a delta', call({ input: { x: 1 } }) + json('null') + closed],
  ['in pieces, with {} behind them', call({}) + json('{"x"') + json(':1}') + json('{}') + closed],
  ['said again behind a first {}', call({}) + json('{}') + json('{"x":1}') + closed],
  [
    'behind the stop of its block',
    call({}) +
      closed +
      block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: '{"x":1}' } }) +
      closed,
  ],
  [
    'in a delta without a type',
    call({}) + block('content_block_delta', { delta: { partial_json: '{"x":1}' } }) + closed,
  ],
  [
    'as an object',
    call({}) + block('content_block_delta', { delta: { type: 'input_json_delta', input: { x: 1 } } }) + closed,
  ],
  [
    'as an object in place of text',
    call({}) + block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: { x: 1 } } }) + closed,
  ],
])('anthropic: the arguments of a call %s are read', ([, body]) => {
  expect(decode(body + reason('tool_use') + stop)).toEqual([
    ...decode(body).filter((event) => 'progress' in event),
    { tool_call: { id: 'c', name: 'rm', arguments: { x: 1 } } },
    expect.objectContaining({ finish: 'tool_calls' }),
  ])
})

test('anthropic: arguments behind a call that has been given out are no success', () => {
  const late = block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: '{"x":1}' } })
  const events = decode(call({ input: { y: 2 } }) + closed + late + reason('tool_use') + stop)
  expect(events.some((event) => 'finish' in event)).toBe(false)
})

test('anthropic: two calls of one id have ids of their own', () => {
  const events = decode(call({}) + closed + call({ name: 'ls' }) + closed + reason('tool_use') + stop)
  const ids = events.flatMap((event) => ('tool_call' in event ? [event.tool_call.id] : []))
  expect(ids).toHaveLength(2)
  expect(new Set(ids).size).toBe(2)
})

const late = (json: string, index = 0): string =>
  block('content_block_delta', { delta: { type: 'input_json_delta', partial_json: json } }, index)
const begun = (name: string, index: number): string =>
  block('content_block_start', { content_block: { type: 'tool_use', id: `id of ${name}`, name, input: {} } }, index)
const ended = (index: number): string => block('content_block_stop', {}, index)
const callsOf = (body: string, why = 'tool_use'): unknown[] =>
  decode(body + reason(why) + stop).flatMap((event) =>
    'tool_call' in event ? [[event.tool_call.name, event.tool_call.arguments]] : [],
  )
const one = ['f', { x: 1 }]
const two = ['g', { y: 2 }]
test.for<[string, string]>([
  [
    'all blocks begin and stop before any argument',
    begun('f', 0) + ended(0) + begun('g', 1) + ended(1) + late('{"x":1}', 0) + late('{"y":2}', 1),
  ],
  [
    'the second has its arguments in time, and the first behind it',
    begun('f', 0) +
      ended(0) +
      begun('g', 1) +
      late('{"y":2}', 1) +
      ended(1) +
      late('{"x"', 0) +
      late(':1}', 0) +
      ended(0),
  ],
  [
    'all blocks have one number',
    begun('f', 0) + late('{"x":1}', 0) + ended(0) + begun('g', 0) + ended(0) + late('{"y":2}', 0) + ended(0),
  ],
  [
    'the deltas have no number',
    begun('f', 0) + late('{"x":1}').replace('"index":0', '"x":0') + ended(0) + begun('g', 1) + late('{"y":2}', 1),
  ],
])('anthropic: two calls are whole and in order where %s', ([, body]) => {
  expect(callsOf(body)).toEqual([one, two])
})

test('anthropic: a call without arguments keeps its place; at the end of what the token limit cut off it is not given', () => {
  const body = begun('f', 0) + ended(0) + begun('g', 1) + late('{"y":2}', 1) + ended(1)
  const last = begun('h', 2) + ended(2)
  expect(callsOf(body + last)).toEqual([['f', {}], two, ['h', {}]])
  expect(callsOf(body + last, 'max_tokens')).toEqual([['f', {}], two])
})
