import { expect, test } from 'vitest'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import type { ChatErrorCode } from '../src/wire/errors.ts'
import { utf8 } from './support/bytes.ts'
import { sample } from './support/expected.ts'

const decoderOf = () => createOpenAiDecoder({ random: (bytes) => bytes.fill(7) })
// Recordings and byte samples are in recordings.test.ts.

/** Events of a whole body that ended by itself. */
function decode(pieces: readonly Uint8Array[]): UpstreamEvent[] {
  const decoder = decoderOf()
  return [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
}
const decodeText = (body: string): UpstreamEvent[] => decode([utf8(body)])
const frame = (chunk: unknown): string => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`
const chunk = (delta: unknown, finish: unknown = null, more: object = {}): string =>
  frame({ id: 'x', choices: [{ index: 0, delta, finish_reason: finish }], ...more })
const done = frame('[DONE]')

const endOf = (events: readonly UpstreamEvent[]): string | undefined => {
  const ends = events.flatMap((event) => ('finish' in event ? event.finish : 'error' in event ? event.error.code : []))
  expect(ends.length).toBeLessThanOrEqual(1)
  return ends[0]
}

// Shapes

test('openai: tool calls in fragments are whole, in order, and come with the finish', () => {
  const events = decode([sample('openai/openai-tools')])
  expect(events.filter((event) => !('alive' in event || 'progress' in event))).toEqual([
    { tool_call: { id: 'call_a', name: 'weather', arguments: { city: '北京' } } },
    { tool_call: { id: 'call_b', name: 'now', arguments: {} } },
    { finish: 'tool_calls' },
  ])
})

const call = (more: object): string => chunk({ tool_calls: [more] })
test.for<[string, string[], unknown[]]>([
  [
    'two whole ones, both with index 0',
    [
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":1}' } }),
      call({ index: 0, id: 'b', function: { name: 'f', arguments: '{"x":2}' } }),
    ],
    [
      { id: 'a', name: 'f', arguments: { x: 1 } },
      { id: 'b', name: 'f', arguments: { x: 2 } },
    ],
  ],
  [
    'fragments without an index',
    [
      call({ id: 'a', function: { name: 'f', arguments: '{"x"' } }),
      call({ function: { arguments: ':1}' } }),
      call({ id: 'b', function: { name: 'g' } }),
    ],
    [
      { id: 'a', name: 'f', arguments: { x: 1 } },
      { id: 'b', name: 'g', arguments: {} },
    ],
  ],
  [
    'fragments of two calls in turns',
    [
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }),
      call({ index: 1, id: 'b', function: { name: 'g', arguments: '{"y"' } }),
      call({ index: 0, function: { arguments: ':1}' } }),
      call({ index: 1, function: { arguments: ':2}' } }),
    ],
    [
      { id: 'a', name: 'f', arguments: { x: 1 } },
      { id: 'b', name: 'g', arguments: { y: 2 } },
    ],
  ],
  [
    'an id and a name that each fragment repeats',
    [
      call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }),
      call({ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }),
    ],
    [{ id: 'a', name: 'f', arguments: { x: 1 } }],
  ],
  [
    'arguments as an object, and no id',
    [call({ index: 0, function: { name: 'f', arguments: { x: 1 } } })],
    [{ id: `call_${'07'.repeat(16)}`, name: 'f', arguments: { x: 1 } }],
  ],
])('openai: tool calls of other servers: %s', ([, frames, calls]) => {
  const events = decodeText(frames.join('') + chunk({}, 'stop') + done)
  expect(events.flatMap((event) => ('tool_call' in event ? [event.tool_call] : []))).toEqual(calls)
  expect(endOf(events)).toBe('tool_calls')
})

test('openai: a call that is not whole is a failure, and no call of that reply is given', () => {
  const good = call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } })
  for (const bad of [
    { index: 1, id: 'b', function: { name: 'f', arguments: '{"x' } },
    { index: 1, id: 'b' },
  ]) {
    const events = decodeText(good + call(bad) + chunk({}, 'tool_calls') + done)
    expect(endOf(events)).toBe('upstream_malformed')
    expect(events.some((event) => 'tool_call' in event)).toBe(false)
  }
})

test('openai: a call that the token limit cut off is dropped', () => {
  const events = decodeText(
    call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x' } }) + chunk({}, 'length') + done,
  )
  expect(endOf(events)).toBe('length')
  expect(events.some((event) => 'tool_call' in event)).toBe(false)
})

test('openai: a body that ends in mid call gives no call', () => {
  const events = decodeText(call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }))
  expect(events).toEqual([{ alive: true }, { progress: { stage: 'tool_call', done: 2 } }])
})

test('openai: calls without an end overflow', () => {
  const decoder = decoderOf()
  const piece = utf8(call({ index: 0, id: 'a', function: { name: 'f', arguments: 'x'.repeat(500_000) } }))
  decoder.push(piece)
  decoder.push(piece)
  const last = decoder.push(utf8(chunk({ content: 'Hi' }) + new TextDecoder().decode(piece)))
  expect([last[0], endOf(last), decoder.finished()]).toEqual([{ message: 'Hi' }, 'overflow', true])
})

test.for<[string, ChatErrorCode, boolean]>([
  ['error', 'upstream_failed', true],
  ['insufficient_system_resource', 'upstream_busy', true],
  ['abort', 'upstream_incomplete', true],
  ['content_filter', 'upstream_rejected', false],
])('openai: finish_reason %s is no success but %s', ([reason, code, retryable]) => {
  const events = decodeText(chunk({ content: 'Half' }) + chunk({}, reason) + done)
  expect(events).toMatchObject([{ message: 'Half' }, { error: { code, retryable } }])
})

test('openai: a reason nobody knows is no success, unless a later chunk says how the reply ended', () => {
  const unknown = [{ message: 'Hi' }, { error: { code: 'upstream_incomplete', retryable: false } }]
  for (const rest of [done, '', frame({ choices: [], usage: { prompt_tokens: 1 } })])
    expect(
      decodeText(chunk({ content: 'Hi' }, 'limit_of_tomorrow') + rest).filter(
        (event) => 'message' in event || 'error' in event,
      ),
    ).toMatchObject(unknown)
  expect(endOf(decodeText(chunk({}, 'limit_of_tomorrow') + chunk({ content: 'Hi' }, 'length') + done))).toBe('length')
})

test('openai: a call beside a reason nobody knows is not made', () => {
  const whole = call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } })
  const events = decodeText(whole + chunk({}, 'limit_of_tomorrow') + done)
  expect(events.some((event) => 'tool_call' in event)).toBe(false)
  expect(endOf(events)).toBe('upstream_incomplete')
})

test('openai: an empty reason, null and "null" are none', () => {
  for (const reason of ['', null, 'null', 0, undefined]) expect(endOf(decodeText(chunk({}, reason)))).toBeUndefined()
})

test('openai: the finish waits for [DONE] or the end of the body: what comes behind the usage counts', () => {
  const decoder = decoderOf()
  expect(decoder.push(utf8(chunk({ content: 'Hi' }, 'stop')))).toEqual([{ message: 'Hi' }])
  expect(decoder.push(utf8(frame({ choices: [], usage: { prompt_tokens: 1 } })))).toEqual([{ alive: true }])
  expect(decoder.finished()).toBe(false)
  expect(decoder.push(utf8(chunk({ content: ' there' })))).toEqual([{ message: ' there' }])
  expect(decoder.push(utf8(done))).toEqual([{ finish: 'stop', usage: { prompt_tokens: 1 } }])
  expect(decoder.finished()).toBe(true)
  expect(decoder.push(utf8(chunk({ content: 'late' })))).toEqual([])
  expect(decoder.end()).toEqual([])
  expect(decodeText(chunk({}, 'stop')).at(-1)).toEqual({ finish: 'stop' })
  const usage = frame({ choices: [], usage: { prompt_tokens: 1 } })
  expect(endOf(decodeText(chunk({}, 'stop') + usage + frame({ error: 'no' }) + done))).toBe('upstream_failed')
  const called = decodeText(chunk({}, 'stop') + usage + call({ function: { name: 'f', arguments: '{}' } }))
  expect(endOf(called)).toBe('tool_calls')
})

test('openai: usage on every chunk does not end the reply', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1 }
  const events = decodeText(
    chunk({ content: 'a' }, null, { usage }) + chunk({ content: 'b' }, 'stop', { usage }) + done,
  )
  expect(events).toEqual([{ message: 'a' }, { message: 'b' }, { finish: 'stop', usage }])
})

test('openai: comments, pings, roles, progress and unknown objects prove that the socket is alive', () => {
  const alive = [':\n\n', ': ping\n\n', chunk({ role: 'assistant' }), chunk({ role: null, content: null }), chunk(null)]
  const more = [
    frame({ type: 'ping' }),
    frame({ choices: [] }),
    frame({ choices: null }),
    'data:\n\n',
    'event: x\ndata: \n\n',
  ]
  for (const one of [...alive, ...more]) expect([one, decodeText(one)]).toEqual([one, [{ alive: true }]])
})

test('openai: what is no JSON object is malformed, what is no frame is nothing', () => {
  for (const bad of ['{"x', '[7]', '<p>', '"text"']) {
    expect(decodeText(frame(bad))).toEqual([{ malformed: bad }])
  }
  expect(decodeText('unknown: field\nretry: 5\nid: 7\n\nerrors: 7\nerr\n\n')).toEqual([])
})

test('openai: thinking under two names is one, and comes before the text of its chunk', () => {
  expect(decodeText(chunk({ content: 'Hi', reasoning: 'Hm', reasoning_content: 'Hm' }))).toEqual([
    { thinking: 'Hm' },
    { message: 'Hi' },
  ])
  expect(decodeText(chunk({ thinking: 'Hm' }))).toEqual([{ thinking: 'Hm' }])
})

test('openai: a refusal is text', () => {
  expect(decodeText(chunk({ content: null, refusal: 'No.' }))).toEqual([{ message: 'No.' }])
})

test.for<[unknown, ChatErrorCode, boolean]>([
  [{ code: 503, message: 'Loading model', type: 'unavailable_error' }, 'upstream_busy', true],
  [{ code: 429, message: 'slow down' }, 'upstream_busy', true],
  [{ code: 502, message: 'bad gateway' }, 'upstream_unreachable', true],
  [
    {
      code: 400,
      message: 'request (9) exceeds the available context size (8 tokens)',
      type: 'exceed_context_size_error',
    },
    'upstream_rejected',
    false,
  ],
  [{ code: 'context_length_exceeded', message: 'x' }, 'upstream_rejected', false],
  [{ code: 401, message: 'no' }, 'upstream_unauthorized', false],
  [{ message: 'unexpected EOF' }, 'upstream_crashed', true],
  ['out of memory at 10.0.0.7', 'upstream_failed', true],
])('openai: the error %o in the stream is %s, and its words stay here', ([error, code, retryable]) => {
  const [event] = decodeText(frame({ error }))
  expect(event).toMatchObject({
    error: { code, retryable, cause: typeof error === 'string' ? error : JSON.stringify(error) },
  })
  expect(event && 'error' in event && event.error.message).not.toMatch(/10\.0\.0\.7|slow|EOF/)
})

test('openai: a frame over the limit overflows, also as the last one', () => {
  const decoder = createOpenAiDecoder({ maxChars: 200 })
  expect(decoder.push(utf8(chunk({ content: 'a' }) + `data: ${'x'.repeat(300)}`))).toEqual([{ message: 'a' }])
  expect(decoder.end()).toMatchObject([{ error: { code: 'overflow' } }])
})

test('openai: a chunk with choices is a part of the reply, whatever its type says', () => {
  const events = decodeText(
    chunk({ content: 'a' }, null, { object: 'error' }) + `event: error\n${chunk({ content: 'b' }, 'stop')}`,
  )
  expect(events).toEqual([{ message: 'a' }, { message: 'b' }, { finish: 'stop' }])
  expect(decodeText(frame({ object: 'error', message: 'no' }))).toMatchObject([{ error: { code: 'upstream_failed' } }])
  expect(decodeText('event: error\n' + frame({ message: 'no' }))).toMatchObject([
    { error: { code: 'upstream_failed' } },
  ])
})

test('openai: of several answers to one question the first one counts', () => {
  const of = (index: number, delta: object, reason: string | null = null): string =>
    frame({ choices: [{ index, delta, finish_reason: reason }] })
  const second = of(1, { content: 'B' }) + of(1, {}, 'stop')
  expect(decodeText(of(0, { content: 'A' }) + second + of(0, { content: 'a' }, 'stop'))).toEqual([
    { message: 'A' },
    { alive: true },
    { alive: true },
    { message: 'a' },
    { finish: 'stop' },
  ])
  const both = frame({
    choices: [
      { index: 1, delta: { content: 'B' } },
      { index: 0, delta: { content: 'A' } },
    ],
  })
  expect(decodeText(both)).toEqual([{ message: 'A' }])
  for (const index of [undefined, null])
    expect(decodeText(frame({ choices: [{ index, delta: { content: 'A' } }] }))).toEqual([{ message: 'A' }])
})

test('openai: the one call of old servers, a function_call in fragments, is a tool call', () => {
  const events = decodeText(
    chunk({ content: null, function_call: { name: 'weather', arguments: '' } }) +
      chunk({ function_call: { arguments: '{"city":' } }) +
      chunk({ function_call: { arguments: '"北京"}' } }) +
      chunk({}, 'function_call') +
      done,
  )
  expect(events.filter((event) => !('alive' in event || 'progress' in event))).toEqual([
    { tool_call: { id: `call_${'07'.repeat(16)}`, name: 'weather', arguments: { city: '北京' } } },
    { finish: 'tool_calls' },
  ])
})

test('openai: a call that is said in both fields is one call', () => {
  const called = { name: 'f', arguments: '{}' }
  const events = decodeText(
    chunk({ tool_calls: [{ index: 0, id: 'a', function: called }], function_call: called }, 'tool_calls') + done,
  )
  expect(events.filter((event) => 'tool_call' in event)).toEqual([{ tool_call: { id: 'a', name: 'f', arguments: {} } }])
  expect(endOf(events)).toBe('tool_calls')
})

test('openai: a finish for calls where none came is no success', () => {
  for (const reason of ['tool_calls', 'function_call']) {
    expect(endOf(decodeText(chunk({}, reason) + done))).toBe('upstream_malformed')
    expect(decodeText(chunk({ content: 'Let me look' }) + chunk({}, reason) + done)).toMatchObject([
      { message: 'Let me look' },
      { alive: true },
      { error: { code: 'upstream_malformed', retryable: true } },
    ])
  }
})
