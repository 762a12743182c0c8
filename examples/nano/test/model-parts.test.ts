import { expect, test } from 'vitest'
import { createModel } from '../src/index.ts'
import type { Memory } from '../src/model/model.ts'
import { createPrefixCache } from '../src/model/prefix-cache.ts'
import { createRandom, sample } from '../src/model/sample.ts'
import { createStopText } from '../src/model/stop-text.ts'

const memoryOf = (...tokens: number[]): Memory => ({ tokens, keys: [], values: [] })

test('model: a file that is cut off is refused', () => {
  const header = JSON.stringify({ layers: 0, tensors: [['token_embd.weight', [4, 4], 0]] }).padEnd(64)
  const file = new Uint8Array(4 + header.length + 20)
  new DataView(file.buffer).setUint32(0, header.length, true)
  file.set(new TextEncoder().encode(header), 4)
  expect(() => createModel(file)).toThrow('cut off')
})

test('sample: temperature 0 takes the best token and no special one', () => {
  const logits = Float32Array.of(9, 9, 1, 9, 9, 2, 5, 3)
  expect(sample(logits, { temperature: 0, topK: 20, random: () => 0.99 }, null)).toBe(6)
})

test('sample: only allowed tokens are chosen', () => {
  const logits = Float32Array.of(0, 0, 1, 0, 0, 2, 5, 3)
  expect(sample(logits, { temperature: 0, topK: 20, random: () => 0 }, (id) => id === 7)).toBe(7)
})

test('sample: topK bounds the draw, and 0 does not', () => {
  const logits = Float32Array.of(0, 0, 1, 0, 0, 2, 5, 3)
  const draw = (topK: number) => sample(logits, { temperature: 9, topK, random: () => 0.9999 }, null)
  expect([draw(1), draw(2), draw(0)]).toEqual([6, 7, 2])
})

test('random: one seed gives one sequence, another seed another', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, createRandom(seed))
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
  expect(draw(3).every((x) => x >= 0 && x < 1)).toBe(true)
})

test('prefix cache: a memory comes back cut to the shared beginning', () => {
  const cache = createPrefixCache(() => memoryOf(), 2)
  const memory = memoryOf(1, 2, 3, 4, 5)
  cache.put(memory)
  expect(cache.take([1, 2, 3, 9])).toBe(memory)
  expect(memory.tokens).toEqual([1, 2, 3])
})

test('prefix cache: the last token of a prompt is always read anew', () => {
  const cache = createPrefixCache(() => memoryOf(), 2)
  cache.put(memoryOf(1, 2, 3))
  expect(cache.take([1, 2, 3]).tokens).toEqual([1, 2])
})

test('prefix cache: a short common beginning takes nothing away', () => {
  const cache = createPrefixCache(() => memoryOf(), 2)
  const memory = memoryOf(1, 2, 3, 4)
  cache.put(memory)
  expect(cache.take([1, 9, 9, 9]).tokens).toEqual([])
  expect(cache.take([1, 2, 3, 4, 5])).toBe(memory)
})

test('prefix cache: what was used longest ago is evicted', () => {
  const cache = createPrefixCache(() => memoryOf(), 2)
  for (const first of [1, 2, 3]) cache.put(memoryOf(first, first, first))
  expect(cache.take([1, 1, 1, 1]).tokens).toEqual([])
  expect(cache.take([3, 3, 3, 3]).tokens).toEqual([3, 3, 3])
})

test('stop text: ends the text before the first stop, across chunks', () => {
  const stop = createStopText(['\n\n', 'END'])
  expect(stop.push('one E')).toEqual({ text: 'one ', stopped: false })
  expect(stop.push('N')).toEqual({ text: '', stopped: false })
  expect(stop.push('D two\n\n')).toEqual({ text: '', stopped: true })
})

test('stop text: what only looked like a stop is given back', () => {
  const stop = createStopText(['END', ''])
  expect(stop.push('EN')).toEqual({ text: '', stopped: false })
  expect(stop.push('EMY E')).toEqual({ text: 'ENEMY ', stopped: false })
  expect(stop.flush()).toBe('E')
})
