import { expect, test } from 'vitest'
import { checkedOptions } from '../src/gateway/request-options.ts'

test.for<[name: string, values: readonly unknown[]]>([
  ['temperature', [0, 0.7, 2, 5]],
  ['top_p', [0, 1, 0.95]],
  ['top_k', [-1, 0, 40]],
  ['seed', [-1, 0, 4_294_967_295, Number.MAX_SAFE_INTEGER]],
  ['stop', ['END', ['a', 'b'], []]],
  ['num_predict', [-1, -2, 512]],
  ['num_ctx', [4_096, 131_072]],
  ['presence_penalty', [-2, 0, 2]],
  ['logit_bias', [{ '50256': -100 }]],
  ['response_format', [{ type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } }]],
  ['samplers', [['top_k', 'temperature']]],
  ['cache_prompt', [true]],
  ['__proto__x', [1]],
])('options: %s takes what servers take', ([name, values]) => {
  for (const value of values) expect(checkedOptions({ [name]: value })).toEqual({ [name]: value })
})

test.for<[name: string, values: readonly unknown[]]>([
  ['temperature', ['hot', '0.7', -0.1, 1e308, Infinity, NaN, true, [], {}, [0.7]]],
  ['top_p', ['x', -0.1, 1.1, {}]],
  ['min_p', [2, '0.1']],
  ['top_k', [0.5, '40', -2, 1e12, []]],
  ['seed', ['7', 0.5, 1e300, {}]],
  ['stop', ['', [''], ['a', ''], ['a', 1], 7, true, {}, { 0: 'a' }, Array(65).fill('a'), 'x'.repeat(2_000), [['a']]]],
  ['num_predict', ['all', 1.5, -3, 1e12]],
  ['max_tokens', [0, -1, '5']],
  ['num_ctx', [0, 'big', 1e12]],
  ['repeat_penalty', ['x', -1]],
  ['frequency_penalty', [-3, 3]],
  ['mirostat', [3, 0.5, 'x']],
  ['another', [Infinity, Array(65).fill(1), 'x'.repeat(2_000), [[1]]]],
])('options: %s refuses what servers fail at, and is named', ([name, values]) => {
  for (const value of values) {
    expect(() => checkedOptions({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'bad_request', message: expect.stringContaining(`options.${name} must be`) }),
    )
  }
})

test('options: null is as good as absent', () => {
  expect(checkedOptions({ temperature: null, seed: 1 })).toEqual({ seed: 1 })
})

test('options: a value is never repeated in a refusal', () => {
  expect(() => checkedOptions({ temperature: 'secret' })).toThrow(/^(?!.*secret)/)
})
