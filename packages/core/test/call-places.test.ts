import { expect, test } from 'vitest'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { block, reason, stop } from './support/anthropic-samples.ts'
import { utf8 } from './support/bytes.ts'

// Where servers and proxies put the calls of a reply. One that nobody reads is no success.

const decoders = { openai: createOpenAiDecoder, ollama: createOllamaDecoder, anthropic: createAnthropicDecoder }
const heard = (kind: keyof typeof decoders, body: string): unknown => {
  const decoder = decoders[kind]({ random: (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(7) })
  const events: UpstreamEvent[] = [...decoder.push(utf8(body)), ...decoder.end()]
  return events.flatMap((event): unknown[] => {
    if ('message' in event) return [event.message]
    if ('tool_call' in event) return [[event.tool_call.name, event.tool_call.arguments]]
    if ('malformed' in event) return ['a hole']
    return 'finish' in event ? [event.finish] : 'error' in event ? [event.error.code] : []
  })
}
const sse = (...frames: readonly object[]): string =>
  frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')
const choice = (more: object): object => ({ choices: [{ index: 0, ...more }] })
const end = choice({ delta: {}, finish_reason: 'stop' })
const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }
const ok = choice({ delta: { content: 'ok' } })
const called = ['ok', ['f', { x: 1 }], 'tool_calls']

test.for<[string, readonly object[]]>([
  ['the choice beside the delta', [ok, choice({ delta: {}, tool_calls: [call], finish_reason: 'stop' })]],
  ['the frame beside the choices', [ok, { ...end, tool_calls: [call] }]],
  ['the delta, in another case', [ok, choice({ delta: { toolCalls: [call] } }), end]],
  ['the delta, as one old call', [ok, choice({ delta: { functionCall: { name: 'f', args: { x: 1 } } } }), end]],
  [
    'a part of the content',
    [ok, choice({ delta: { content: [{ type: 'tool_use', name: 'f', input: { x: 1 } }] } }), end],
  ],
  ['a part that holds one', [ok, choice({ delta: { content: [{ type: 'tool_call', tool_call: call }] } }), end]],
  [
    'parts as of Gemini',
    [
      { candidates: [{ content: { parts: [{ text: 'ok' }, { functionCall: { name: 'f', args: { x: 1 } } }] } }] },
      { candidates: [{ finishReason: 'STOP' }] },
    ],
  ],
  [
    'parts as of Bedrock',
    [ok, choice({ delta: { content: [{ toolUse: { toolUseId: 'a', name: 'f', input: { x: 1 } } }] } }), end],
  ],
  [
    'another choice',
    [ok, { choices: [{ index: 1, delta: { tool_calls: [call] }, finish_reason: 'tool_calls' }] }, end],
  ],
  [
    'another choice of a whole reply',
    [
      {
        choices: [
          { index: 0, message: { content: 'ok' }, finish_reason: 'stop' },
          { index: 1, message: { tool_calls: [call] }, finish_reason: 'tool_calls' },
        ],
      },
    ],
  ],
  [
    'an event with one item',
    [
      ok,
      {
        type: 'response.output_item.done',
        item: { type: 'function_call', name: 'f', arguments: '{"x":1}', call_id: 'a' },
      },
      end,
    ],
  ],
])('openai: a call in %s is read', ([, frames]) => {
  expect(heard('openai', sse(...frames))).toEqual(called)
})

test('openai: a call that is said in two places is one, and what is broken in one is whole in the other', () => {
  const piece = (args: string): object => ({ ...call, index: 0, function: { name: 'f', arguments: args } })
  const whole = choice({ delta: {}, message: { tool_calls: [call] }, tool_calls: [call], finish_reason: 'tool_calls' })
  expect(heard('openai', sse(ok, choice({ delta: { tool_calls: [piece('{"x":1}')] } }), whole))).toEqual(called)
  expect(heard('openai', sse(ok, choice({ delta: { tool_calls: [piece('{"x"')] } }), whole))).toEqual(called)
})

test('openai: of several answers with calls, those of the first count', () => {
  const other = { ...call, id: 'b', function: { name: 'g', arguments: '{}' } }
  const both = {
    choices: [
      { index: 0, delta: { content: 'ok', tool_calls: [call] } },
      { index: 1, delta: { tool_calls: [other] } },
    ],
  }
  expect(heard('openai', sse(both, end))).toEqual(called)
})

test('openai: what looks like a call, in a place that nobody knows, is a hole', () => {
  const odd = { actions: [{ name: 'f', arguments: { x: 1 } }] }
  expect(heard('openai', sse(ok, choice({ delta: odd }), end))).toEqual(['ok', 'a hole', 'stop'])
  expect(heard('openai', sse(ok, { ...end, ...odd }))).toEqual(['ok', 'a hole', 'stop'])
})

test('openai: tools that the server runs itself, and those it was told of, are no calls', () => {
  const theirs = [
    { executed_tools: [{ name: 'search', arguments: '{"q":"x"}' }] },
    { steps: [{ type: 'mcp_call', name: 'search', arguments: '{}', output: 'found' }] },
    { tools: [{ name: 'f', input: {} }] },
  ]
  for (const more of theirs) expect(heard('openai', sse(ok, { ...end, ...more }))).toEqual(['ok', 'stop'])
})

const line = (message: object, more: object = {}): string =>
  `${JSON.stringify({ message: { role: 'assistant', content: '', ...message }, done: false, ...more })}\n`
const last = line({}, { done: true, done_reason: 'stop' })
const flat = { name: 'f', arguments: { x: 1 } }
test.for<[string, string]>([
  ['in another case', line({ toolCalls: [{ function: flat }] })],
  ['as one old call', line({ function_call: flat })],
  ['alone', line({ tool_call: { function: { name: 'f', arguments: '{"x":1}' } } })],
  ['beside the message', line({}, { tool_calls: [{ function: flat }] })],
  ['in parts', line({ content: [{ type: 'tool_use', name: 'f', input: { x: 1 } }] })],
])('ollama: a call %s is read', ([, body]) => {
  expect(heard('ollama', line({ content: 'ok' }) + body + last)).toEqual(called)
})

test('ollama: what looks like a call, in a place that nobody knows, is a hole', () => {
  expect(heard('ollama', line({ content: 'ok', actions: [flat] }) + last)).toEqual(['ok', 'a hole', 'stop'])
})

const blockOf = (content_block: object): string =>
  block('content_block_start', { content_block }) + block('content_block_stop', {})
const said = blockOf({ type: 'text', text: 'ok' })
test.for<[string, object]>([
  ['a function', { type: 'function', id: 'a', function: { name: 'f', arguments: '{"x":1}' } }],
  ['a call', { type: 'tool_call', id: 'a', name: 'f', input: { x: 1 } }],
  ['a call of a function', { type: 'function_call', call_id: 'a', name: 'f', arguments: '{"x":1}' }],
])('anthropic: a block that is %s is read', ([, given]) => {
  expect(heard('anthropic', said + blockOf(given) + reason('end_turn') + stop)).toEqual(called)
})

test('anthropic: a block that looks like a call, of a type that nobody knows, is a hole', () => {
  const odd = blockOf({ type: 'action', id: 'a', name: 'f', input: { x: 1 } })
  expect(heard('anthropic', said + odd + reason('end_turn') + stop)).toEqual(['ok', 'a hole', 'stop'])
  const theirs = blockOf({ type: 'server_tool_use', id: 'a', name: 'web_search', input: { q: 'x' } })
  expect(heard('anthropic', said + theirs + reason('end_turn') + stop)).toEqual(['ok', 'stop'])
})
