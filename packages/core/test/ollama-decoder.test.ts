import { expect, test } from 'vitest'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'

// Recordings and byte samples are in recordings.test.ts.

/** Events of a whole body, as the upstream makes them of its reads. The line that ends the reply is a sign of life, too. */
function decode(pieces: readonly Uint8Array[]): UpstreamEvent[] {
  const decoder = createOllamaDecoder({ random: (bytes) => bytes.fill(7) })
  const events = [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
  const isOver = events.some((event) => 'finish' in event || 'error' in event)
  const last = events.findLastIndex((event) => 'alive' in event)
  return isOver ? events.filter((_, i) => i !== last) : events
}
const decodeLines = (...lines: unknown[]): UpstreamEvent[] =>
  decode([utf8(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))])

const endOf = (events: readonly UpstreamEvent[]): UpstreamEvent | undefined =>
  events.find((event) => 'finish' in event || 'error' in event)

/** Lines in the shape of a real qwen3: thinking, text outside of ASCII, final counters. */
let stamp = 0
const lineOf = (message: object, more: object = {}): object => ({
  model: 'qwen3:8b',
  created_at: `2025-11-21T04:09:43.${(stamp += 1)}Z`,
  message: { role: 'assistant', content: '', ...message },
  done: false,
  ...more,
})
const final = { done: true, done_reason: 'stop', total_duration: 9, prompt_eval_count: 12, eval_count: 5 }
test('ollama: what a server said of its failure does not travel, but is the cause', () => {
  const end = endOf(decodeLines('{"error":"an error was encountered while running the model: unexpected EOF"}'))
  const error = end && 'error' in end ? end.error : undefined
  expect(error?.message).not.toContain('unexpected EOF')
  expect(error?.cause).toContain('unexpected EOF')
})

test('ollama: a line that was cut off is malformed', () => {
  expect(decode([utf8(JSON.stringify(lineOf({}, final)).slice(0, -10))]).at(-1)).toHaveProperty('malformed')
})

test('ollama: thinking and text of one line are two deltas, thinking first', () => {
  expect(decodeLines(lineOf({ thinking: 'Hm', content: 'Hi' }))).toEqual([{ thinking: 'Hm' }, { message: 'Hi' }])
})

test('ollama: a tool call is whole, keeps its id, and makes the finish one of tool_calls', () => {
  const call = { id: 'call_7', function: { index: 0, name: 'weather', arguments: { city: '北京' } } }
  expect(decodeLines(lineOf({ tool_calls: [call] }), lineOf({}, final))).toEqual([
    { tool_call: { id: 'call_7', name: 'weather', arguments: { city: '北京' } } },
    { finish: 'tool_calls', usage: { prompt_tokens: 12, completion_tokens: 5 } },
  ])
})

test('ollama: calls that were announced and did not come are a failure', () => {
  const events = decodeLines(lineOf({ content: 'I look.' }), lineOf({}, { done: true, done_reason: 'tool_calls' }))
  expect(events.at(-1)).toMatchObject({ error: { code: 'upstream_malformed' } })
})

test('ollama: a tool call without an id gets one, without arguments an empty object, without a name is a failure', () => {
  const now = { function: { name: 'now' } }
  expect(decodeLines(lineOf({ tool_calls: [now] }), lineOf({}, { done: true })).slice(1)).toEqual([
    { tool_call: { id: `call_${'07'.repeat(16)}`, name: 'now', arguments: {} } },
    { finish: 'tool_calls' },
  ])
  for (const bad of [{ index: 1, function: { arguments: { x: 1 } } }, 'x', { index: 1, id: 'a' }, [7]]) {
    const events = decodeLines(lineOf({ tool_calls: [now, bad] }), lineOf({}, { done: true }))
    expect(endOf(events)).toMatchObject({ error: { code: 'upstream_malformed' } })
    expect(events.some((event) => 'tool_call' in event)).toBe(false)
  }
})

