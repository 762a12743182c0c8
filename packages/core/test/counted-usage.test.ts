import { expect, test } from 'vitest'
import { createAnthropicDecoder } from '../src/upstream/anthropic/decoder.ts'
import { createOllamaDecoder } from '../src/upstream/ollama/decoder.ts'
import { createOpenAiDecoder } from '../src/upstream/openai/decoder.ts'
import { countedUsage } from '../src/upstream/reply/counted-usage.ts'
import { utf8 } from './support/bytes.ts'

const [a, b] = [
  { prompt_tokens: 7, completion_tokens: 2 },
  { prompt_tokens: 0, completion_tokens: 0 },
]
test.for<[string, unknown[]]>([
  ['as texts', [{ prompt_tokens: '7', completion_tokens: ' 2' }]],
  ['in camel case', [{ promptTokens: 7, completionTokens: 2 }]],
  ['in camel case, by other names', [{ inputTokens: 7, outputTokens: '2' }]],
  ['first as zeros', [b, a]],
  ['last as zeros', [a, b]],
  ['last as less', [a, { prompt_tokens: 7, completion_tokens: 1 }]],
  ['last as nothing', [a, null, {}, { prompt_tokens: null, completion_tokens: 'x' }]],
  ['one after the other', [{ prompt_tokens: 7 }, { completion_tokens: 2 }]],
  ['beside nonsense', [{ prompt_tokens: -1, completion_tokens: 2 }, a, { prompt_tokens: '1e9' }]],
])('usage: figures that are said %s count', ([, said]) => {
  const frame = (chunk: object): string => `data: ${JSON.stringify(chunk)}\n\n`
  const chunks = said.map((usage) => frame({ choices: [{ index: 0, delta: { content: 'Hi' } }], usage })).join('')
  const decoder = createOpenAiDecoder()
  const stop = frame({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  const events = [...decoder.push(utf8(chunks + stop)), ...decoder.end()]
  expect(events.at(-1)).toEqual({ finish: 'stop', usage: a })
})

test('usage: of what Anthropic and Ollama count, the larger figure stands, too', () => {
  const event = (said: { readonly type: string }): string => `event: ${said.type}\ndata: ${JSON.stringify(said)}\n\n`
  const start = { type: 'message_start', message: { usage: { input_tokens: 7, output_tokens: 1 } } }
  const end = {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn' },
    usage: { input_tokens: 0, output_tokens: '2' },
  }
  const anthropic = createAnthropicDecoder()
  anthropic.push(utf8(event(start) + event(end)))
  expect(anthropic.end().at(-1)).toEqual({ finish: 'stop', usage: a })
  const ollama = createOllamaDecoder()
  const line = (count: object): string =>
    `${JSON.stringify({ message: { content: 'Hi' }, done: true, done_reason: 'stop', ...count })}\n`
  const lines = line({ prompt_eval_count: '7', eval_count: 2 }) + line({ prompt_eval_count: 0 })
  expect([...ollama.push(utf8(lines)), ...ollama.end()].at(-1)).toEqual({ finish: 'stop', usage: a })
})

test('usage: the same figures are the same object, and none is none', () => {
  expect(countedUsage(7, 1, a)).toBe(a)
  expect(countedUsage(undefined, undefined, a)).toBe(a)
  expect(countedUsage('x', NaN)).toBeUndefined()
})
