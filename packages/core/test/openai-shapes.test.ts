import { expect, test } from 'vitest'
import { readObjects } from '../src/upstream/reply/readable.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { eachByte, utf8 } from './support/bytes.ts'

// What servers of OpenAI's kind send beside what OpenAI sends. Each was seen in the wild, or is a sibling of what was.

const decode = (body: string): UpstreamEvent[] => {
  const run = (pieces: readonly Uint8Array[]): UpstreamEvent[] => {
    const decoder = createOpenAiDecoder({ random: (bytes) => bytes.fill(7), from: 'here' })
    return [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
  }
  const events = run([utf8(body)])
  const said = (some: readonly UpstreamEvent[]): unknown => some.filter((one) => !('alive' in one || 'progress' in one))
  expect(said(run(eachByte(utf8(body))))).toEqual(said(events))
  return events
}
const frame = (chunk: unknown): string => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`
const chunk = (delta: unknown, finish: unknown = null, more: object = {}): string =>
  frame({ id: 'x', choices: [{ index: 0, delta, finish_reason: finish }], ...more })
const done = frame('[DONE]')
const end = chunk({}, 'stop') + done

const textOf = (events: readonly UpstreamEvent[]): string =>
  events.map((event) => ('message' in event ? event.message : '')).join('')
const thinkingOf = (events: readonly UpstreamEvent[]): string =>
  events.map((event) => ('thinking' in event ? event.thinking : '')).join('')
const callsOf = (events: readonly UpstreamEvent[]): unknown[] =>
  events.flatMap((event) => ('tool_call' in event ? [[event.tool_call.name, event.tool_call.arguments]] : []))
const endOf = (events: readonly UpstreamEvent[]): string | undefined =>
  events.flatMap((event) => ('finish' in event ? event.finish : 'error' in event ? event.error.code : []))[0]

// Frames

const hi = { choices: [{ index: 0, delta: { content: 'Hi' } }] }
const stop = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }
const [a, b] = [JSON.stringify(hi), JSON.stringify(stop)]
test.for<[string, string]>([
  ['one line feed behind each', `data: ${a}\ndata: ${b}\ndata: [DONE]\n`],
  ['carriage returns mixed', `data: ${a}\r\n\ndata: ${b}\r\rdata: [DONE]\n\r\n`],
  ['no end of the last one', `data: ${a}\n\ndata: ${b}`],
  ['two in one line', `data: ${a}${b}\n\n`],
  ['two glued with the field', `data: ${a}data: ${b}\n\n`],
  ['the field twice', `data: data: ${a}\n\ndata: data:${b}\n\n`],
  ['several in a list', `data: [${a},${b}]\n\n`],
  ['a name and data, one line feed', `event: chunk\ndata: ${a}\nevent: chunk\ndata: ${b}\n`],
  ['a blank line behind the name', `event: chunk\n\ndata: ${a}\n\ndata: ${b}\n\n`],
  ['no field', `${a}\n${b}\n`],
  ['many lines without a field', `data: ${JSON.stringify(hi, null, 2)}\n\ndata: ${b}\n\n`],
  ['many lines in fields', `data: ${JSON.stringify(hi, null, 1).replaceAll('\n', '\ndata: ')}\n\ndata: ${b}\n\n`],
  [
    'keep-alives as data',
    `data: : PROCESSING\n\ndata: ping\n\ndata: {}\n\ndata: null\n\ndata:\n\ndata: ${a}\n\ndata: ${b}\n\n`,
  ],
  ['keep-alives that end by line', `data: ping\ndata: ping\ndata: ping\ndata: ${a}\ndata: ${b}\n`],
  ['figures that are none', `data: {"logprob":-Infinity,"top":[NaN,Infinity],${a.slice(1)}\n\ndata: ${b}\n\n`],
])('openai: frames with %s are read', ([, body]) => {
  const events = decode(body)
  expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
  expect(events.some((event) => 'malformed' in event)).toBe(false)
})

test('openai: a line break in a string, bare, is a part of the text', () => {
  expect(textOf(decode(`data: ${a.replace('Hi', 'H\n\ti')}\n\n${end}`))).toBe('H\n\ti')
})

test.for<[string, string]>([
  ['torn by a heartbeat', `data: ${a.slice(0, 20)}: keep-alive\n\n${a.slice(20)}\n\n`],
  ['torn, one line feed behind it', `data: ${a.slice(0, 20)}\ndata: ${JSON.stringify({ choices: [] })}\n\n`],
  ['text in no object', 'data: "Hi"\n\n'],
  ['a page', 'data: <html>\n\n'],
  ['words of Python', "data: {'choices': None}\n\n"],
])('openai: a frame that is %s is told, and the rest is read', ([, body]) => {
  const events = decode(body + end)
  // Both halves of the one that is torn are.
  expect(events.filter((event) => 'malformed' in event)).toHaveLength(body.includes(': keep-alive') ? 2 : 1)
  expect(endOf(events)).toBe('stop')
})

test.for([
  'ping',
  'PONG',
  ': ping - 2026-11-30 08:11:23.123456+00:00',
  'ping 2026-11-30T08:11:23Z',
  'keep-alive',
  ': keepalive',
  'keep alive',
  'heartbeat',
  'processing',
  ': OPENROUTER PROCESSING',
  'SOME-PROXY PROCESSING',
  'DONE',
  '...',
])('openai: plain words that are a keep-alive, %s, are a sign of life', (words) => {
  const events = decode(`data: ${words}\n\n${end}`)
  expect(events[0]).toEqual({ alive: true })
  expect(endOf(events)).toBe('stop')
})

test.for(['Hello', 'Once upon a time', '春光', 'ping me tomorrow', 'is processing power'])(
  'openai: plain words that nobody knows, %s, may be text that is lost',
  (words) => {
    expect(decode(`data: ${words}\n\n${end}`)).toContainEqual({ malformed: words })
  },
)

test('openai: plain words in an event that is called a keep-alive are one', () => {
  expect(decode(`event: heartbeat\ndata: still with you\n\n${end}`)[0]).toEqual({ alive: true })
})

test.for<[words: string, code: string]>([
  ['Internal Server Error', 'upstream_crashed'],
  ['error: the worker has gone', 'upstream_failed'],
  ['upstream request timeout', 'upstream_unreachable'],
  ['Server is busy, please try again', 'upstream_busy'],
  ['rate limit exceeded', 'upstream_busy'],
  ['服务繁忙，请稍后再试', 'upstream_busy'],
  ['Incorrect API key provided', 'upstream_unauthorized'],
  ['The prompt is too long', 'upstream_rejected'],
  ['engine is dead', 'upstream_crashed'],
])('openai: plain words that are an error, %s, are one: %s', ([words, code]) => {
  for (const body of [`data: ${words}\n\n`, `data: ${words}\n`, `data: ${words}`, `data: ping\ndata: ${words}\n`]) {
    const found = decode(body).find((event) => 'error' in event)
    expect(found).toMatchObject({ error: { code } })
  }
})

// In quadratic time this would take minutes.
test('openai: a hostile frame of the largest size is looked at once', () => {
  const half = '"\\"'.repeat(300_000)
  for (const bad of [
    `{${half}`,
    `{"a":${'N'.repeat(1_000_000)}`,
    `${'{"a":'.repeat(90)}${half}`,
    `${'{}'.repeat(500_000)}{`,
  ])
    expect(readObjects(bad)).toBeUndefined()
})

// One piece of JSON

test.for([0, 2])('openai: a whole answer in JSON, indented by %i, is a reply', (indent) => {
  const called = { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }
  const message = { role: 'assistant', content: 'Hi', reasoning_content: 'Hm', tool_calls: [called] }
  const usage = { prompt_tokens: 1, completion_tokens: 2 }
  const whole = { object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'tool_calls' }], usage }
  const events = decode(JSON.stringify(whole, null, indent))
  expect([thinkingOf(events), textOf(events), callsOf(events)]).toEqual(['Hm', 'Hi', [['f', { x: 1 }]]])
  expect(events.at(-1)).toEqual({ finish: 'tool_calls', usage })
})

test('openai: an error in one piece of JSON is that error', () => {
  for (const indent of [0, 2])
    expect(
      endOf(decode(JSON.stringify({ error: { message: 'no', code: 'context_length_exceeded' } }, null, indent))),
    ).toBe('upstream_rejected')
})

// Places

test.for<[string, object]>([
  ['message.content', { choices: [{ index: 0, message: { content: 'Hi' } }] }],
  ['text', { choices: [{ index: 0, text: 'Hi' }] }],
  ['delta.text', { choices: [{ index: 0, delta: { text: 'Hi' } }] }],
  ['delta itself', { choices: [{ index: 0, delta: 'Hi' }] }],
  ['one part', { choices: [{ index: 0, delta: { content: { type: 'text', text: 'Hi' } } }] }],
  ['output_text', { choices: [{ index: 0, delta: { content: [{ type: 'output_text', text: 'Hi' }] } }] }],
  ['strings in a list', { choices: [{ index: 0, delta: { content: ['H', 'i'] } }] }],
  ['text.value', { choices: [{ index: 0, delta: { content: [{ type: 'text', text: { value: 'Hi' } }] } }] }],
  ['choices as an object', { choices: { delta: { content: 'Hi' } } }],
  ['response', { response: 'Hi' }],
  ['message.content without choices', { message: { content: 'Hi' } }],
  ['delta without choices', { delta: { content: 'Hi' } }],
  ['text under two names', { choices: [{ index: 0, delta: { content: 'Hi' }, text: 'Hi' }] }],
])('openai: text in %s is read, once', ([, one]) => {
  const events = decode(frame(one) + end)
  expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
})

test('openai: the whole message behind its deltas says nothing twice, but gives the calls that only it has', () => {
  const message = { content: 'Hi', tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{}' } }] }
  const last = frame({ choices: [{ index: 0, delta: {}, message, finish_reason: 'tool_calls' }] })
  const events = decode(chunk({ content: 'H' }) + chunk({ content: 'i' }) + last + done)
  expect([textOf(events), callsOf(events)]).toEqual(['Hi', [['f', {}]]])
})

test.for([1, '0', null, 7])('openai: the only choice may have the number %o', (index) => {
  const of = (more: object): string => frame({ choices: [{ index, ...more }] })
  const events = decode(of({ delta: { content: 'Hi' } }) + of({ delta: {}, finish_reason: 'stop' }) + done)
  expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
})

test.for<[string, object]>([
  ['reasoning_text', { reasoning_text: 'Hm' }],
  ['an object', { reasoning: { content: 'Hm' } }],
  [
    'details',
    {
      reasoning_details: [
        { type: 'reasoning.text', text: 'H' },
        { type: 'reasoning.summary', summary: 'm' },
      ],
    },
  ],
  ['blocks', { thinking_blocks: [{ type: 'thinking', thinking: 'Hm', signature: 'x' }] }],
  ['two places', { reasoning: 'Hm', reasoning_details: [{ type: 'reasoning.text', text: 'Hm' }] }],
  ['parts', { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }] }],
])('openai: thinking in %s is thinking, once', ([, delta]) => {
  expect(thinkingOf(decode(chunk(delta) + end))).toBe('Hm')
})

test.for<[string, string]>([
  [
    'the choice',
    frame({
      choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage: { prompt_tokens: 1, completion_tokens: 2 } }],
    }),
  ],
  ['x_groq', chunk({}, 'stop', { x_groq: { usage: { prompt_tokens: 1, completion_tokens: 2 } } })],
  ['other names', chunk({}, 'stop', { usage: { input_tokens: 1, output_tokens: 2 } })],
  ['the delta', chunk({ usage: { prompt_tokens: 1, completion_tokens: 2 } }, 'stop')],
  ['metadata', chunk({}, 'stop', { usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 } })],
])('openai: usage in %s is counted', ([, last]) => {
  expect(decode(chunk({ content: 'Hi' }) + last + done).at(-1)).toEqual({
    finish: 'stop',
    usage: { prompt_tokens: 1, completion_tokens: 2 },
  })
})

// Calls

const call = (...fragments: unknown[]): string => chunk({ tool_calls: fragments })
const f = (name: unknown, args?: unknown, more: object = {}): object => ({
  function: { name, arguments: args },
  ...more,
})
const two = [
  ['f', { x: 1 }],
  ['f', { x: 2 }],
]
test.for<[string, string, unknown[]]>([
  ['one object', chunk({ tool_calls: f('f', '{"x":1}', { index: 0, id: 'a' }) }), two.slice(0, 1)],
  ['an object by numbers', chunk({ tool_calls: { 0: f('f', '{"x":1}'), 1: f('f', '{"x":2}') } }), two],
  ['JSON in a string', chunk({ tool_calls: JSON.stringify([f('f', '{"x":1}')]) }), two.slice(0, 1)],
  ['name and arguments beside the id', call({ id: 'a', name: 'f', arguments: { x: 1 } }), two.slice(0, 1)],
  ['one index, no ids', call(f('f', '{"x":1}', { index: 0 })) + call(f('f', '{"x":2}', { index: 0 })), two],
  [
    'one index, one name, no ids, in fragments',
    call(f('f', '', { index: 0 })) +
      call(f(null, '{"x"', { index: 0 })) +
      call(f(null, ':1}', { index: 0 })) +
      call(f('f', '', { index: 0 })) +
      call(f(null, '{"x"', { index: 0 })) +
      call(f('', ':2}', { index: 0 })),
    two,
  ],
  [
    'the same, and arguments with the name',
    call(f('f', '{"x"', { index: 0 })) +
      call(f(null, ':1}', { index: 0 })) +
      call(f('f', '{"x"', { index: 0 })) +
      call(f(null, ':2}', { index: 0 })),
    two,
  ],
  [
    'the same, and none of the second',
    call(f('f', '{"x":1}', { index: 0 })) + call(f('f', '', { index: 0 })) + call(f(null, '', { index: 0 })),
    two.slice(0, 1),
  ],
  ['no index, no ids', call(f('f', '{"x":1}')) + call(f('f', '{"x":2}')), two],
  ['one id', call(f('f', '{"x":1}', { id: 'a' })) + call(f('f', '{"x":2}', { id: 'a' })), two],
  ['the id "null"', call(f('f', '{"x":1}', { id: 'null' })) + call(f('f', '{"x":2}', { id: 'null' })), two],
  [
    'a new id each',
    call(f('f', '{"x"', { index: 0, id: 'a' })) + call(f(null, ':1}', { index: 0, id: 'b' })),
    two.slice(0, 1),
  ],
  [
    'the whole said again',
    call(f('f', '{"x":1}', { id: 'a' })) + call(f('f', '{"x":1}', { id: 'a' })),
    two.slice(0, 1),
  ],
  [
    'its name said again at the end',
    call(f('f', '{"x":1}', { index: 0 })) + call(f('f', '', { index: 0 })),
    two.slice(0, 1),
  ],
  [
    '{} in front',
    call(f('f', '{}', { index: 0 })) + call(f(null, '{"x"', { index: 0 })) + call(f(null, ':1}', { index: 0 })),
    two.slice(0, 1),
  ],
  [
    '{} in front, and the name again',
    call(f('f', {}, { index: 0, id: 'a' })) + call(f('f', '{"x":1}', { index: 0, id: 'a' })),
    two.slice(0, 1),
  ],
  ['null in front', call(f('f', 'null', { index: 0 })) + call(f(null, '{"x":1}', { index: 0 })), two.slice(0, 1)],
  [
    'its name in pieces',
    call(f('get_', '', { index: 0, id: 'a' })) + call(f('it', '', { index: 0 })) + call(f(null, '{}', { index: 0 })),
    [['get_it', {}]],
  ],
  [
    'its name growing',
    call(f('get_', '', { index: 0, id: 'a' })) + call(f('get_it', '{}', { index: 0 })),
    [['get_it', {}]],
  ],
  [
    'null behind all of its arguments',
    call(f('f', '{"x":1}', { index: 0, id: 'a' })) + call(f(null, 'null', { index: 0 })),
    two.slice(0, 1),
  ],
  [
    'an empty object behind all of its arguments, under its id and name',
    call(f('f', '{"x":1}', { index: 0, id: 'a' })) + call(f('f', '{}', { index: 0, id: 'a' })),
    two.slice(0, 1),
  ],
  [
    'all of its arguments once more, without a name',
    call(f('f', '{"x"', { index: 0 })) + call(f(null, ':1}', { index: 0 })) + call(f(null, '{"x":1}', { index: 0 })),
    two.slice(0, 1),
  ],
  [
    'one index in one list, and no arguments',
    chunk({ tool_calls: [f('f', null, { index: 0 }), f('g', null, { index: 0 })] }),
    [
      ['f', {}],
      ['g', {}],
    ],
  ],
  [
    'one index and one id in one list',
    chunk({ tool_calls: [f('f', '{}', { index: 0, id: '0' }), f('g', '{}', { index: 0, id: '0' })] }),
    [
      ['f', {}],
      ['g', {}],
    ],
  ],
  [
    'one name twice in one list',
    chunk({ tool_calls: [f('f', '{}', { index: 0 }), f('f', '{"x":1}', { index: 0 })] }),
    [['f', {}], two[0]],
  ],
  [
    'one index in two frames, without an id, the second with its arguments',
    call(f('f', '', { index: 0 })) + call(f('g', '{"y":2}', { index: 0 })),
    [
      ['f', {}],
      ['g', { y: 2 }],
    ],
  ],
  [
    'its name in pieces without an index',
    call(f('get_', null)) + call(f('weather', null)) + call(f(null, '{"x":1}')),
    [['get_weather', { x: 1 }]],
  ],
  ['arguments encoded twice', call(f('f', JSON.stringify('{"x":1}'))), two.slice(0, 1)],
  [
    'the same in pieces',
    call(f('f', '"{\\"x\\"', { index: 0 })) + call(f(null, ':1}"', { index: 0 })),
    two.slice(0, 1),
  ],
  [
    'no arguments',
    call(f('f')) + call(f('g', null)) + call(f('h', '')) + call(f('i', 'null')) + call(f('j', [])),
    [
      ['f', {}],
      ['g', {}],
      ['h', {}],
      ['i', {}],
      ['j', {}],
    ],
  ],
  ['empty places beside it', call({}, null, { index: 0 }, f('f', '{"x":1}', { index: 1 })), two.slice(0, 1)],
])('openai: tool calls with %s', ([, frames, calls]) => {
  const events = decode(frames + end)
  expect(callsOf(events)).toEqual(calls)
  expect(endOf(events)).toBe('tool_calls')
  const ids = events.flatMap((event) => ('tool_call' in event ? [event.tool_call.id] : []))
  expect(ids.every((id) => id !== '')).toBe(true)
})

test.for(['stop', 'tool_calls'])('openai: a call behind the finish_reason %s is given', (reason) => {
  const events = decode(chunk({ content: 'Let me look.' }) + chunk({}, reason) + call(f('f', '{"x":1}')) + done)
  expect([callsOf(events), endOf(events)]).toEqual([two.slice(0, 1), 'tool_calls'])
})

test('openai: calls that were announced and did not come are missed, whatever is said after that', () => {
  expect(endOf(decode(chunk({}, 'tool_calls') + end))).toBe('upstream_malformed')
})

test.for([['[1]'], ['7'], ['{"x":1}{"y":2}'], ['{"x":1'], ['"text"']])(
  'openai: a call with the arguments %s is told',
  ([args]) => {
    const events = decode(call(f('f', args, { index: 0 })) + end)
    expect([callsOf(events), endOf(events)]).toEqual([[], 'upstream_malformed'])
  },
)

test('openai: a call of half a million characters in small fragments is whole, and one of more than 1 MiB overflows', () => {
  const decoder = createOpenAiDecoder()
  const push = (args: string): unknown => decoder.push(utf8(call({ index: 0, ...f('f', args) })))
  push('{"x":"')
  const many = utf8(call({ index: 0, function: { arguments: 'abcd'.repeat(10) } }).repeat(500))
  for (let i = 0; i < 25; i++) decoder.push(many)
  push('"}')
  const events = decoder.push(utf8(end))
  const whole = events.flatMap((event) => ('tool_call' in event ? [String(event.tool_call.arguments['x']).length] : []))
  expect(whole).toEqual([500_000])
  const other = createOpenAiDecoder()
  const large = utf8(call({ index: 0, function: { arguments: 'x'.repeat(500_000) } }))
  expect([large, large, large].map((piece) => endOf(other.push(piece)))).toEqual([undefined, undefined, 'overflow'])
})

test('openai: calls without end overflow, also such that say nothing but a name', () => {
  const decoder = createOpenAiDecoder()
  const ends = Array.from({ length: 40 }, (_, i) => {
    const names = Array.from({ length: 500 }, (_call, j) => call(f('f', '', { index: i * 500 + j })))
    return endOf(decoder.push(utf8(names.join(''))))
  })
  expect(ends.filter((one) => one !== undefined)).toEqual(['overflow'])
})

// Opaque data

test('openai: what a server attached to a call comes with it; nothing, where that is nothing or too much', () => {
  const opaqueOf = (more: object, called: object = {}): unknown => {
    const events = decode(
      call({ id: 'a', type: 'function', ...more, function: { name: 'f', arguments: '{}', ...called } }) + end,
    )
    return events.flatMap((event) => ('tool_call' in event ? [event.tool_call.opaque] : []))[0]
  }
  const signature = { extra_content: { google: { thought_signature: 'EqQB' } } }
  expect(opaqueOf(signature)).toEqual({ from: 'here', call: signature })
  expect(opaqueOf({}, { thought_signature: 'EqQB' })).toEqual({ from: 'here', function: { thought_signature: 'EqQB' } })
  expect(opaqueOf({ extra_content: {}, custom: null, index: 0 })).toBeUndefined()
  expect(opaqueOf({ extra_content: { x: 'x'.repeat(70_000) } })).toBeUndefined()
})

// What stands behind the finish reason, and marks of the end in other spellings

test.for(['"[DONE]"', ' [DONE]', '\t[DONE]', '[done]', '[ DONE ]', "'[DONE]'", '[DONE]\t'])(
  'end: %j is the mark of the end, and no frame that was lost',
  (mark) => {
    const events = decode(chunk({ content: 'Hi' }) + chunk({}, 'stop') + frame(mark))
    expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
    expect(events.filter((event) => 'malformed' in event)).toEqual([])
  },
)
test('end: the mark of the end may be glued to the last chunk', () => {
  const events = decode(chunk({ content: 'Hi' }) + `${chunk({}, 'stop').trimEnd()}data: [DONE]\n\n`)
  expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
  expect(events.filter((event) => 'malformed' in event)).toEqual([])
})
const counted = { usage: { prompt_tokens: 1, completion_tokens: 1 } }
test('calls: behind the finish reason they are whole, also where each chunk counts', () => {
  const [first, second] = [
    { index: 0, id: 'a', function: { name: 'f', arguments: '' } },
    { index: 1, id: 'b', function: { name: 'g', arguments: '{}' } },
  ]
  const events = decode(
    chunk({}, 'stop', counted) +
      chunk({ tool_calls: [first] }, null, counted) +
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"x":1}' } }] }, null, counted) +
      chunk({ tool_calls: [second] }, null, counted) +
      done,
  )
  expect(callsOf(events)).toEqual([
    ['f', { x: 1 }],
    ['g', {}],
  ])
  expect(endOf(events)).toBe('tool_calls')
})
test('text: behind the finish reason nothing is lost, also where each chunk counts', () => {
  const after = chunk({ content: 'B' }, null, counted) + chunk({ content: 'C' }, null, counted)
  const events = decode(chunk({ content: 'A' }) + chunk({}, 'stop', counted) + after + done)
  expect([textOf(events), endOf(events)]).toEqual(['ABC', 'stop'])
})
test('text: an answer that stands in the last message only is said where the pieces were thinking', () => {
  const whole = { choices: [{ message: { reasoning_content: 'T', content: 'Answer' }, finish_reason: 'stop' }] }
  const events = decode(chunk({ reasoning_content: 'T' }) + frame(whole) + done)
  expect([thinkingOf(events), textOf(events), endOf(events)]).toEqual(['T', 'Answer', 'stop'])
})
test('text: an answer that was said in pieces behind thinking is not said again by the whole of it', () => {
  const whole = { choices: [{ message: { reasoning_content: 'T', content: 'Answer' }, finish_reason: 'stop' }] }
  const pieces = chunk({ reasoning_content: 'T' }) + chunk({ content: 'Ans' }) + chunk({ content: 'wer' })
  expect(textOf(decode(pieces + frame(whole) + done))).toBe('Answer')
})
test.for(['  data: ', '\tdata: ', ' '])('frames: %j in front of an object hides no text', (before) => {
  const body = chunk({ content: 'A' }) + before + JSON.stringify(hi) + '\n\n' + end
  expect([textOf(decode(body)), endOf(decode(body))]).toEqual(['AHi', 'stop'])
})

// Ends

test.for<[string, object]>([
  ['in camel case', { choices: [{ delta: {}, finishReason: 'STOP' }] }],
  ['in the delta', { choices: [{ delta: { finish_reason: 'stop' } }] }],
  ['in the message', { choices: [{ message: { finish_reason: 'stop' } }] }],
  ['beside the choices', { choices: [{ delta: {} }], finish_reason: 'stop' }],
  ['beside no choices', { choices: [], finish_reason: 'stop' }],
  ['as an object', { choices: [{ delta: {}, finish_reason: { type: 'stop', matched: 7 } }] }],
  ['as details', { choices: [{ delta: {}, finish_reason: null, finish_details: { type: 'stop', stop: '<|x|>' } }] }],
])('openai: a finish reason %s ends the reply', ([, last]) => {
  const events = decode(chunk({ content: 'Hi' }) + frame(last) + done)
  expect(events.filter((event) => !('alive' in event))).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
})

test('openai: a finish reason of an event that is no chunk ends nothing', () => {
  expect(endOf(decode(chunk({ content: 'Hi' }) + frame({ type: 'step', finish_reason: 'stop' })))).toBeUndefined()
})

test.for(['[DONE]', '[END]', '[EOS]', '[EOF]', '[FINISH]', '[STOP]', '[COMPLETE]', '<DONE>', '</s>', '<|im_end|>'])(
  'openai: %s marks the end',
  (mark) => {
    const events = decode(chunk({ content: 'Hi' }) + chunk({}, 'stop') + frame(mark))
    expect(events.filter((event) => !('alive' in event))).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
    const accepting = createOpenAiDecoder({}, { proof: '[DONE]' })
    accepting.push(utf8(chunk({ content: 'Hi' })))
    expect(endOf(accepting.push(utf8(frame(mark))))).toBe('stop')
  },
)

test('openai: another mark in brackets is none', () => {
  expect(decode(chunk({ content: 'Hi' }) + frame('[error]') + end)).toContainEqual({ malformed: '[error]' })
})

test('openai: an error in words ends the reply: nothing behind it counts', () => {
  const events = decode(chunk({ content: 'A' }) + frame('Internal Server Error') + chunk({ content: 'B' }) + end)
  expect([textOf(events), endOf(events), events.length]).toEqual(['A', 'upstream_crashed', 2])
})

test('openai: a page in place of the rest of a reply is told, and its words are no error', () => {
  const events = decode(`${chunk({ content: 'A' })}<html>\n<h1>502 Bad Gateway</h1>\nServer is busy\n</html>\n`)
  expect(events.slice(1).every((event) => 'malformed' in event)).toBe(true)
})
