import { expect, test } from 'vitest'
import { anthropicQuestion } from '../src/upstream/anthropic/body.ts'
import { dialects } from '../src/upstream/openai/dialects.ts'
import { ollamaQuestion } from '../src/upstream/ollama/body.ts'
import { openAiQuestion } from '../src/upstream/openai/body.ts'
import type { UpstreamRequest } from '../src/upstream/upstream.ts'

const request = (spent: number, options?: UpstreamRequest['options'], think?: boolean): UpstreamRequest => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill: spent === 0 ? '' : 'Once upon',
  spent,
  options,
  think,
  interruptedNote: null,
})
const way = { way: 'native', instruction: 'Go on.' } as const
const anthropic = (
  asked: UpstreamRequest,
  extra: Record<string, unknown> = {},
  how: 'native' | 'instruction' = 'native',
) => anthropicQuestion(asked, { ...way, way: how, extra, maxTokens: 100 }).body
const openai = (asked: UpstreamRequest, extra: Record<string, unknown> = {}) =>
  openAiQuestion(asked, dialects.vllm, { ...way, extra }).body

test.for<[limit: number, spent: number, rest: number]>([
  [10, 0, 10],
  [10, 3, 7],
  [10, 9, 1],
  [10, 12, 1],
  [-1, 3, -1],
])('length limit: of %i tokens with %i taken, %i are asked for', ([limit, spent, rest]) => {
  expect(ollamaQuestion(request(spent, { num_predict: limit, top_k: 9 }), 'native', '').body).toMatchObject({
    options: { num_predict: rest, top_k: 9 },
  })
  for (const name of ['max_tokens', 'max_completion_tokens', 'n_predict']) {
    expect(openai(request(spent, { [name]: limit, top_k: 9 }))).toMatchObject({ [name]: rest, top_k: 9 })
  }
  expect(anthropic(request(spent, { max_tokens: limit, top_k: 9 }))).toMatchObject({ max_tokens: rest, top_k: 9 })
})

test('length limit: one that the app set for every request is lowered, too', () => {
  expect(openai(request(3), { max_tokens: 10 })).toMatchObject({ max_tokens: 7 })
  expect(anthropic(request(3), { max_tokens: 10 })).toMatchObject({ max_tokens: 7 })
  expect(anthropic(request(3))).toMatchObject({ max_tokens: 97 })
})

test('length limit: what is to be written at least is lowered with it', () => {
  const least = { max_tokens: 100, min_tokens: 50 }
  expect(openai(request(30, least))).toMatchObject({ max_tokens: 70, min_tokens: 20 })
  expect(openai(request(60, least))).toMatchObject({ max_tokens: 40, min_tokens: 0 })
})

test('length limit: where none is set none is sent', () => {
  expect(openai(request(3))).not.toHaveProperty('max_tokens')
  expect(ollamaQuestion(request(3), 'native', '').body).not.toHaveProperty('options')
})

test('length limit: a budget of thinking that the rest cannot hold is left out, and the API does not refuse', () => {
  const thinking = { type: 'enabled', budget_tokens: 2_000 }
  const extra = { max_tokens: 3_000, thinking }
  expect(anthropic(request(999), extra, 'instruction')).toMatchObject({ max_tokens: 2_001, thinking })
  expect(anthropic(request(1_000), extra, 'instruction')).not.toHaveProperty('thinking')
})