test("ollama: a call in fragments, as servers of OpenAI's kind send it, is one call", () => {
  const part = (more: object): object => lineOf({ tool_calls: [{ index: 0, ...more }] })
  const events = decodeLines(
    part({ id: 'a', function: { name: 'look', arguments: '{"at"' } }),
    part({ function: { arguments: ':"sky"}' } }),
    lineOf({}, { done: true, done_reason: 'tool_calls' }),
  )
  expect(events.filter((event) => !('progress' in event))).toEqual([
    { tool_call: { id: 'a', name: 'look', arguments: { at: 'sky' } } },
    { finish: 'tool_calls' },
  ])
})

test('ollama: frames of an event stream, an object on many lines, and text in other places are read', () => {
  const end = JSON.stringify(lineOf({}, { done: true }))
  const say = JSON.stringify(lineOf({ content: 'Hi' }))
  const pretty = JSON.stringify(lineOf({ content: 'Hi' }, { done: true }), null, 2)
  for (const body of [
    `data: ${say}\n\ndata: ${end}\n\n`,
    `data: ${say}\ndata: ${end}`,
    pretty,
    `${pretty}\n`,
    `{"response":"Hi"}\n${end}`,
    `{"message":{"content":[{"type":"text","text":"Hi"}]}}\n${end}`,
  ])
    expect([body, ...decode([utf8(body)])]).toEqual([body, { message: 'Hi' }, { finish: 'stop' }])
})

test('ollama: the text on the last line counts', () => {
  expect(decodeLines(lineOf({ content: 'Hi' }, final))).toMatchObject([{ message: 'Hi' }, { finish: 'stop' }])
})

test('ollama: done_reason without done ends the reply, done without done_reason too', () => {
  expect(decodeLines(lineOf({}, { done_reason: 'length' }))).toEqual([{ finish: 'length' }])
  expect(decodeLines(lineOf({}, { done: true }))).toEqual([{ finish: 'stop' }])
  expect(decodeLines(lineOf({}, { done: false, done_reason: '' }))).toEqual([{ alive: true }])
})

test.for([
  ['error', 'upstream_failed', true],
  ['content_filter', 'upstream_rejected', false],
  ['limit_of_tomorrow', 'upstream_incomplete', false],
] as const)('ollama: done_reason %s is no success but %s', ([reason, code, retryable]) => {
  const [event] = decodeLines(lineOf({}, { done: true, done_reason: reason }))
  expect(event).toMatchObject({ error: { code, retryable } })
})

test.for(['load', 'unload'])('ollama: done_reason %s is no answer', (reason) => {
  expect(decodeLines(lineOf({}, { done: true, done_reason: reason }))).toMatchObject([
    { error: { code: 'upstream_failed', retryable: true } },
  ])
})

test('ollama: counters that are absent are left out, and none give no usage', () => {
  expect(decodeLines(lineOf({}, { done: true, eval_count: 3 }))).toEqual([
    { finish: 'stop', usage: { completion_tokens: 3 } },
  ])
  expect(decodeLines(lineOf({}, { done: true }))[0]).not.toHaveProperty('usage')
})

test('ollama: an error line fails the reply, and nothing after it counts', () => {
  const decoder = createOllamaDecoder()
  const [, ...rest] = [
    JSON.stringify(lineOf({ content: 'a' })),
    '{"error":"secret"}',
    JSON.stringify(lineOf({}, final)),
  ]
  expect(decoder.push(utf8(rest.join('\n') + '\n'))).toMatchObject([
    { error: { code: 'upstream_failed', cause: 'secret' } },
  ])
  expect(decoder.finished()).toBe(true)
  expect(decoder.push(utf8(JSON.stringify(lineOf({ content: 'late' })) + '\n'))).toEqual([])
})

test('ollama: nothing after the finish of a reply that said something counts', () => {
  const done = lineOf({ content: 'Hi' }, final)
  expect(decodeLines(done, lineOf({ content: 'late' }), '{"error":"late"}')).toHaveLength(2)
})

