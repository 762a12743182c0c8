import { expect, test } from 'vitest'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { hasWords } from '../src/upstream/reply/lost-words.ts'
import { createSaidText } from '../src/upstream/reply/said-text.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { eachByte, utf8 } from './support/bytes.ts'

// Text in places where few servers have it: it is read, or the reply says that it has a hole.

const kinds = {
  openai: { decoder: createOpenAiDecoder, frame: (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n` },
  ollama: { decoder: createOllamaDecoder, frame: (chunk: unknown) => `${JSON.stringify(chunk)}\n` },
}
type Kind = keyof typeof kinds

function decode(kind: Kind, chunks: readonly unknown[]): UpstreamEvent[] {
  const { decoder: create, frame } = kinds[kind]
  const run = (pieces: readonly Uint8Array[]): UpstreamEvent[] => {
    const decoder = create()
    const events = [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
    return events.filter((event) => 'finish' in event || !('alive' in event || 'progress' in event || 'usage' in event))
  }
  const body = utf8(chunks.map(frame).join(''))
  const events = run([body])
  expect(run(eachByte(body))).toEqual(events)
  return events
}
const textOf = (events: readonly UpstreamEvent[]): string =>
  events.map((event) => ('message' in event ? event.message : '')).join('')
const isHoled = (events: readonly UpstreamEvent[]): boolean => events.some((event) => 'malformed' in event)
const endOf = (events: readonly UpstreamEvent[]): unknown =>
  events.flatMap((event) => ('finish' in event ? event.finish : []))[0]

const choice = (delta: unknown, more: object = {}): object => ({ id: 'x', choices: [{ index: 0, delta, ...more }] })
const stop = { openai: choice({}, { finish_reason: 'stop' }), ollama: { message: { content: '' }, done: true } }
const line = (message: object, more: object = {}): object => ({ model: 'm', message, done: false, ...more })

// Read

test.for<[Kind, string, unknown]>([
  ['openai', 'delta.output_text', choice({ output_text: 'Hi' })],
  ['openai', 'delta.value', choice({ value: 'Hi' })],
  ['openai', 'delta.value beside an empty content', choice({ content: '', value: 'Hi' })],
  ['openai', 'delta.text beside an empty list', choice({ content: [], text: 'Hi' })],
  ['openai', 'a part of the type data', choice({ content: [{ type: 'data', data: 'Hi' }] })],
  ['openai', 'a part of the type delta', choice({ content: [{ type: 'delta', delta: 'Hi' }] })],
  ['openai', 'a part of a part', choice({ content: [{ type: 'text_delta', delta: { text: 'Hi' } }] })],
  ['openai', 'output.text', { output: { text: 'Hi', finish_reason: 'null' }, request_id: 'x' }],
  ['openai', 'output.choices', { output: { choices: [{ message: { role: 'assistant', content: 'Hi' } }] } }],
  ['openai', 'data.choices', { data: choice({ content: 'Hi' }) }],
  ['openai', 'output as a text', { output: 'Hi' }],
  ['openai', 'output of parts', { output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }] }],
  ['openai', 'token.text', { token: { id: 5, text: 'Hi', logprob: -1, special: false }, generated_text: null }],
  ['openai', 'result.response', { result: { response: 'Hi' } }],
  ['openai', 'generated_text', { generated_text: 'Hi' }],
  ['openai', 'content', { content: 'Hi', stop: false }],
  ['openai', 'text', { text: 'Hi' }],
  ['openai', 'text beside an empty delta', { ...choice({}), text: 'Hi' }],
  [
    'openai',
    'messages',
    {
      messages: [
        { role: 'user', content: 'No' },
        { role: 'assistant', content: 'Hi' },
      ],
    },
  ],
  ['openai', 'a message that is a text', { choices: [{ message: 'Hi' }] }],
  ['openai', 'an event of another kind', { type: 'response.output_text.delta', item_id: 'x', delta: 'Hi' }],
  ['openai', "Anthropic's delta", { type: 'content_block_delta', delta: { type: 'text_delta', text: 'Hi' } }],
  ['openai', 'candidates', { candidates: [{ content: { role: 'model', parts: [{ text: 'Hi' }] } }] }],
  ['ollama', 'message.text', line({ role: 'assistant', text: 'Hi' })],
  ['ollama', 'message.output_text', line({ role: 'assistant', content: '', output_text: 'Hi' })],
  ['ollama', 'message.content in parts', line({ content: [{ type: 'data', data: 'Hi' }] })],
  ['ollama', 'content', { content: 'Hi' }],
  ['ollama', 'text', { text: 'Hi', done: false }],
  ['ollama', 'response beside an empty message', line({ content: '' }, { response: 'Hi' })],
  [
    'ollama',
    'messages',
    {
      messages: [
        { role: 'user', content: 'No' },
        { role: 'assistant', content: 'Hi' },
      ],
    },
  ],
])('text: of %s, in %s, is read', ([kind, , chunk]) => {
  expect(decode(kind, [chunk, stop[kind]])).toMatchObject([{ message: 'Hi' }, { finish: 'stop' }])
})

test('text: the thinking of an event of another kind is thinking, and arguments are nothing', () => {
  const thought = { type: 'response.reasoning_text.delta', delta: 'Hm' }
  const args = { type: 'response.function_call_arguments.delta', delta: '{"x":1}' }
  const events = decode('openai', [thought, args, choice({ content: 'Hi' }), stop.openai])
  expect(events).toMatchObject([{ thinking: 'Hm' }, { message: 'Hi' }, { finish: 'stop' }])
})

// Lost

test.for<[Kind, string, unknown]>([
  ['openai', 'a field of the delta', choice({ words: 'Hi' })],
  ['openai', 'a field of the delta beside an empty content', choice({ content: '', speech: { piece: 'Hi' } })],
  ['openai', 'a field of the choice', { choices: [{ index: 0, said: 'Hi' }] }],
  ['openai', 'a part of a type that nobody knows', choice({ content: [{ type: 'words', words: 'Hi' }] })],
  ['openai', 'a part too deep', choice({ content: [[[[[[[{ text: 'Hi' }]]]]]]] })],
  ['openai', 'a chunk without choices', { words: 'Hi' }],
  ['ollama', 'a field of the message', line({ role: 'assistant', content: '', words: 'Hi' })],
  ['ollama', 'a line without a message', { words: 'Hi' }],
])('text: of %s, in %s, is a hole, also behind text that was read', ([kind, , chunk]) => {
  const said = kind === 'openai' ? choice({ content: 'A' }) : line({ content: 'A' })
  for (const chunks of [
    [chunk, stop[kind]],
    [said, chunk, stop[kind]],
  ]) {
    const events = decode(kind, chunks)
    expect([isHoled(events), endOf(events)]).toEqual([true, 'stop'])
  }
})

test.for<[Kind, string, unknown]>([
  ['openai', 'an event of another kind', { type: 'speech', words: 'Hi' }],
  ['ollama', 'a line of another kind', { type: 'speech', words: 'Hi' }],
])('text: of %s, in %s, is a hole where the reply says nothing else', ([kind, , chunk]) => {
  expect(isHoled(decode(kind, [chunk, stop[kind]]))).toBe(true)
  const said = kind === 'openai' ? choice({ content: 'A' }) : line({ content: 'A' })
  expect(isHoled(decode(kind, [said, chunk, stop[kind]]))).toBe(false)
})

// Not lost

const about = {
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'the model',
  provider: 'Somebody',
  system_fingerprint: 'fp_1',
  service_tier: 'default',
  created_at: '2026-11-30T00:00:00Z',
  x_groq: { id: 'req_1' },
  timings: { prompt_n: 1 },
  prompt: 'What was asked',
  request: { text: 'What was asked' },
  obfuscation: 'abcd',
  usage: { prompt_tokens: 1, completion_tokens: 1, cost_details: { currency: 'USD' } },
  prompt_filter_results: [{ content_filter_results: { hate: { severity: 'safe' } } }],
  citations: ['https://example.org/'],
  search_results: [{ title: 'A page', snippet: 'words of it' }],
  requestId: 'abc',
  modelVersion: 'm-1',
  base_resp: { status_code: 0, status_msg: 'success' },
}
test('text: what servers say about a reply is none', () => {
  for (const [name, value] of Object.entries(about)) expect([name, hasWords({ [name]: value })]).toEqual([name, false])
  const beside = {
    logprobs: { content: [{ token: 'Hi', logprob: -1, top_logprobs: [{ token: 'Ho' }] }] },
    native_finish_reason: 'STOP',
    stop_reason: 'the word',
    matched_stop: '</s>',
    content_filter_results: { hate: { severity: 'safe' } },
  }
  const events = decode('openai', [
    { ...about, ...choice({ role: 'assistant', content: '', refusal: null }, beside) },
    { ...about, ...choice({ content: 'Hi' }, beside) },
    { ...about, ...choice({ role: 'assistant', tool_calls: null, reasoning_signature: 'abc' }, beside) },
    { ...about, ...choice({}, { ...beside, finish_reason: 'stop' }) },
    { ...about, choices: [] },
  ])
  expect([textOf(events), isHoled(events), endOf(events)]).toEqual(['Hi', false, 'stop'])
  const { usage: _, ...more } = about
  const lines = decode('ollama', [
    { ...more, ...line({ role: 'assistant', content: '' }) },
    { ...more, ...line({ role: 'assistant', content: 'Hi' }) },
    { ...more, ...line({ role: 'assistant', content: '' }, { done: true, done_reason: 'stop', context: [1, 2] }) },
  ])
  expect([textOf(lines), isHoled(lines), endOf(lines)]).toEqual(['Hi', false, 'stop'])
})

test('text: a field that nobody knows is none where it stands beside text, too', () => {
  const events = decode('openai', [
    choice({ content: 'Hi', mood: 'glad' }),
    choice({ content: '', mood: 'glad' }),
    stop.openai,
  ])
  expect([textOf(events), isHoled(events)]).toEqual(['Hi', false])
  const lines = decode('ollama', [
    line({ content: 'Hi', mood: 'glad' }),
    line({ content: '', mood: 'glad' }),
    stop.ollama,
  ])
  expect([textOf(lines), isHoled(lines)]).toEqual(['Hi', false])
})

test('text: a notice beside the reply is none, and hides nothing', () => {
  for (const notice of [
    { event: 'queue', message: 'You are number 3', position: 3, eta: 'soon' },
    { status: 'queued', detail_text: 'You are number 3' },
  ]) {
    const events = decode('openai', [notice, choice({ content: 'Hi' }), stop.openai])
    expect([textOf(events), isHoled(events), endOf(events)]).toEqual(['Hi', false, 'stop'])
  }
})

test('text: the end of a reply is read where its text is', () => {
  for (const end of [
    { result: { response: '', finish_reason: 'stop' } },
    { output: { text: '', finish_reason: 'stop' } },
  ])
    expect(endOf(decode('openai', [{ text: 'Hi' }, end]))).toBe('stop')
})

test('text: chunks with choices go on with what one without them has begun', () => {
  const events = decode('openai', [{ text: 'Hi' }, choice({ content: ' there' }), stop.openai])
  expect([textOf(events), endOf(events)]).toEqual(['Hi there', 'stop'])
})

test('text: pictures, files and the like are none', () => {
  const parts = [
    { type: 'image_url', image_url: { url: 'data:image/png;base64,abc' } },
    { type: 'file', data: 'abc', mime_type: 'text/plain' },
    { type: 'tool_result', content: [{ type: 'image', data: 'abc' }] },
    { inlineData: { mimeType: 'image/png', data: 'abc' } },
  ]
  const events = decode('openai', [choice({ content: [...parts, { type: 'text', text: 'Hi' }] }), stop.openai])
  expect([textOf(events), isHoled(events)]).toEqual(['Hi', false])
})

// The whole of it, once more

test.for<[string, string, string, boolean]>([
  ['the same', 'Hi there', 'Hi there', false],
  ['longer', 'Hi there, you', 'Hi there, you', false],
  ['the same without the white space at its ends', ' Hi there\n', 'Hi there', false],
  ['longer, without the white space in front', '\n Hi there, you', 'Hi there, you', false],
  ['the same behind thinking', 'Hi there', '<think>Hm</think>Hi there', false],
  ['the same with the mark of its end', 'Hi there', 'Hi there<|im_end|>', false],
  ['another one', 'Hi there', 'Ho there, you', true],
  ['a piece of it', 'Hi there', ' and more', true],
])('whole: a last message that is %s', ([, said, whole, isOther]) => {
  const pieces = (said.includes(', you') ? said.slice(0, -5) : said).split('').map((content) => choice({ content }))
  const last = {
    choices: [{ index: 0, delta: {}, message: { role: 'assistant', content: whole }, finish_reason: 'stop' }],
  }
  const events = decode('openai', [...pieces, last])
  expect([textOf(events), isHoled(events), endOf(events)]).toEqual([said, isOther, 'stop'])
})

test('whole: the text of all tokens at the end is not said twice, and what it has beyond them is', () => {
  const token = (text: string, more: object = {}): object => ({ token: { id: 1, text, special: false }, ...more })
  const end = (generated_text: string): object => ({
    token: { id: 2, text: '</s>', special: true },
    generated_text,
    details: { finish_reason: 'eos_token', generated_tokens: 2, prefill: [{ text: 'What was asked' }] },
  })
  const pieces = [token('Hi', { generated_text: null }), token(' there')]
  expect(decode('openai', [...pieces, end('Hi there')])).toEqual([
    { message: 'Hi' },
    { message: ' there' },
    { finish: 'stop' },
  ])
  expect(textOf(decode('openai', [...pieces, end('Hi there, you')]))).toBe('Hi there, you')
})

test('whole: whatever the pieces are, the text beyond them is known', () => {
  const whole = ' \n Hi  you \n there 😀 \n '
  for (let cut = 0; cut <= whole.length; cut++) {
    for (const size of [1, 2, 5]) {
      const said = createSaidText()
      for (let at = 0; at < cut; at += size) said.add(whole.slice(at, Math.min(cut, at + size)))
      const rest = cut <= 3 ? whole.trimStart() : whole.slice(cut)
      expect(said.beyond(whole)).toBe(rest)
      expect((said.beyond(whole.trim()) ?? '?').trim()).toBe(rest.trim())
    }
  }
})

// Choices

const of = (index: number, delta: object, more: object = {}): object => ({ choices: [{ index, delta, ...more }] })
test.for<[string, readonly object[]]>([
  [
    'a role of another one',
    [of(0, { role: 'assistant', content: '' }), of(1, { content: 'Hi' }), of(1, {}, { finish_reason: 'stop' })],
  ],
  [
    'the end of another one',
    [of(0, { role: 'assistant' }), of(1, { content: 'Hi' }), of(0, {}, { finish_reason: 'stop' })],
  ],
  [
    'thinking in another one',
    [of(0, { reasoning: 'Hm' }), of(1, { content: 'Hi' }), of(1, {}, { finish_reason: 'stop' })],
  ],
  [
    'an early end of another one',
    [of(0, {}, { finish_reason: 'stop' }), of(1, { content: 'Hi' }), of(1, {}, { finish_reason: 'stop' })],
  ],
])('choices: %s does not hide the only answer', ([, chunks]) => {
  const events = decode('openai', chunks)
  expect([textOf(events), endOf(events)]).toEqual(['Hi', 'stop'])
})

test('choices: a call of the only one that makes one is made', () => {
  const call = { index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }
  const events = decode('openai', [
    of(0, { role: 'assistant' }),
    of(1, { tool_calls: [call] }),
    of(1, {}, { finish_reason: 'stop' }),
  ])
  expect(endOf(events)).toBe('tool_calls')
})

test('choices: of several answers one is given, with its own end', () => {
  const both = (a: object, b: object): object => ({
    choices: [
      { index: 0, ...a },
      { index: 1, ...b },
    ],
  })
  const events = decode('openai', [
    both({ delta: { role: 'assistant' } }, { delta: { role: 'assistant' } }),
    both({ delta: { content: 'Hi' } }, { delta: { content: 'Ho' } }),
    of(1, {}, { finish_reason: 'length' }),
    of(0, { content: '!' }, { finish_reason: 'stop' }),
  ])
  expect([textOf(events), endOf(events), isHoled(events)]).toEqual(['Hi!', 'stop', false])
})
