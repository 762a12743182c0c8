import { expect, test } from 'vitest'
import { nextDue, paceInterval } from '../src/runner/pace.ts'
import { createTurns, type Turn } from '../src/runner/turns.ts'

function recorder(log: string[], name: string, outcomes: ('token' | 'work' | 'end')[]): Turn {
  return {
    next() {
      log.push(name)
      return outcomes.shift() ?? 'end'
    },
  }
}

test('pace: a late timer does not lower the rate', () => {
  let due: number | null = null
  let now = 0
  for (let token = 0; token < 40; token++) {
    due = nextDue(due, now, paceInterval(40))
    now = due + 3 // every timer fires 3 ms late
  }
  expect(due).toBe(1000)
})

test('pace: a long pause is not made up for in a burst', () => {
  expect(nextDue(100, 10_000, 25)).toBe(9_750)
})

test('pace: no rate means no waiting', () => {
  expect(nextDue(100, 100, paceInterval(0))).toBe(100)
})

test('turns: generations that are due go round in a circle', () => {
  const log: string[] = []
  const turns = createTurns(0)
  for (const name of ['a', 'b', 'c'])
    turns.add(name.charCodeAt(0), recorder(log, name, ['work', 'token', 'token', 'end']))
  while (turns.step(0) !== null);
  expect(log.join('')).toBe('abcabcabcabc')
})

test('turns: each generation keeps its own pace', () => {
  const log: string[] = []
  const turns = createTurns(100)
  turns.add(1, recorder(log, 'a', ['token', 'token', 'token']))
  expect(turns.step(0)).toBe(100)
  turns.add(2, recorder(log, 'b', ['token', 'token', 'token']))
  expect(turns.step(30)).toBe(100)
  expect(turns.step(99)).toBe(100)
  expect(turns.step(100)).toBe(130)
  expect(turns.step(130)).toBe(200)
  expect(log.join('')).toBe('abab')
})

test('turns: reading a prompt does not wait for the pace', () => {
  const log: string[] = []
  const turns = createTurns(100)
  turns.add(1, recorder(log, 'a', ['work', 'work', 'token']))
  expect(turns.step(0)).toBeLessThanOrEqual(0)
  expect(turns.step(0)).toBeLessThanOrEqual(0)
  expect(turns.step(0)).toBe(100)
})

test('turns: a generation that was removed is never asked again', () => {
  const log: string[] = []
  const turns = createTurns(0)
  turns.add(1, recorder(log, 'a', ['token', 'token', 'token']))
  turns.step(0)
  expect(turns.remove(1)).toBe(true)
  expect(turns.remove(1)).toBe(false)
  expect(turns.step(0)).toBe(null)
  expect(log).toEqual(['a'])
})
