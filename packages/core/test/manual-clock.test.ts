import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'

test('manual clock: it stands still until it is told otherwise, and starts where it is told to', () => {
  expect(manualClock().now()).toBe(0)
  const clock = manualClock(1_000)
  clock.advance(5)
  expect(clock.now()).toBe(1_005)
})

test('manual clock: a timer fires at its own time, once', () => {
  const clock = manualClock()
  const fired: number[] = []
  clock.after(10, () => fired.push(clock.now()))
  clock.advance(9)
  expect(fired).toEqual([])
  expect(clock.timers).toBe(1)
  clock.advance(100)
  expect(fired).toEqual([10])
  expect(clock.timers).toBe(0)
  expect(clock.now()).toBe(109)
})

test('manual clock: timers fire in the order of their times, of one time in the order they were set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 20 })), (delays) => {
      const clock = manualClock()
      const fired: (readonly [at: number, index: number])[] = []
      for (const [i, ms] of delays.entries()) clock.after(ms, () => fired.push([clock.now(), i]))
      clock.advance(20)
      const expected = delays.map((ms, i) => [Math.max(0, ms), i] as const).sort(([a, i], [b, j]) => a - b || i - j)
      expect(fired).toEqual(expected)
    }),
  )
})

test('manual clock: a timer set while time passes fires in the same passing', () => {
  const clock = manualClock()
  const fired: number[] = []
  clock.after(10, () => clock.after(10, () => fired.push(clock.now())))
  clock.advance(20)
  expect(fired).toEqual([20])
})

test('manual clock: a timer that is disarmed does not fire, and disarming twice is harmless', () => {
  const clock = manualClock()
  const disarm = clock.after(10, () => expect.unreachable())
  clock.after(5, disarm)
  disarm()
  disarm()
  expect(clock.timers).toBe(1)
  clock.advance(10)
  disarm()
})

test('manual clock: one timer may disarm another of the same time', () => {
  const clock = manualClock()
  let disarm = (): void => {}
  clock.after(10, () => disarm())
  disarm = clock.after(10, () => expect.unreachable())
  clock.advance(10)
})

test('manual clock: what was due in a sleep fires late, at the time of waking', () => {
  const clock = manualClock()
  const fired: number[] = []
  clock.after(20, () => fired.push(clock.now()))
  clock.after(10, () => fired.push(-clock.now()))
  clock.sleep(1_000)
  expect(fired).toEqual([])
  expect(clock.now()).toBe(1_000)
  clock.advance(0)
  expect(fired).toEqual([-1_000, 1_000])
})
