import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { createAlike } from '../src/upstream/reply/alike.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'

const said = (content: string, more: object = {}): string =>
  JSON.stringify({ id: 'x', created_at: '10:00:01', message: { role: 'assistant', content }, ...more })

test('alike: a frame is read by the one that was learnt, whatever its text and its stamps are', () => {
  const alike = createAlike(['created_at'])
  expect(alike.read(said('Hi'))).toBeUndefined()
  alike.learn(said('Hi'), { message: 'Hi' })
  expect(alike.read(said('there'))).toEqual({ message: 'there' })
  expect(alike.read(said('你好', { created_at: '10:00:02.5' }))).toEqual({ message: '你好' })
  alike.learn(said('Hm'), { thinking: 'Hm' })
  expect(alike.read(said('there'))).toEqual({ thinking: 'there' })
})

test.for([
  ['another field', said('there', { done: true })],
  ['another value of a field that is no stamp', said('there', { id: 'y' })],
  ['no text', said('')],
  ['a text that is written with an escape', said('a"b')],
  ['a line break', said('\n')],
  ['a text that is too long to be taken out alone', said('a'.repeat(13))],
  ['a stamp with an escape', said('there', { created_at: '\\' })],
  ['more behind it', `${said('there')} {}`],
  ['a stamp that is no text', said('there', { created_at: 5 })],
  ['a bare line break', said('x').replace('"x"', '"\n"')],
] as const)('alike: %s is read in the ordinary way', ([, frame]) => {
  const alike = createAlike(['created_at'])
  alike.learn(said('Hi'), { message: 'Hi' })
  expect(alike.read(frame)).toBeUndefined()
})

const timed = (content: string, ms: string, more = ''): string =>
  `{"choices":[{"delta":{"content":"${content}"}}],"created":7,"timings":{"predicted_ms": ${ms}}${more}}`

test('alike: a figure of a field that is a stamp may be another one', () => {
  const alike = createAlike(['created', 'predicted_ms'])
  expect(alike.learn(timed('Hi', '1'), { message: 'Hi' })).toBe(true)
  for (const ms of ['0', '-1', '12.5', '0.001', '1e9', '1.5E-7', '2e+3'])
    expect([ms, alike.read(timed('there', ms))]).toEqual([ms, { message: 'there' }])
})

test.for(['01', '1.', '.5', '1e', '1e+', '--1', '+1', '-', '', '1.2.3', 'null', '"1"', '1,"x":2', '[1]'])(
  'alike: what is no figure in its place, %s, is read in the ordinary way',
  (ms) => {
    const alike = createAlike(['created', 'predicted_ms'])
    alike.learn(timed('Hi', '1'), { message: 'Hi' })
    expect(alike.read(timed('there', ms))).toBeUndefined()
  },
)

test('alike: another figure of a field that is no stamp is read in the ordinary way', () => {
  const alike = createAlike(['created', 'predicted_ms'])
  alike.learn(timed('Hi', '1', ',"index":0'), { message: 'Hi' })
  expect(alike.read(timed('there', '2', ',"index":0'))).toEqual({ message: 'there' })
  expect(alike.read(timed('there', '2', ',"index":1'))).toBeUndefined()
})

test.for([
  ['its text stands twice', said('assistant')],
  ['its text is the name of a field', said('role')],
  ['something in it is escaped', said('Hi', { id: '"' })],
  ['it is long', said('Hi', { id: 'x'.repeat(2_048) })],
] as const)('alike: a frame is not learnt where %s', ([, frame]) => {
  const alike = createAlike([])
  const { content } = (JSON.parse(frame) as { message: { content: string } }).message
  alike.learn(frame, { message: content })
  expect(alike.read(frame.replace(`"content":"${content}"`, '"content":"abc"'))).toBeUndefined()
  expect(alike.read(frame.replace(`"${content}"`, '"abc"'))).toBeUndefined()
})

// Decoders

