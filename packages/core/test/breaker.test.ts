import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/index.ts'
import {
  breakerDefaults,
  breakerStart,
  breakerWaitMs,
  createBreaker,
  isElsewhereBetter,
  isServerFault,
  resolveBreaker,
  stepBreaker,
  type Breaker,
} from '../src/pool/breaker.ts'
import type { ChatErrorCode } from '../src/wire/errors.ts'

const policy = breakerDefaults
const failed = (breaker: Breaker, runs: number): void => {
  for (let i = 0; i < runs; i++) breaker.begin().end('failure')
}

test('breaker options: the defaults are those of the design, and what makes no sense throws', () => {
  expect(resolveBreaker()).toEqual({ failures: 5, probeMs: 10_000 })
  expect(resolveBreaker({ failures: 1, probeMs: 1 })).toEqual({ failures: 1, probeMs: 1 })
  for (const wrong of [{ failures: 0 }, { failures: NaN }, { probeMs: 0 }, { probeMs: NaN }]) {
    expect(() => resolveBreaker(wrong)).toThrow(RangeError)
  }
})

test('breaker: five failed runs in a row open it, four do not', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 4)
  expect([breaker.phase, breaker.waitMs]).toEqual(['closed', 0])
  failed(breaker, 1)
  expect([breaker.phase, breaker.waitMs]).toEqual(['open', 10_000])
  clock.advance(4_000)
  expect(breaker.waitMs).toBe(6_000)
})

test('breaker: a run that succeeds makes the count begin anew', () => {
  const breaker = createBreaker(manualClock(), policy)
  failed(breaker, 4)
  breaker.begin().end('success')
  failed(breaker, 4)
  expect(breaker.phase).toBe('closed')
})

test('breaker: a run that a person ended counts neither way', () => {
  const breaker = createBreaker(manualClock(), policy)
  failed(breaker, 4)
  for (let i = 0; i < 100; i++) breaker.begin().end('leave')
  expect(breaker.phase).toBe('closed')
  failed(breaker, 1)
  expect(breaker.phase).toBe('open')
})

test('breaker: after probeMs one run may try, and only one', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 5)
  clock.advance(9_999)
  expect(breaker.waitMs).toBe(1)
  clock.advance(1)
  expect(breaker.waitMs).toBe(0)
  breaker.begin()
  expect(breaker.phase).toBe('half_open')
  expect(breaker.waitMs).toBeGreaterThan(0)
})

test('breaker: a probe that fails keeps it open for another probeMs', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 5)
  clock.advance(10_000)
  const probe = breaker.begin()
  clock.advance(3_000)
  probe.end('failure')
  expect([breaker.phase, breaker.waitMs]).toEqual(['open', 10_000])
})

test('breaker: the first delta of a probe lets others in, but the next failure opens it again', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 5)
  clock.advance(10_000)
  const probe = breaker.begin()
  probe.delta()
  expect([breaker.phase, breaker.waitMs]).toEqual(['closed', 0])
  probe.end('failure')
  expect(breaker.phase).toBe('open')
})

test('breaker: a probe that succeeds closes it for good', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 5)
  clock.advance(10_000)
  breaker.begin().end('success')
  failed(breaker, 4)
  expect(breaker.phase).toBe('closed')
})

test('breaker: a probe that a person interrupts before its first delta leaves its place to the next run', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  failed(breaker, 5)
  clock.advance(10_000)
  breaker.begin().end('leave')
  expect([breaker.phase, breaker.waitMs]).toEqual(['open', 0])
})

test('breaker: a run from before it opened that fails while one tries neither ends the try nor makes the wait longer', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  const old = breaker.begin()
  failed(breaker, 5)
  clock.advance(10_000)
  breaker.begin()
  old.end('failure')
  expect(breaker.phase).toBe('half_open')
})

test('breaker: a run from before it opened that succeeds closes it', () => {
  const breaker = createBreaker(manualClock(), policy)
  const old = breaker.begin()
  failed(breaker, 5)
  old.end('success')
  expect(breaker.phase).toBe('closed')
})

test('breaker: what a run says after its end does not count', () => {
  const breaker = createBreaker(manualClock(), policy)
  const run = breaker.begin()
  for (let i = 0; i < 10; i++) run.end('failure')
  expect(breaker.phase).toBe('closed')
})

test('breaker: it tells when it opens, once each time, and nobody who has left', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, policy)
  const told: string[] = []
  breaker.onOpen(() => told.push('stays'))
  breaker.onOpen(() => told.push('leaves'))()
  failed(breaker, 7)
  expect(told).toEqual(['stays'])
  breaker.begin().end('success')
  failed(breaker, 5)
  expect(told).toEqual(['stays', 'stays'])
  expect(clock.timers).toBe(0)
})

test.for<[code: ChatErrorCode, isFault: boolean, isBetter: boolean]>([
  ['upstream_stalled', false, true],
  ['upstream_incomplete', true, true],
  ['upstream_model_missing', false, true],
  ['upstream_unauthorized', false, true],
  ['upstream_rejected', false, false],
  ['overflow', false, false],
  ['run_too_long', false, false],
  ['internal', false, false],
])('breaker: that %s is a fault of the server is %s, and that another one may do better is %s', ([code, ...expected]) =>
  expect([isServerFault({ code, retryable: true }), isElsewhereBetter({ code, retryable: true })]).toEqual(expected),
)

test('breaker: a server that gives replies without a known reason works, and no other one is asked for the same again', () => {
  const error = { code: 'upstream_incomplete', retryable: false } as const
  expect([isServerFault(error), isElsewhereBetter(error)]).toEqual([false, false])
})

test('breaker: whatever happens in whatever order, it never refuses for longer than probeMs, and a success always closes it', () => {
  const what = fc.constantFrom('begin', 'delta', 'success', 'failure', 'probe failure', 'leave', 'probe leave', 'wait')
  fc.assert(
    fc.property(fc.array(what, { maxLength: 60 }), (steps) => {
      let state = breakerStart
      let now = 0
      for (const step of steps) {
        const isProbe = step.startsWith('probe')
        if (step === 'wait') now += 1_700
        else if (step === 'begin') {
          if (breakerWaitMs(state, now, policy) === 0) state = stepBreaker(state, { type: 'begin' }, policy)
        } else if (step === 'delta' || step === 'success') state = stepBreaker(state, { type: step }, policy)
        else if (step.endsWith('failure')) state = stepBreaker(state, { type: 'failure', now, isProbe }, policy)
        else state = stepBreaker(state, { type: 'leave', isProbe }, policy)
        expect(breakerWaitMs(state, now, policy)).toBeLessThanOrEqual(policy.probeMs)
        if (state.probing) expect(state.probeAt).not.toBeNull()
      }
      expect(stepBreaker(state, { type: 'success' }, policy)).toBe(breakerStart)
    }),
  )
})
