import { createCounter } from '@midstream/test-support/operations'
import { expect, test } from 'vitest'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'

// Imported once the counter counts.
const counter = createCounter()
const { createAnthropicDecoder } = await import('../src/upstream/anthropic/decoder.ts')
const { createOllamaDecoder } = await import('../src/upstream/ollama/decoder.ts')
const { createOpenAiDecoder } = await import('../src/upstream/openai/decoder.ts')

const frame = (said: unknown): string => `data: ${typeof said === 'string' ? said : JSON.stringify(said)}\n\n`
const chunk = (delta: unknown, finish: string | null = null): string =>
  frame({ choices: [{ index: 0, delta, finish_reason: finish }] })
const hi = chunk({ content: 'Hi' })
const stop = chunk({}, 'stop')

const decode = (body: string, decoder = createOpenAiDecoder()): UpstreamEvent[] => [
  ...decoder.push(utf8(body)),
  ...decoder.end(),
]
/** Text, holes and the end, in one line. */
const told = (events: readonly UpstreamEvent[]): string =>
  events
    .map((event) => {
      if ('message' in event) return event.message
      if ('malformed' in event) return '?'
      if ('finish' in event) return ` ${event.finish}`
      return 'error' in event ? ` ${event.error.code}: ${String(event.error.cause)}` : ''
    })
    .join('')

const notices: readonly unknown[] = [
  { message: 'keepalive' },
  { msg: 'ping' },
  { type: 'ping', message: 'still here' },
  { type: 'status', message: 'Looking it up' },
  { status: 'processing', message: 'working' },
  { status: 'processing', message: 'x', step: 3, total: 7 },
  { message: 'In queue', queue_position: 3 },
  { message: 'keep-alive (timeout 30s)' },
  { title: 'A chat title' },
  { code: 0, message: 'ok' },
  { code: 200, msg: 'success', data: null },
  { success: true, message: 'processing' },
  { data: 'heartbeat' },
  { event: 'status', message: 'searching the web', request_id: 'a' },
  { detail: 'a node was added', details: {} },
  'Processing your request...',
  'waiting for gpu',
  'the cat sat down',
  '正在为您查询',
]
test.for(notices.map((notice) => [notice] as const))(
  'notices: %j in the middle of a reply is a sign of life',
  ([notice]) => {
    expect(told(decode(hi + frame(notice) + hi + stop))).toBe('HiHi stop')
    expect(decode(hi + frame(notice))[1]).toEqual({ alive: true })
  },
)

test('notices: an object of an event that is called a keep-alive is one, whatever it says', () => {
  const said = 'event: keepalive\ndata: {"message":"still here, no timeout"}\n\n'
  expect(told(decode(said + hi + said + stop))).toBe('Hi stop')
})

test.for([
  { message: 'keepalive' },
  { type: 'ping', message: 'still here' },
  { status: 'processing', message: 'working' },
  { message: 'Request queued', position: 3 },
  { message: 'Starting', progress: 30 },
  'Processing your request...',
  'waiting for gpu',
])('notices: %j in front of a reply is a sign of life, too', (notice) => {
  expect(told(decode(frame(notice) + frame(notice) + hi + stop))).toBe('Hi stop')
})

test('notices: the place in a queue is no text, however often it is said in front of a reply', () => {
  const queue = [9, 8, 7, 6, 5, 4, 3, 2, 1].map((place) => frame(`you are number ${place} in line`)).join('')
  expect(told(decode(queue + hi + stop))).toBe('Hi stop')
})

test('notices: a reply that is said in lines of words is none that can be read', () => {
  expect(told(decode(frame('Once upon') + frame('a time') + frame('there was') + stop))).toBe('??? stop')
  expect(told(decode(frame('Once upon a time') + stop))).toBe('? stop')
  expect(told(decode(frame('Once upon a time')))).toBe(' upstream_malformed: Once upon a time')
})