test('ollama: where nothing was said, the finish waits for the end of the body: text, calls and errors behind it count', () => {
  const decoder = createOllamaDecoder()
  expect(decoder.push(utf8(`${JSON.stringify(lineOf({ thinking: 'Hm' }, final))}\n`))).toEqual([{ thinking: 'Hm' }])
  expect(decoder.finished()).toBe(false)
  expect(decoder.end()).toEqual([{ finish: 'stop', usage: { prompt_tokens: 12, completion_tokens: 5 } }])
  expect(decoder.finished()).toBe(true)
  const done = lineOf({}, { done: true, done_reason: 'stop' })
  expect(decodeLines(done, lineOf({ content: 'late' }))).toMatchObject([{ message: 'late' }, { finish: 'stop' }])
  expect(endOf(decodeLines(done, '{"error":"late"}'))).toMatchObject({ error: { code: 'upstream_failed' } })
  const call = { function: { name: 'f', arguments: { x: 1 } } }
  const called = [{ tool_call: { name: 'f', arguments: { x: 1 } } }, { finish: 'tool_calls' }]
  for (const late of [
    lineOf({ tool_calls: [call] }),
    { tool_calls: [call] },
    { ...done, message: { tool_calls: [call] } },
  ])
    expect(decodeLines(done, late).filter((event) => !('alive' in event))).toMatchObject(called)
  const announced = lineOf({ content: 'I look.' }, { done: true, done_reason: 'tool_calls' })
  expect(decodeLines(announced, lineOf({ tool_calls: [call] }), lineOf({}, { done: true }))).toMatchObject([
    { message: 'I look.' },
    ...called,
  ])
})

test('ollama: the finish of a body that breaks behind done stands', () => {
  for (const message of [{ content: 'Hi' }, {}]) {
    const decoder = createOllamaDecoder()
    const events = decoder.push(utf8(`${JSON.stringify(lineOf(message, final))}\n`))
    expect([...events, ...decoder.end(true)].at(-1)).toMatchObject({ finish: 'stop' })
  }
})

test('ollama: words in a place that nobody reads, in the last line, are a hole', () => {
  const events = decodeLines(lineOf({ content: 'A' }), lineOf({ words: 'Hi' }, final))
  expect(events).toMatchObject([{ message: 'A' }, { malformed: expect.any(String) }, { finish: 'stop' }])
})

test.for([{}, { created_at: '2024-01-01T00:00:00Z' }, { created_at: '2025-11-21T04:09:43.619Z' }])(
  'ollama: lines that are the same to the byte are a token said twice, with the stamp %o',
  (stamped) => {
    const line = (message: object): object => ({ model: 'm', ...stamped, message: { role: 'assistant', ...message } })
    const again = [line({ content: ' ha' }), line({ content: ' ha' }), line({ content: ' ha' })]
    const thoughts = [line({ content: '', thinking: ' very' }), line({ content: '', thinking: ' very' })]
    const events = decodeLines(...thoughts, ...again, { ...line({}), done: true })
    expect(events.flatMap((event) => ('message' in event ? event.message : []))).toEqual([' ha', ' ha', ' ha'])
    expect(events.flatMap((event) => ('thinking' in event ? event.thinking : []))).toEqual([' very', ' very'])
    expect(endOf(events)).toEqual({ finish: 'stop' })
  },
)

test('ollama: the same bad line three times is three bad lines', () => {
  expect(decodeLines('<html>', '<html>', '<html>')).toEqual(Array.from({ length: 3 }, () => ({ malformed: '<html>' })))
})

test.for(['[7]', '"x"', '{"a":', '<p>', 'data: {"a'])('ollama: the line %s is malformed', (line) => {
  expect(decodeLines(line, lineOf({}, final))[0]).toEqual({ malformed: line.replace('data: ', '') })
})

test.for(['[]', '7', 'null', 'ping', ': ping', 'data: {}', 'data:', 'data: ping'])(
  'ollama: the line %s can hold no text: it is a sign of life',
  (line) => {
    expect(decodeLines(line, lineOf({}, final))).toMatchObject([{ alive: true }, { finish: 'stop' }])
  },
)

test('ollama: a line of plain words is text that may be lost, or an error', () => {
  expect(decodeLines('Once upon', lineOf({}, final))[0]).toEqual({ malformed: 'Once upon' })
  expect(decodeLines('Internal Server Error')[0]).toMatchObject({ error: { code: 'upstream_crashed' } })
})

