import { expect, test } from 'vitest'
import type { SeededRandom } from '../src/testing/index.ts'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { utf8 } from './support/bytes.ts'
import { fuzz, split } from './support/mutations.ts'

// A reply that is torn somewhere: every text that still stands in the body, in its place, is said, or the reply is no success.

const texts = Array.from({ length: 6 }, (_, i) => `<${i}!>`)
const kinds = {
  openai: {
    decoder: createOpenAiDecoder,
    piece: (said: string) => `"choices":[{"index":0,"delta":{"content":"${said}"}`,
    body: [
      '{"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
      ...texts.map((said) => `{"id":"x","choices":[{"index":0,"delta":{"content":"${said}"},"finish_reason":null}]}`),
      '{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
      '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
      '[DONE]',
    ]
      .map((data) => `data: ${data}\n\n`)
      .join(''),
  },
  ollama: {
    decoder: createOllamaDecoder,
    piece: (said: string) => `"message":{"role":"assistant","content":"${said}"}`,
    body: [
      ...texts.map((said) => `{"model":"m","message":{"role":"assistant","content":"${said}"},"done":false}`),
      '{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}',
    ]
      .map((line) => `${line}\n`)
      .join(''),
  },
  anthropic: {
    decoder: createAnthropicDecoder,
    piece: (said: string) => `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${said}"}}`,
    body: [
      '{"type":"message_start","message":{"content":[],"usage":{"input_tokens":1}}}',
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
      ...texts.map((said) => `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${said}"}}`),
      '{"type":"content_block_stop","index":0}',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
      '{"type":"message_stop"}',
    ]
      .map((data) => `event: ${data.split('"')[3]}\ndata: ${data}\n\n`)
      .join(''),
  },
}
const names = ['openai', 'ollama', 'anthropic'] as const
const bits = [
  '\n',
  '\r\n',
  '\n\n',
  ' ',
  '\t',
  '\0',
  'x',
  '\\',
  '"',
  ',',
  ':',
  '{',
  '}',
  '{}',
  '[',
  ']',
  'null',
  'data: ',
  ': ping\n\n',
  'event: x\n',
  'error: x\n',
  '[DONE]',
] as const

/** One change. What is deleted does not go past the end of its line: two objects would become one, with each key twice. */
function torn(body: string, random: SeededRandom): string {
  const at = random.below(body.length)
  const [rest = ''] = /[^\n]*\n?/.exec(body.slice(at, at + 1 + random.below(random.pick([2, 40])))) ?? []
  switch (random.below(4)) {
    case 0:
      return body.slice(0, at) + body.slice(at + rest.length)
    case 1:
      return body.slice(0, at) + random.pick(bits) + body.slice(at)
    case 2:
      return body.slice(0, at) + random.pick(bits) + body.slice(at + 1)
    default:
      return random.below(4) === 0 ? body.slice(0, at) : body
  }
}

test('fuzz: a torn reply says every text that is still there, or is no success', { timeout: 600_000 }, async () => {
  let stopped = 0
  await fuzz(10_000, (random) => {
    const { body, decoder: create, piece } = kinds[random.pick(names)]
    let said = torn(body, random)
    if (random.below(2) === 0) said = torn(said, random)
    const decoder = create({ random: (bytes) => bytes.fill(7) })
    const pieces = random.below(2) === 0 ? [utf8(said)] : split(Buffer.from(said), random)
    const events: UpstreamEvent[] = [...pieces.flatMap((bytes) => decoder.push(bytes)), ...decoder.end()]
    const ends = events.filter((event) => 'finish' in event || 'error' in event)
    expect(ends.length).toBeLessThanOrEqual(1)
    const isStop = ends.some((event) => 'finish' in event) && !events.some((event) => 'malformed' in event)
    if (!isStop) return
    stopped += 1
    const text = events.map((event) => ('message' in event ? event.message : '')).join('')
    expect([said, texts.filter((one) => said.includes(piece(one)) && !text.includes(one))]).toEqual([said, []])
    expect([said, texts.filter((one) => said.split(one).length < text.split(one).length)]).toEqual([said, []])
  })
  // Replies of which none is whole prove nothing.
  if (!process.env['FUZZ_SEED']) expect(stopped).toBeGreaterThan(100)
})

const decode = (name: (typeof names)[number], body: string): UpstreamEvent[] => {
  const decoder = kinds[name].decoder({ random: (bytes) => bytes.fill(7) })
  return [...decoder.push(utf8(body)), ...decoder.end()]
}
const isHoled = (events: readonly UpstreamEvent[]): boolean => events.some((event) => 'malformed' in event)

test.for<[(typeof names)[number], string, string]>([
  ['ollama', '"},"done":false}\n{"mod', '"},"do{"mod'],
  ['openai', '"},"finish_reason":null}]}\n\ndata: {"id":"x",', '"},"finish_reason":null}],'],
  ['anthropic', '"}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta",', '"},'],
])('torn: two frames of %s that are glued to one object, with a field twice, have a hole', ([name, seam, by]) => {
  const { body } = kinds[name]
  const at = body.indexOf(seam, body.indexOf('<3!>'))
  const events = decode(name, body.slice(0, at) + by + body.slice(at + seam.length))
  expect(events.some((event) => 'message' in event && event.message === '<3!>')).toBe(false)
  expect(isHoled(events)).toBe(true)
})

test('torn: a field that stands twice, in two objects of one frame, is no hole', () => {
  const call = { function: { name: 'f', arguments: { message: 'Hi', text: '"message":', content: [{ content: 1 }] } } }
  const body = [{ message: { content: '', tool_calls: [call] } }, { message: { content: 'x' }, done: true }]
  expect(isHoled(decode('ollama', body.map((line) => `${JSON.stringify(line)}\n`).join('')))).toBe(false)
  const logprobs = { content: [{ token: 'Hi', logprob: -1 }] }
  const chunk = { choices: [{ delta: { content: 'Hi' }, logprobs, finish_reason: 'stop' }] }
  expect(isHoled(decode('openai', `data: ${JSON.stringify(chunk)}\n\n`))).toBe(false)
})

test.for(names)('torn: what is left of a frame of %s that begins with a colon is no comment', (name) => {
  const { body } = kinds[name]
  const from = body.lastIndexOf('\n', body.indexOf('<3!>')) + 1
  const colon = body.indexOf('":', from) + 1
  expect(isHoled(decode(name, body.slice(0, from) + body.slice(colon)))).toBe(true)
})

test.for(['ping', 'heartbeat {"t":1}', '{"t":1}', 'keep-alive {}'])('torn: the comment %s is one', (said) => {
  for (const name of names) expect(isHoled(decode(name, `: ${said}\n\n${kinds[name].body}`))).toBe(false)
})
