import { expect, test } from 'vitest'
import { streamChat } from '../src/stream-chat.ts'
import { world } from './world.ts'

/** Ends that say less, or in other words, than the gateway: what layers and gateways of one's own make of them. */

const first = 'data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":5000}\n\n'
const text = 'id: 2\ndata: {"message":"Hi"}\n\n'
const answers = (end: string) => (): Promise<Response> =>
  Promise.resolve(new Response(`${first}${text}data: ${end}\n\n`, { headers: { 'content-type': 'text/event-stream' } }))

test.for([
  '{"done":true,"reason":"stop","position":null}',
  '{"done":true,"reason":"stop","position":"2"}',
  '{"done":true,"reason":"stop","usage":null,"message":null,"error":null,"by":null,"data":null}',
  '{"done":true,"reason":"stop","error":{"code":"internal"}}',
])('end: %s is a whole answer', async (end) => {
  const w = world({ fetch: answers(end) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hi', state: 'done', reason: 'stop' })
  expect(w.requests).toHaveLength(1)
})

test.for([
  '{"done":true,"reason":"interrupted","by":"person"}',
  '{"done":true,"reason":"interrupted","position":null}',
])('end: %s is an interrupt that keeps all of the text', async (end) => {
  const w = world({ fetch: answers(end) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hi', state: 'interrupted' })
  expect(w.requests).toHaveLength(1)
})

test.for([
  ['{"done":true}', 'dropped', 'without a reason'],
  ['{"done":true,"reason":null}', 'dropped', 'without a reason'],
  ['{"done":true,"reason":""}', 'dropped', 'without a reason'],
  ['{"done":true,"reason":7,"position":2}', 'dropped', 'without a reason'],
  ['{"done":true,"message":{"role":"assistant","content":""},"done_reason":"stop"}', 'dropped', 'without a reason'],
  ['{"done":true,"reason":"error"}', 'internal', 'without a reason'],
  ['{"done":true,"reason":"error","error":"boom"}', 'internal', 'boom'],
  ['{"done":true,"reason":"error","error":{"message":"boom"}}', 'internal', 'boom'],
  ['{"done":true,"reason":"error","error":{"message":{"a":1},"code":7}}', 'internal', 'without a reason'],
  ['{"done":true,"reason":"error","error":[],"position":null}', 'internal', 'without a reason'],
  ['{"done":true,"error":{"code":"overflow","message":"Too long"}}', 'overflow', 'Too long'],
] as const)('end: %s is no success, and is said at once, with the text', async ([end, code, words]) => {
  const w = world({ fetch: answers(end) })
  const message = expect.stringContaining(words) as string
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({
    content: 'Hi',
    state: 'failed',
    error: { code, message, retryable: false },
  })
  expect(w.clock.now()).toBe(0)
  expect(w.requests).toHaveLength(1)
  const events: object[] = []
  for await (const event of streamChat({ url: '/', fetch: answers(end), messages: [] })) events.push(event)
  expect(events.at(-1)).toMatchObject({ done: true, reason: 'error', error: { code, message } })
})
