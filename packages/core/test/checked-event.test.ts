import { expect, test } from 'vitest'
import { checkedEvent } from '../src/run/checked-event.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { maxReplyDepth } from '../src/wire/depth.ts'

const nested = (levels: number): Record<string, unknown> => {
  let value: Record<string, unknown> = {}
  for (let i = 1; i < levels; i++) value = { a: value }
  return value
}
const round: Record<string, unknown> = { type: 'round' }
round['self'] = round
const call = (args: Record<string, unknown>): UpstreamEvent => ({
  tool_call: { id: 'c', name: 'f', arguments: args },
})

test.for<[what: string, event: unknown]>([
  ['data that goes round', { data: round }],
  ['a BigInt', { data: { type: 'cost', tokens: 1n } }],
  ['data that is undefined', { data: undefined }],
  ['data that is a function', { data: () => 1 }],
  ['a call that is undefined', { tool_call: undefined }],
  ['progress that goes round', { progress: round }],
  [
    'what throws when it is written',
    {
      data: {
        type: 'x',
        toJSON() {
          throw new Error('no')
        },
      },
    },
  ],
  ['a message that is a number', { message: 5 }],
  ['a message that is undefined', { message: undefined }],
  ['thinking that is an object', { thinking: {} }],
  ['a call that is null', { tool_call: null }],
  ['a call whose arguments are a text', { tool_call: { id: 'c', name: 'f', arguments: '{}' } }],
  ['a finish that is null', { finish: null }],
  ['a finish of another dialect', { finish: 'content_filter' }],
  ['a finish that is a BigInt', { finish: 1n }],
  ['usage that counts in BigInts', { usage: { completion_tokens: 1n } }],
  ['usage that is no number', { usage: { prompt_tokens: NaN } }],
  ['usage that is a text', { usage: { completion_tokens: '5' } }],
])('event: %s is an internal error that says which kind it was', ([, event]) => {
  const [kind = ''] = Object.keys(event as object)
  expect(() => checkedEvent(event as UpstreamEvent)).toThrow(
    expect.objectContaining({ code: 'internal', message: expect.stringContaining(kind) }),
  )
})

test('event: data overflows, also where it is so deep that an engine cannot write it', () => {
  const data = { data: { type: 'x', deep: nested(50_000) } } as UpstreamEvent
  expect(() => checkedEvent(data)).toThrow(expect.objectContaining({ code: 'overflow' }))
})

test('event: a call as deep as a frame may be is taken, a deeper one overflows', () => {
  // The call itself is a level.
  expect(checkedEvent(call(nested(maxReplyDepth - 1)))).toEqual(call(nested(maxReplyDepth - 1)))
  expect(() => checkedEvent(call(nested(maxReplyDepth + 1)))).toThrow(expect.objectContaining({ code: 'overflow' }))
})

test('event: what an app changes later is not changed in the log', () => {
  const data = { type: 'cost', tokens: 1 }
  const checked = checkedEvent({ data })
  data.tokens = 2
  expect(checked).toEqual({ data: { type: 'cost', tokens: 1 } })
})

test('event: text is taken as it is', () => {
  const event = { message: 'Hi' }
  expect(checkedEvent(event)).toBe(event)
})

test('event: a finish with usage that cannot be written is an internal error', () => {
  const event = { finish: 'stop', usage: { prompt_tokens: 1n } } as unknown as UpstreamEvent
  expect(() => checkedEvent(event)).toThrow(
    expect.objectContaining({ code: 'internal', message: expect.stringContaining('usage') }),
  )
})

test('event: of usage, what counts tokens is taken and nothing else', () => {
  const usage = { prompt_tokens: 3, estimated: true, cost: round } as const
  expect(checkedEvent({ finish: 'stop', usage })).toEqual({
    finish: 'stop',
    usage: { prompt_tokens: 3, estimated: true },
  })
  expect(checkedEvent({ usage })).toEqual({ usage: { prompt_tokens: 3, estimated: true } })
})