test('ollama: of a long malformed line only the start is kept', () => {
  const [event] = decodeLines('<'.repeat(100_000))
  expect(event && 'malformed' in event ? event.malformed.length : 0).toBe(200)
})

test('ollama: an empty delta and keys nobody knows are signs of life', () => {
  expect(decodeLines(lineOf({}), { logprobs: [] }, {})).toEqual(Array.from({ length: 3 }, () => ({ alive: true })))
})

test('ollama: arguments may be JSON text, or none, and a call whose arguments are no object is a failure, except at the token limit', () => {
  const call = (args: unknown): object =>
    lineOf({
      role: 'assistant',
      content: '',
      tool_calls: [{ id: 'call_1', function: { name: 'look', arguments: args } }],
    })
  expect(decodeLines(call('{"at":"sky"}'), lineOf({}, { done: true })).filter((event) => 'tool_call' in event)).toEqual(
    [{ tool_call: { id: 'call_1', name: 'look', arguments: { at: 'sky' } } }],
  )
  for (const args of ['{"at":', '[1]', 7]) {
    expect(endOf(decodeLines(call(args), lineOf({}, final)))).toMatchObject({ error: { code: 'upstream_malformed' } })
    expect(endOf(decodeLines(call(args), lineOf({}, { done: true, done_reason: 'length' })))).toEqual({
      finish: 'length',
    })
  }
  for (const args of [null, '', '{}', [], '""', undefined])
    expect(decodeLines(call(args), lineOf({}, { done: true })).slice(1)).toMatchObject([
      { tool_call: { name: 'look', arguments: {} } },
      { finish: 'tool_calls' },
    ])
})

test('ollama: an error that is null is none', () => {
  expect(decodeLines(lineOf({ content: 'Hi' }, { error: null }), lineOf({}, { ...final, error: null }))).toMatchObject([
    { message: 'Hi' },
    { finish: 'stop' },
  ])
})

test.for<[unknown, string, boolean]>([
  ['llama runner process has terminated', 'upstream_crashed', true],
  ['rate_limit reached', 'upstream_busy', true],
  ['the prompt is longer than the context window', 'upstream_rejected', false],
  [{ message: 'out of memory' }, 'upstream_failed', true],
])('ollama: the error %o in the stream is %s', ([error, code, retryable]) => {
  expect(decodeLines({ error })).toMatchObject([{ error: { code, retryable } }])
})

test.for(['true', 'True', 1, '1', 'yes'])('ollama: done as %j ends the reply', (done) => {
  expect(decodeLines(lineOf({ content: 'Hi' }, { done }))).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
})

test.for(['false', 'False', 0, '', null, 'no'])('ollama: done as %j does not', (done) => {
  expect(decodeLines(lineOf({ content: 'Hi' }, { done }))).toEqual([{ message: 'Hi' }])
})

test.for<[string, object]>([
  ["OpenAI's name", { finish_reason: 'length' }],
  ['camel case', { doneReason: 'x', finishReason: 'LENGTH' }],
  ['a list', { done_reason: ['length'] }],
  ['the message', { message: { content: '', done_reason: 'length' } }],
])('ollama: a reason in %s ends the reply', ([, more]) => {
  expect(decodeLines(lineOf({}, more))).toEqual([{ finish: 'length' }])
})

test('ollama: calls without an end overflow, behind the text of the same read', () => {
  const decoder = createOllamaDecoder()
  const call = lineOf({ tool_calls: [{ function: { name: 'f', arguments: 'x'.repeat(600_000) } }] })
  const body = [lineOf({ content: 'Hi' }), call, lineOf({ content: 'A' }), call].map((one) => JSON.stringify(one))
  const events = decoder.push(utf8(`${body.join('\n')}\n`)).filter((event) => !('progress' in event))
  expect(events).toMatchObject([{ message: 'Hi' }, { message: 'A' }, { error: { code: 'overflow' } }])
  expect(decoder.finished()).toBe(true)
})

test('ollama: a text that is a figure is told', () => {
  expect(decodeLines(lineOf({ content: 7 }))[0]).toHaveProperty('malformed')
})
