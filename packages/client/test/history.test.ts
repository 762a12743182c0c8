import { expect, test } from 'vitest'
import { bytesOf, fitHistory } from '../src/session/history.ts'

const turn = (n: number, text = 'x'): readonly object[] => [
  { role: 'user', content: `${n}` },
  { role: 'assistant', content: text },
]
const turns = (count: number): (readonly object[])[] => Array.from({ length: count }, (_, n) => turn(n))
const limits = { messages: 1_000, body_bytes: 1_048_576 }

test('history: within the limits nothing is left out', () => {
  expect(fitHistory(turns(500), 100, limits)).toMatchObject({ omitted: 0, messages: { length: 1_000 } })
})

test('history: the oldest turns are left out whole', () => {
  const fitted = fitHistory(turns(501), 100, { ...limits, messages: 999 })
  expect(fitted).toMatchObject({ omitted: 4, messages: { length: 998 } })
  expect(fitted?.messages[0]).toEqual({ role: 'user', content: '2' })
})

test('history: bytes count as UTF-8', () => {
  const one = turn(1, '春'.repeat(100))
  const room = one.reduce((sum, message) => sum + bytesOf(message) + 1, 0)
  expect(fitHistory([one, one], 0, { ...limits, body_bytes: 64 + 2 * room })).toMatchObject({ omitted: 0 })
  expect(fitHistory([one, one], 0, { ...limits, body_bytes: 63 + 2 * room })).toMatchObject({ omitted: 2 })
})

test('history: a turn that no request could hold is left out, and hides nothing before it', () => {
  const fitted = fitHistory([turn(1), turn(2, 'x'.repeat(2_000_000)), turn(3)], 100, limits)
  expect(fitted?.messages).toEqual([...turn(1), ...turn(3)])
  expect(fitted?.omitted).toBe(2)
})

test('history: a last turn that is too much is no request', () => {
  expect(fitHistory([turn(1), turn(2, 'x'.repeat(2_000_000))], 100, limits)).toBe(undefined)
})
