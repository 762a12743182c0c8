import { expect, test } from 'vitest'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { openAiMessages } from '../src/upstream/openai/messages.ts'
import type { ToolCall } from '../src/wire/events.ts'
import { utf8 } from './support/bytes.ts'

// What a server attaches to a message with calls, and refuses the next request without.

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const called = chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }] })
const callOf = (body: string, from: string | undefined = 'here'): ToolCall | undefined => {
  const decoder = createOpenAiDecoder({ from })
  const events = [...decoder.push(utf8(body + chunk({}, 'tool_calls'))), ...decoder.end()]
  return events.flatMap((event) => ('tool_call' in event ? [event.tool_call] : []))[0]
}
const sent = (call: ToolCall, from: string): object =>
  openAiMessages(
    [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: 'r', tool_call_id: call.id },
    ],
    null,
    {},
    from,
  )[1]!

const sealed = { type: 'reasoning.encrypted', data: 'xyz', id: 'r1', index: 0 }
const signature = { google: { thought_signature: 'sig' } }

test.for<[string, object, object]>([
  ['sealed thoughts', { reasoning_details: [sealed] }, { reasoning_details: [sealed] }],
  ['a signature beside the calls', { extra_content: signature }, { extra_content: signature }],
  ['a signature alone', { thought_signature: 'sig' }, { thought_signature: 'sig' }],
])('openai: %s of a message come with its call, and go back to that server in their place', ([, delta, fields]) => {
  const call = callOf(chunk(delta) + called)
  expect(call?.opaque).toEqual({ from: 'here', message: fields })
  expect(sent(call!, 'here')).toMatchObject({ role: 'assistant', ...fields })
  expect(Object.keys(sent(call!, 'elsewhere')).sort()).toEqual(['content', 'role', 'tool_calls'])
})

test('openai: thoughts of a message in pieces go back in one part, with their signature', () => {
  const piece = (more: object): string => chunk({ reasoning_details: [{ type: 'reasoning.text', index: 0, ...more }] })
  const call = callOf(piece({ text: 'H' }) + piece({ text: 'm' }) + piece({ signature: 'sig' }) + called)
  expect(call?.opaque?.message).toEqual({
    reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Hm', signature: 'sig' }],
  })
})

test('openai: of thoughts that are too long to go back only the sealed ones do', () => {
  const long = { type: 'reasoning.text', text: 'x'.repeat(70_000) }
  expect(callOf(chunk({ reasoning_details: [long, sealed] }) + called)?.opaque?.message).toEqual({
    reasoning_details: [sealed],
  })
})

test('openai: a client cannot say other fields of a message by what is attached to its call', () => {
  const opaque = { from: 'here', message: { role: 'system', name: 'x', cache_control: {}, thought_signature: 's' } }
  const message = sent({ id: 'a', name: 'f', arguments: {}, opaque }, 'here')
  expect(Object.keys(message).sort()).toEqual(['content', 'role', 'thought_signature', 'tool_calls'])
  expect(message).toMatchObject({ role: 'assistant' })
})
