import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatEvent } from '../src/wire/events.ts'
import { createSseDecoder, encodeSse } from '../src/wire/sse.ts'
import { cutAt, cuts, utf8 } from './support/bytes.ts'

/** One of every kind, as docs/design.md §3 writes them; the key that tells its kind. */
const events: readonly (readonly [string, ChatEvent])[] = [
  ['session_id', { session_id: 'sess_1', run_id: 'run_1', model: 'qwen3:32b', heartbeat_ms: 5_000 }],
  [
    'continues',
    { session_id: 'sess_1', run_id: 'run_2', model: 'm', heartbeat_ms: 1, continues: { run_id: 'run_1', position: 3 } },
  ],
  ['message', { message: '春光\n😀\u2028"\\' }],
  ['thinking', { thinking: 'Hm.\r\n' }],
  ['tool_call', { tool_call: { id: 'call_1', name: 'weather', arguments: { city: '北京' } } }],
  ['data', { data: { type: 'sources', list: [1, 2] } }],
  ['reset', { reset: 'thinking' }],
  ['status', { status: 'recovering', attempt: 2, retry_in_ms: 250 }],
  ['ping', { ping: 'keepalive' }],
  ['done', { done: true, reason: 'stop', usage: { prompt_tokens: 3, completion_tokens: 2 } }],
  ['by', { done: true, reason: 'interrupted', by: 'person', position: 12 }],
  [
    'error',
    { done: true, reason: 'error', error: { code: 'upstream_stalled', message: 'No.', retryable: true }, position: 4 },
  ],
]

test.for(events)('events: one with "%s" travels in one line of data and comes back as it was', ([key, event]) => {
  const frame = encodeSse(JSON.stringify(event), 7)
  expect(frame.split('\n')).toEqual(['id: 7', `data: ${JSON.stringify(event)}`, '', ''])
  expect(key in event).toBe(true)
  fc.assert(
    fc.property(cuts, (at) => {
      const decoder = createSseDecoder()
      const frames = cutAt(utf8(frame), at).flatMap((piece) => decoder.push(piece))
      expect(frames.map(({ data }) => JSON.parse(data))).toEqual([event])
    }),
  )
})

test('events: a reader that splits on "data: " and appends data.message has the whole text', () => {
  const body = events.map(([, event], i) => encodeSse(JSON.stringify(event), i % 2 ? i : undefined)).join('')
  let text = ''
  for (const line of body.split('\n')) {
    if (!line.startsWith('data: ')) continue
    const data = JSON.parse(line.slice(6))
    if (data.message) text += data.message
  }
  expect(text).toBe('春光\n😀\u2028"\\')
})

test('events: half a surrogate pair travels and meets its other half', () => {
  const [high, low] = '😀'.split('')
  const decoder = createSseDecoder()
  const sent = [high, low].map((message) => encodeSse(JSON.stringify({ message }))).join('')
  const got = decoder.push(utf8(sent)).map(({ data }) => JSON.parse(data).message)
  expect(got.join('')).toBe('😀')
})