type Shape = (text: string, n: number) => object
const openAi: readonly Shape[] = [
  (content) => ({ id: 'x', choices: [{ index: 0, delta: { content }, finish_reason: null }] }),
  (content) => ({ choices: [{ index: 0, delta: { role: 'assistant', content, refusal: null } }], obfuscation: 'ab' }),
  (content, n) => ({ obfuscation: 'a'.repeat(n % 5), choices: [{ index: 0, delta: { content } }] }),
  (reasoning) => ({ id: 'x', choices: [{ index: 0, delta: { reasoning, content: null } }] }),
  (content) => ({ choices: [{ index: 0, message: { role: 'assistant', content } }] }),
  (text) => ({ choices: [{ index: 0, text }] }),
  (content) => ({ choices: [{ index: 0, delta: { content, reasoning_content: 'so' } }] }),
  (content, n) => ({ choices: [{ index: 0, delta: { content } }], usage: { prompt_tokens: 1, completion_tokens: n } }),
  (content) => ({ choices: [{ index: 0, delta: { content: [{ type: 'text', text: content }] } }] }),
  (content, n) => ({ choices: [{ index: 0, delta: { content } }], timings: { prompt_n: 5, predicted_n: n } }),
  (content, n) => ({ choices: [{ index: 0, delta: { content } }], timings: { prompt_n: 6 }, created: n }),
  (content) => ({ choices: [{ index: 0, delta: { content } }], usage: { prompt_tokens: 3, completion_tokens: 4 } }),
  (content, n) => ({ created: n / 3, choices: [{ index: n % 2, delta: { content } }] }),
]
const ollama: readonly Shape[] = [
  (content, n) => ({ created_at: `t${n}`, message: { role: 'assistant', content }, done: false }),
  (content) => ({ created_at: 't', message: { role: 'assistant', content, thinking: '' }, done: false }),
  (thinking, n) => ({ created_at: `t${n}`, message: { role: 'assistant', content: '', thinking }, done: false }),
  (response) => ({ created_at: 't', response, done: false }),
]
const anthropic: readonly Shape[] = [
  (text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  (thinking) => ({ type: 'content_block_delta', index: 1, delta: { type: 'thinking_delta', thinking } }),
  (text) => ({ type: 'content_block_delta', delta: { text } }),
]
const kinds = {
  openAi: { shapes: openAi, decoder: () => createOpenAiDecoder(), frame: (json: string) => `data: ${json}\n\n` },
  ollama: { shapes: ollama, decoder: () => createOllamaDecoder(), frame: (json: string) => `${json}\n` },
  anthropic: {
    shapes: anthropic,
    decoder: () => createAnthropicDecoder(),
    frame: (json: string) => `event: content_block_delta\ndata: ${json}\n\n`,
  },
}
type Kind = keyof typeof kinds
const names: readonly Kind[] = ['openAi', 'ollama', 'anthropic']

/** Whether something is said, and nothing of how many signs of life came with it. */
function decode(kind: Kind, jsons: readonly string[]): UpstreamEvent[] {
  const { decoder: create, frame } = kinds[kind]
  const decoder = create()
  return [...jsons.flatMap((json) => decoder.push(utf8(frame(json)))), ...decoder.end()]
}

const texts = fc.oneof(
  fc.constantFrom(
    'a',
    'Hi',
    ' the',
    'content',
    'assistant',
    'x',
    'id',
    't',
    'null',
    '0',
    'error',
    'so',
    '"',
    '\\',
    '\n',
  ),
  fc.string({ maxLength: 16, unit: 'grapheme' }),
  fc.string({ maxLength: 4, unit: 'binary' }),
)

test.for(names)(
  'alike: %s: whatever the shapes and the texts are, all is read as if no frame were like another',
  (kind) => {
    const { shapes } = kinds[kind]
    const frames = fc.array(fc.tuple(texts, fc.nat(shapes.length - 1), fc.nat(3)), { maxLength: 40 })
    fc.assert(
      fc.property(frames, (given) => {
        const jsons = given.flatMap(([text, shape, more]) =>
          // The same shape some times in a row, as servers do.
          Array.from({ length: 1 + more }, (_, n) => JSON.stringify(shapes[shape]!(text + ' abc'.slice(0, n), n))),
        )
        const unlike = jsons.map((json, n) => json.replace(/\}$/, `${' '.repeat(n + 1)}}`))
        expect(decode(kind, jsons)).toEqual(decode(kind, unlike))
      }),
      { numRuns: 300, seed: 1 },
    )
  },
)

test.for(names)('alike: %s: of a hundred tokens in frames of one shape, few are parsed', (kind) => {
  const jsons = Array.from({ length: 100 }, (_, n) => JSON.stringify(kinds[kind].shapes[0]!(` w${n}`, n)))
  const parse = vi.spyOn(JSON, 'parse')
  expect(decode(kind, jsons).filter((event) => 'message' in event)).toHaveLength(100)
  expect(parse.mock.calls.length).toBeLessThan(20)
})

const pieces = (counts: (n: number) => object): string =>
  Array.from({ length: 100 }, (_, n) => {
    const chunk = {
      created: n,
      choices: [{ index: 0, delta: { content: ` w${n}` }, finish_reason: null }],
      ...counts(n + 1),
    }
    return `data: ${JSON.stringify(chunk)}\n\n`
  }).join('')
test.for<[string, (n: number) => object]>([
  ['timings', (n) => ({ timings: { cache_n: 1, prompt_n: 4, predicted_n: n, predicted_ms: n * 1.7 } })],
  ['usage', (n) => ({ usage: { prompt_tokens: 5, completion_tokens: n, total_tokens: n + 5 } })],
])('alike: of a hundred tokens with %s few are parsed, and what they counted last is known', ([, counts]) => {
  const decoder = createOpenAiDecoder()
  const body = pieces(counts)
  const parse = vi.spyOn(JSON, 'parse')
  const events = decoder.push(utf8(body))
  expect(events.filter((event) => 'message' in event)).toHaveLength(100)
  expect(events.at(-1)).toEqual({ usage: { prompt_tokens: 5, completion_tokens: 100 } })
  expect(parse.mock.calls.length).toBeLessThan(20)
  const end = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`
  const whole = createOpenAiDecoder()
  const last = [...whole.push(utf8(body + end)), ...whole.end()].at(-1)
  expect(last).toEqual({ finish: 'stop', usage: { prompt_tokens: 5, completion_tokens: 100 } })
})
