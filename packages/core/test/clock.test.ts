import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../src/clock.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('system clock: a timer fires once, so many ms from now, and one of the past at once', () => {
  const fired: string[] = []
  systemClock.after(10, () => fired.push('later'))
  systemClock.after(-5, () => fired.push('now'))
  vi.advanceTimersByTime(9)
  expect(fired).toEqual(['now'])
  vi.advanceTimersByTime(60_000)
  expect(fired).toEqual(['now', 'later'])
})

test('system clock: a disarmed timer does not fire, and disarming twice is harmless', () => {
  const disarm = systemClock.after(10, () => expect.unreachable())
  disarm()
  disarm()
  expect(vi.getTimerCount()).toBe(0)
})

test.for([2 ** 31, 1e15, Infinity])(
  'system clock: a delay of %s ms, too long for setTimeout, does not fire at once',
  (ms) => {
    let fired = 0
    systemClock.after(ms, () => (fired += 1))
    vi.advanceTimersByTime(2_147_483_646)
    expect(fired).toBe(0)
    vi.advanceTimersByTime(1)
    expect(fired).toBe(1)
  },
)

test('system clock: it counts epoch milliseconds', () => {
  vi.useRealTimers()
  const platform = (): number => performance.timeOrigin + performance.now()
  const before = platform()
  const now = systemClock.now()
  expect([before <= now, now <= platform()]).toEqual([true, true])
})
