import { expect, test } from 'vitest'
import type { Failover } from '../src/pool/failover.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { recoveryDefaults } from '../src/run/recovery.ts'
import type { Run } from '../src/run/run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import type { UpstreamSink } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { startRun, type TestRunOptions } from './support/start-run.ts'

// Our own code fails, or what an app has put into it: the run ends with an error, and neither a socket nor a timer has to bear it.

const broken = (): never => {
  throw new TypeError('a bug of ours')
}
const alone: Failover = {
  successor: undefined,
  delta: () => undefined,
  isOpen: false,
  hasStandby: false,
  next: () => null,
  onOpen: () => () => undefined,
}
interface Started {
  readonly run: Run
  readonly sink: UpstreamSink
  readonly clock: ManualClock
}
function start(options: Partial<TestRunOptions>, clock: ManualClock = manualClock()): Started {
  let sink: UpstreamSink | undefined
  const run = startRun({
    runId: 'run_1',
    sessionId: 'sess_1',
    model: 'm',
    open: (_question, to) => void (sink = to),
    clock,
    fuse: fuseDefaults,
    orphanMs: 0,
    ...options,
  })
  run.attach(() => undefined)
  return { run, sink: sink!, clock }
}
const dropped = new ChatError('upstream_unreachable', 'It hung up.', { retryable: true })
const internal = { done: true, reason: 'error', error: { code: 'internal', retryable: false } }

test.for<[what: string, options: Partial<TestRunOptions>]>([
  ['the choice of another model server', { failover: { ...alone, next: broken } }],
  [
    'the look for one that stands by',
    { recovery: recoveryDefaults, failover: { ...alone, isOpen: true, next: broken } },
  ],
  ['the jitter of a wait', { recovery: recoveryDefaults, random: broken }],
  ['the wait for a breaker', { recovery: recoveryDefaults, failover: { ...alone, onOpen: broken } }],
])('own faults: %s fails behind a failed attempt, and the run ends as internal, its text kept', async ([, options]) => {
  for (const fail of ['end', 'event'] as const) {
    const { run, sink, clock } = start(options)
    void sink.push([{ message: 'Half' }])
    if (fail === 'end') sink.end(dropped)
    else void sink.push([{ error: dropped }])
    expect(await run.ended).toMatchObject({ ...internal, position: 4 })
    expect(run.log.partial()).toEqual({ content: 'Half' })
    expect(run.error).toMatchObject({ cause: expect.any(TypeError) })
    clock.advance(120_000)
    expect(clock.timers).toBe(0)
  }
})

test('own faults: what fails behind a blown fuse is borne by no timer', async () => {
  const { run, sink, clock } = start({ failover: { ...alone, next: broken } })
  void sink.push([{ message: 'Half' }])
  clock.advance(fuseDefaults.stallMs)
  clock.advance(0)
  expect(await run.ended).toMatchObject(internal)
})

test('own faults: what fails when a wait is over is borne by no timer', async () => {
  let isBroken = false
  const failover: Failover = {
    ...alone,
    get isOpen() {
      return isBroken ? broken() : false
    },
  }
  const { run, sink, clock } = start({ recovery: recoveryDefaults, failover })
  sink.end(dropped)
  expect([run.retries, run.state.phase]).toEqual([1, 'waiting'])
  isBroken = true
  clock.advance(60_000)
  expect(await run.ended).toMatchObject(internal)
  expect(clock.timers).toBe(0)
})

test('own faults: a clock that gives no timer ends the run in the call that starts it', async () => {
  const clock = manualClock()
  const { run } = start({ clock: { ...clock, now: clock.now, after: broken }, open: () => undefined }, clock)
  expect(await run.ended).toMatchObject(internal)
})

test('own faults: a reader that fails at a batch ends the run, and the others are told', async () => {
  const { run, sink } = start({})
  let told = 0
  run.attach(broken)
  run.attach(() => (told += 1))
  void sink.push([{ message: 'Half' }])
  expect(await run.ended).toMatchObject(internal)
  expect(told).toBe(1)
})

test('own faults: who throws when told of the end keeps nobody else from it', async () => {
  const { run, sink } = start({ onEnd: broken })
  const told: string[] = []
  run.attach(() => {
    told.push('first')
    broken()
  })
  run.attach(() => told.push('second'))
  run.interrupt('person')
  expect(await run.ended).toMatchObject({ reason: 'interrupted' })
  expect(told).toEqual(['first', 'second'])
  expect(run.error).toBeInstanceOf(TypeError)
  expect(sink.push([{ message: 'late' }])).toBeUndefined()
})
