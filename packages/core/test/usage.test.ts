import { expect, test } from 'vitest'
import { createUsageMeter } from '../src/run/usage.ts'

test('usage: nothing is known before anything has come', () => {
  expect(createUsageMeter().total()).toBeUndefined()
})

test('usage: without a word of the server it is estimated, a token for each delta', () => {
  const meter = createUsageMeter()
  for (let i = 0; i < 7; i++) meter.delta(3)
  expect(meter.total()).toEqual({ completion_tokens: 7, estimated: true })
})

test('usage: deltas longer than tokens are estimated by their bytes', () => {
  const meter = createUsageMeter()
  meter.delta(401)
  expect(meter.total()).toEqual({ completion_tokens: 101, estimated: true })
})

test('usage: what the server has counted so far is no estimate', () => {
  const meter = createUsageMeter()
  meter.delta(5)
  meter.said({ prompt_tokens: 20, completion_tokens: 3 })
  expect(meter.total()).toEqual({ prompt_tokens: 20, completion_tokens: 3 })
})

test('usage: what comes after the count of the server is estimated on top of it', () => {
  const meter = createUsageMeter()
  meter.said({ prompt_tokens: 25, completion_tokens: 1 })
  meter.delta(4)
  meter.delta(4)
  expect(meter.total()).toEqual({ prompt_tokens: 25, completion_tokens: 3, estimated: true })
})

test('usage: a count of the prompt alone does not stop the estimate of the reply', () => {
  const meter = createUsageMeter()
  meter.delta(4)
  meter.said({ prompt_tokens: 25 })
  expect(meter.total()).toEqual({ prompt_tokens: 25, completion_tokens: 1, estimated: true })
})

test('usage: a finish is believed as it is', () => {
  const meter = createUsageMeter()
  meter.delta(400)
  expect(meter.finished({ prompt_tokens: 2, completion_tokens: 9 })).toEqual({ prompt_tokens: 2, completion_tokens: 9 })
})

test('usage: a server that counts nothing gets no figures of ours when it finishes', () => {
  const meter = createUsageMeter()
  meter.delta(400)
  expect(meter.finished(undefined)).toBeUndefined()
})

test('usage: attempts are summed, and one estimate makes the sum one', () => {
  const meter = createUsageMeter()
  meter.said({ prompt_tokens: 10, completion_tokens: 4 })
  meter.next(true)
  expect(meter.finished({ prompt_tokens: 14, completion_tokens: 6 })).toEqual({
    prompt_tokens: 24,
    completion_tokens: 10,
  })
  meter.delta(4)
  meter.next(true)
  expect(meter.finished({ prompt_tokens: 1, completion_tokens: 1 })).toEqual({
    prompt_tokens: 11,
    completion_tokens: 6,
    estimated: true,
  })
})

test('usage: an attempt that gave nothing adds nothing', () => {
  const meter = createUsageMeter()
  meter.next(true)
  meter.next(true)
  expect(meter.total()).toBeUndefined()
  expect(meter.finished({ completion_tokens: 2 })).toEqual({ completion_tokens: 2 })
})

test('usage: what a kept reply took is counted by the server, or as a token for each delta', () => {
  const meter = createUsageMeter()
  meter.said({ completion_tokens: 4 })
  meter.delta(400)
  meter.delta(4)
  meter.next(true)
  expect(meter.spent()).toBe(6)
  meter.delta(4)
  meter.next(true)
  expect(meter.spent()).toBe(7)
  meter.delta(4)
  meter.next(false)
  expect(meter.spent()).toBe(0)
})
