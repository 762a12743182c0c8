import { expect, test } from 'vitest'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { createThinkTags, withoutThinking } from '../src/upstream/reply/think-tags.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'

// The whole of a reply said again behind its pieces, and thinking in other fields.

const decoders = { openai: createOpenAiDecoder, ollama: createOllamaDecoder }
const heard = (kind: keyof typeof decoders, body: string): [text: string, thinking: string, end: unknown] => {
  const decoder = decoders[kind]()
  const events: UpstreamEvent[] = [...decoder.push(utf8(body)), ...decoder.end()]
  const said = (kind: 'message' | 'thinking'): string =>
    events.map((event) => (kind in event ? (event as Record<string, unknown>)[kind] : '')).join('')
  const ends = events.flatMap((event): unknown[] =>
    'malformed' in event ? ['a hole'] : 'finish' in event ? [event.finish] : 'error' in event ? [event.error.code] : [],
  )
  return [said('message'), said('thinking'), ends[0]]
}
const sse = (...frames: readonly object[]): string =>
  frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join('')
const choice = (more: object): object => ({ choices: [{ index: 0, ...more }] })
const delta = (content: string): object => choice({ delta: { content } })
const stop = { finish_reason: 'stop' }
const end = choice({ delta: {}, ...stop })
const pieces = [delta('Hi '), delta('there')]

test.for<[string, readonly object[]]>([
  ['the text of the last choice', [...pieces, choice({ text: 'Hi there', ...stop })]],
  ['a text beside the last delta', [...pieces, choice({ delta: {}, text: 'Hi there', ...stop })]],
  ['a text beside the choices', [...pieces, { ...end, output_text: 'Hi there' }]],
  ['content beside the choices', [...pieces, { ...end, content: ' Hi there\n' }]],
  ['a frame without choices', [...pieces, end, { content: 'Hi there', done: true }]],
  ['a message with more behind it', [delta('Hi'), choice({ message: { content: 'Hi there' }, ...stop })]],
  ['a text with more behind it', [...pieces.slice(0, 1), choice({ text: 'Hi there', ...stop })]],
  [
    'messages that grow',
    ['Hi ', 'Hi there', 'Hi there'].map((content) => choice({ message: { content } })).concat(end),
  ],
  [
    'one message again at the end',
    [choice({ message: { content: 'Hi there' } }), choice({ message: { content: 'Hi there' }, ...stop })],
  ],
])('openai: the whole of a reply as %s is no new text', ([, frames]) => {
  expect(heard('openai', sse(...frames))).toEqual(['Hi there', '', 'stop'])
})

test.for<[string, readonly object[]]>([
  ['deltas', [delta('Ha'), delta('Ha'), end]],
  ['messages', [choice({ message: { content: 'Ha' } }), choice({ message: { content: 'Ha' } }), end]],
  ['texts', [choice({ text: 'Ha' }), choice({ text: 'Ha' }), end]],
  ['frames without choices', [{ content: 'Ha', stop: false }, { content: 'Ha', stop: false }, end]],
])('openai: pieces that are the same, in %s, are all text', ([, frames]) => {
  expect(heard('openai', sse(...frames))[0]).toBe('HaHa')
})

test('openai: choices behind a frame without them are read', () => {
  expect(heard('openai', sse({ content: 'A ' }, delta('B '), delta('C'), end))).toEqual(['A B C', '', 'stop'])
})

const line = (message: object, done = false): string =>
  `${JSON.stringify({ message: { role: 'assistant', ...message }, done, ...(done && { done_reason: 'stop' }) })}\n`

test('ollama: the whole of a reply in the line that ends it is no new text, and a last piece is', () => {
  const said = line({ content: 'Hi ' }) + line({ content: 'there' })
  expect(heard('ollama', said + line({ content: 'Hi there' }, true))).toEqual(['Hi there', '', 'stop'])
  expect(heard('ollama', said + line({ content: 'Hi there!' }, true))[0]).toBe('Hi there!')
  expect(heard('ollama', said + line({ content: ' Hi' }, true))[0]).toBe('Hi there Hi')
  expect(heard('ollama', line({ content: 'Ha' }) + line({ content: 'Ha' }, true))[0]).toBe('HaHa')
})

const fields = [
  'reasoning_content',
  'reasoning',
  'thinking',
  'reasoningContent',
  'thinking_content',
  'thought',
  'thoughts',
  'chain_of_thought',
  'analysis',
]
test.for(fields)('openai, ollama: thinking in the field %s is thinking', (field) => {
  const expected = ['Hi', 'Hm', 'stop']
  const answer = [delta('Hi'), end]
  expect(heard('openai', sse(choice({ delta: { [field]: 'Hm' } }), ...answer))).toEqual(expected)
  expect(heard('openai', sse(choice({ delta: {}, [field]: 'Hm' }), ...answer))).toEqual(expected)
  expect(heard('openai', sse({ ...choice({ delta: {} }), [field]: 'Hm' }, ...answer))).toEqual(expected)
  const lines = line({ content: '', [field]: 'Hm' }) + line({ content: 'Hi' }) + line({ content: '' }, true)
  expect(heard('ollama', lines)).toEqual(expected)
})

test('openai: all of the thinking again beside the deltas that said it is said once, and what was asked for is none', () => {
  const thinking = choice({ delta: { reasoning_content: 'Hm' } })
  const again = { ...choice({ delta: {}, reasoning_content: 'Hm', ...stop }), reasoning_content: 'Hm' }
  expect(heard('openai', sse(thinking, delta('Hi'), again))).toEqual(['Hi', 'Hm', 'stop'])
  const asked = { ...choice({ delta: {} }), reasoning: { effort: 'high', summary: 'auto' } }
  expect(heard('openai', sse(asked, delta('Hi'), end))).toEqual(['Hi', '', 'stop'])
})

const tagged = (text: string): [string, string] => {
  const tags = createThinkTags()
  const finish: UpstreamEvent = { finish: 'stop' }
  const events = [...Array.from(text).flatMap((letter) => tags.push([{ message: letter }])), ...tags.push([finish])]
  const said = (kind: 'message' | 'thinking'): string =>
    events.map((event) => (kind in event ? (event as Record<string, unknown>)[kind] : '')).join('')
  return [said('message'), said('thinking')]
}
test.for(['Think', 'THINK', 'think', 'thoughts', 'analysis', 'Analysis'])(
  'think tags: <%s> at the start of a reply, closed, is thinking',
  (tag) => {
    expect(tagged(`<${tag}>Hm</${tag}>\n\nHi`)).toEqual(['Hi', 'Hm'])
    expect(withoutThinking(`<${tag}>Hm</${tag}>\n\nHi`)).toBe('Hi')
    expect(tagged(`Hi <${tag}>Hm</${tag}>`)[0]).toBe(`Hi <${tag}>Hm</${tag}>`)
  },
)

test('think tags: <analysis> that is never closed is text, and goes back up', () => {
  expect(tagged('<analysis>All of it')[0]).toBe('<analysis>All of it')
  expect(withoutThinking('<analysis>All of it')).toBe('<analysis>All of it')
})
