import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import { createTicker, tickerOf } from '../src/ticker.ts'

test('ticker: however many waits there are, one timer is armed', () => {
  const clock = manualClock(1_000)
  const ticker = createTicker(clock)
  const fired: number[] = []
  for (let n = 0; n < 1_000; n++) ticker.after(5 + n, () => fired.push(n))
  expect(clock.timers).toBe(1)
  clock.advance(504)
  expect(clock.timers).toBe(1)
  clock.advance(10_000)
  expect(fired).toHaveLength(1_000)
  expect(clock.timers).toBe(0)
})

test('ticker: a wait never ends early, and at most 10 ms late', () => {
  const wait = fc.record({ at: fc.nat(500), ms: fc.nat(5_000), cancel: fc.boolean() })
  fc.assert(
    fc.property(fc.array(wait, { maxLength: 40 }), fc.nat(1_000), (waits, start) => {
      const clock = manualClock(start)
      const ticker = createTicker(clock)
      const fired = new Map<number, number>()
      const disarms = new Map<number, () => void>()
      for (const [n, { at, ms }] of waits.entries())
        clock.after(
          at,
          () =>
            void disarms.set(
              n,
              ticker.after(ms, () => fired.set(n, clock.now())),
            ),
        )
      clock.advance(500)
      for (const [n, { cancel }] of waits.entries()) if (cancel) disarms.get(n)?.()
      const before = new Set(fired.keys())
      clock.advance(10_000)
      for (const [n, { at, ms, cancel }] of waits.entries()) {
        if (cancel && !before.has(n)) expect(fired.has(n)).toBe(false)
        else expect(fired.get(n)! - start - at - ms).toBeOneOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      }
      expect(clock.timers).toBe(0)
    }),
  )
})

test('ticker: waits of one slot end in the order in which they were set', () => {
  const clock = manualClock()
  const ticker = createTicker(clock)
  const fired: string[] = []
  ticker.after(9, () => fired.push('a'))
  ticker.after(3, () => fired.push('b'))
  ticker.after(21, () => fired.push('c'))
  clock.advance(30)
  expect(fired).toEqual(['a', 'b', 'c'])
})

test('ticker: what is set for now, while others fire, waits for its own turn', () => {
  const clock = manualClock()
  const ticker = createTicker(clock)
  let turns = 0
  const again = (): void => {
    turns += 1
    if (turns < 3) ticker.after(0, again)
  }
  ticker.after(10, again)
  clock.after(10, () => expect(turns).toBe(1))
  clock.advance(10)
  expect(turns).toBe(3)
})

test('ticker: a callback that throws takes nobody else its turn', () => {
  const clock = manualClock()
  const ticker = createTicker(clock)
  const fired: string[] = []
  ticker.after(10, () => {
    throw new Error('mine')
  })
  ticker.after(10, () => fired.push('same slot'))
  ticker.after(20, () => fired.push('next slot'))
  expect(() => clock.advance(10)).toThrow('mine')
  clock.advance(20)
  expect(fired).toEqual(['same slot', 'next slot'])
  expect(clock.timers).toBe(0)
})

test('ticker: once nothing waits, no timer keeps the process alive', () => {
  const clock = manualClock()
  const ticker = createTicker(clock)
  const disarms = [ticker.after(10, () => undefined), ticker.after(5_000, () => undefined)]
  for (const disarm of disarms) disarm()
  for (const disarm of disarms) disarm()
  expect(clock.timers).toBe(0)
  const fired: number[] = []
  ticker.after(20, () => fired.push(1))
  clock.advance(20)
  expect(fired).toEqual([1])
})

test('ticker: after a sleep, everything that was due ends in one turn', () => {
  const clock = manualClock()
  const ticker = createTicker(clock)
  const fired: number[] = []
  for (const ms of [10, 500, 3_000]) ticker.after(ms, () => fired.push(ms))
  clock.sleep(60_000)
  clock.advance(0)
  expect(fired).toEqual([10, 500, 3_000])
})

test('ticker: a clock has one, and a ticker is its own', () => {
  const clock = manualClock()
  const ticker = tickerOf(clock)
  expect(tickerOf(clock)).toBe(ticker)
  expect(tickerOf(ticker)).toBe(ticker)
  expect(tickerOf(manualClock())).not.toBe(ticker)
})
