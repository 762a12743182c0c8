import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runStart, stepRun, type RunInput, type RunState } from '../src/run/run-state.ts'

const error = { code: 'upstream_stalled', message: 'No.', retryable: true } as const
const inputs: readonly RunInput[] = [
  { type: 'delta' },
  { type: 'retry', retry: { attempt: 1, at: 250 }, hasText: true },
  { type: 'finish', reason: 'stop', usage: { completion_tokens: 3 } },
  { type: 'interrupt', by: 'person', position: 3 },
  { type: 'fail', error, position: 4 },
]
const ends = inputs.slice(2)

test('run state: it waits until the first delta, then generates', () => {
  expect(runStart.phase).toBe('waiting')
  expect(stepRun(runStart, { type: 'delta' })).toEqual({ phase: 'generating' })
})

test('run state: the second delta changes nothing, to the object', () => {
  const generating = stepRun(runStart, { type: 'delta' })
  expect(stepRun(generating, { type: 'delta' })).toBe(generating)
})

test.for<[input: RunInput, terminal: unknown]>([
  [
    { type: 'finish', reason: 'stop' },
    { done: true, reason: 'stop' },
  ],
  [
    { type: 'finish', reason: 'length', usage: undefined },
    { done: true, reason: 'length' },
  ],
  [
    { type: 'finish', reason: 'tool_calls', usage: { prompt_tokens: 1 } },
    { done: true, reason: 'tool_calls', usage: { prompt_tokens: 1 } },
  ],
  [
    { type: 'interrupt', by: 'superseded', position: 0 },
    { done: true, reason: 'interrupted', by: 'superseded', position: 0 },
  ],
  [
    { type: 'fail', error, position: 4 },
    { done: true, reason: 'error', error, position: 4 },
  ],
])('run state: %j ends a waiting and a generating run', ([input, terminal]) => {
  for (const state of [runStart, stepRun(runStart, { type: 'delta' })]) {
    expect(stepRun(state, input)).toStrictEqual({ phase: 'ended', terminal })
  }
})

test('run state: after a failed attempt it recovers when it has text, else it waits, and says when it tries again', () => {
  const retry = { attempt: 2, at: 500 }
  const generating = stepRun(runStart, { type: 'delta' })
  expect(stepRun(generating, { type: 'retry', retry, hasText: true })).toEqual({ phase: 'recovering', retry })
  expect(stepRun(runStart, { type: 'retry', retry, hasText: false })).toEqual({ phase: 'waiting', retry })
  expect(stepRun({ phase: 'recovering', retry }, { type: 'delta' })).toEqual({ phase: 'generating' })
})

test('run state: an ended run absorbs everything, to the object', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ends), fc.array(fc.constantFrom(...inputs)), (end, later) => {
      const ended = stepRun(runStart, end)
      expect(later.reduce<RunState>(stepRun, ended)).toBe(ended)
    }),
  )
})

test('run state: there is exactly one terminal event, the first', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...inputs)), (all) => {
      const first = all.find((input) => ends.includes(input))
      const state = all.reduce(stepRun, runStart)
      expect(state.phase === 'ended').toBe(first !== undefined)
      if (state.phase === 'ended' && first) expect(state).toEqual(stepRun(runStart, first))
    }),
  )
})