test.for<[unknown, string]>([
  [{ message: 'The engine is overloaded' }, 'upstream_busy'],
  [{ message: 'Rate limit reached', type: 'notice' }, 'upstream_busy'],
  [{ message: 'queue is full' }, 'upstream_busy'],
  [{ detail: 'Internal Server Error' }, 'upstream_crashed'],
  [{ errorMessage: 'Task timed out after 30.00 seconds' }, 'upstream_failed'],
  [{ code: 500, message: 'x' }, 'upstream_failed'],
  [{ code: '40003', msg: 'x' }, 'upstream_failed'],
  [{ type: 'error', message: 'x' }, 'upstream_failed'],
  [{ success: false, message: 'x' }, 'upstream_failed'],
  [{ exception: 'ValueError' }, 'upstream_failed'],
  [{ modelStreamErrorException: { message: 'x', originalStatusCode: 500 } }, 'upstream_failed'],
  [{ throttlingException: { message: 'x' } }, 'upstream_busy'],
  [{ serviceUnavailableException: { message: 'x' } }, 'upstream_busy'],
  [{ status: { code: 429, message: 'x' } }, 'upstream_busy'],
  [{ choices: [{ index: 0, delta: {}, error: { code: 429, message: 'x' } }] }, 'upstream_busy'],
  [{ choices: [{ index: 0, delta: {}, error: 'Rate limit reached' }] }, 'upstream_busy'],
  [{ choices: [{ index: 0, delta: { error: { message: 'Overloaded' } } }] }, 'upstream_busy'],
  [{ choices: [{ index: 0, delta: { content: '', error: 'x' } }] }, 'upstream_failed'],
  [{ choices: [{ index: 0, message: { error: { message: 'x' } } }] }, 'upstream_failed'],
  ['upstream connect error', 'upstream_unreachable'],
])('errors: %j in the middle of a reply is one', ([said, code]) => {
  const events = decode(hi + frame(said) + stop)
  expect(events).toMatchObject([{ message: 'Hi' }, { error: { code } }])
})

test('notices: words that nobody knows are an error where no reply has begun', () => {
  expect(told(decode(frame({ message: 'The cat sat down' })))).toContain(' upstream_failed: ')
  expect(told(decode(JSON.stringify({ message: 'Your request is waiting' })))).toContain(' upstream_failed: ')
})

test('notices: words that the end of an unfinished reply follows are the cause of its failure', () => {
  const said = { message: 'The cat sat down' }
  const failed = `Hi upstream_failed: ${JSON.stringify(said)}`
  expect(told(decode(hi + frame(said)))).toBe(failed)
  expect(told(decode(hi + frame(said) + frame('[DONE]')))).toBe(failed)
  expect(told(decode(hi + frame('The cat sat down')))).toBe('Hi upstream_failed: The cat sat down')
  // Text came behind it, or it is a title.
  expect(told(decode(hi + frame(said) + hi))).toBe('HiHi')
  expect(told(decode(hi + frame({ title: 'The cat' })))).toBe('Hi')
  expect(told(decode(hi + frame({ message: 'keepalive' })))).toBe('Hi')
})

test('notices: those beside the replies of Ollama and Anthropic are signs of life, too', () => {
  const line = (said: unknown): string => `${JSON.stringify(said)}\n`
  const text = line({ message: { role: 'assistant', content: 'Hi' }, done: false })
  const done = line({ message: { content: '' }, done: true, done_reason: 'stop' })
  for (const notice of notices.filter((one) => typeof one === 'object'))
    expect(told(decode(text + line(notice) + text + done, createOllamaDecoder()))).toBe('HiHi stop')
  const event = (said: { type: string }): string => `event: ${said.type}\n${frame(said)}`
  const delta = event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } } as never)
  const over = event({ type: 'message_delta', delta: { stop_reason: 'end_turn' } } as never)
  for (const notice of notices)
    expect(told(decode(delta + frame(notice) + delta + over, createAnthropicDecoder()))).toBe('HiHi stop')
})

test.for<[unknown]>([
  [{ type: 'error', message: '' }],
  [{ message: '', provider: 'x' }],
  [{ message: '', host: 'gpu-3' }],
  [{ level: 'info', message: '' }],
  [{ domain: 'global' }],
  ['{"code":0}'],
  ['[]'],
  ['{"message":"","type":"error"}'],
])('errors: the empty error %j in a chunk says nothing', ([error]) => {
  const given = { choices: [{ index: 0, delta: { content: 'Hi' }, error }], error }
  expect(told(decode(frame(given) + stop))).toBe('Hi stop')
})

/** Each line is other words than the one before it. */
const lines = (count: number): string => Array.from({ length: count }, (_, i) => `data: x y${i}\n`).join('')
test.for<[string, (count: number) => string]>([
  ['the same word', (count) => 'data: x\n'.repeat(count)],
  ['other words', lines],
  ['words alone', (count) => 'word\n'.repeat(count)],
])('notices: of a read full of %s, few are looked up', ([, make]) => {
  const count = (read: string): number => {
    const decoder = createOpenAiDecoder()
    decoder.push(utf8(hi))
    // Tables are made at their first use.
    decoder.push(utf8(make(200)))
    return counter.count(() => decoder.push(utf8(read))).blocks
  }
  // Each look-up goes through some twenty patterns.
  expect(count(make(2_000)) - count(make(1_000))).toBeLessThan(1_000 * 110)
})
