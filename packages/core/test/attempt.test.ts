import { expect, test } from 'vitest'
import { createAttempt, type Attempt, type Left } from '../src/run/attempt.ts'
import type { Intact } from '../src/run/fuse-guard.ts'
import { fuseDefaults, startFuse, type FusePolicy } from '../src/run/fuse.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import type { UpstreamEvent, UpstreamSink } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'

interface Asked {
  readonly attempt: Attempt
  readonly clock: ManualClock
  readonly sink: UpstreamSink
  readonly signal: AbortSignal
  /** What the owner was told, in order. */
  readonly told: unknown[]
  readonly left: () => Left | undefined
}

/** An attempt at an upstream that pushes when the test says so, and listens to nobody. */
function ask(policy: Partial<FusePolicy> = {}, from: Partial<Intact> = {}): Asked {
  const clock = manualClock(1_000)
  const told: unknown[] = []
  let left: Left | undefined
  let sink: UpstreamSink | undefined
  let signal: AbortSignal | undefined
  const attempt = createAttempt(
    {
      clock,
      policy: { ...fuseDefaults, ...policy },
      fuse: { ...(startFuse(clock.now()) as Intact), ...from },
      holes: 0,
      open(to, abort) {
        sink = to
        signal = abort
      },
    },
    {
      append: (event) => void told.push(event),
      count: ({ usage }) => void told.push({ usage }),
      show: ({ progress }) => void told.push({ progress }),
      finish: ({ finish }) => void told.push({ finish }),
      flush: () => void told.push('flush'),
      fail(error, isBlown, leaves) {
        left = leaves
        told.push(isBlown ? `${error.code}, blown` : error.code)
      },
    },
  )
  attempt.start()
  return { attempt, clock, told, sink: sink!, signal: signal!, left: () => left }
}

const failure = new ChatError('upstream_crashed', 'The runner died.', { retryable: true })
const late: readonly UpstreamEvent[] = [
  { message: 'late' },
  { thinking: 'late' },
  { data: { type: 'late' } },
  { tool_call: { id: '1', name: 'late', arguments: {} } },
  { usage: { prompt_tokens: 1 } },
  { progress: { stage: 'prompt' } },
  { malformed: '<' },
  { finish: 'stop' },
  { error: failure },
]

/** Every way in which an attempt ends. */
const ends: Readonly<Record<string, (asked: Asked) => void>> = {
  'a finish': ({ sink }) => void sink.push([{ finish: 'stop' }]),
  'an error event': ({ sink }) => void sink.push([{ error: failure }]),
  'an end without a finish': ({ sink }) => sink.end(),
  'an end with an error': ({ sink }) => sink.end(failure),
  'a fuse that blows': ({ clock }) => clock.advance(fuseDefaults.firstDeltaMs),
  'its owner': ({ attempt }) => attempt.end(new Error('enough')),
}

test.for(Object.keys(ends))('attempt: what is pushed after %s is not heard', (name) => {
  const asked = ask()
  ends[name]!(asked)
  const before = [...asked.told]
  for (const event of late) void asked.sink.push([event])
  void asked.sink.push(late)
  asked.sink.end(failure)
  asked.sink.end()
  expect(asked.told).toEqual(before)
  expect(asked.clock.timers).toBe(0)
})

test.for([{ finish: 'stop' }, { error: failure }] as const)(
  'attempt: of the batch that ends it with %o nothing after that counts',
  (end) => {
    const { sink, told } = ask()
    void sink.push([{ message: 'a' }, end, ...late])
    expect(told).toEqual([{ message: 'a' }, 'finish' in end ? end : 'upstream_crashed', 'flush'])
  },
)

test('attempt: a finish leaves its request alone, also when the run then ends', () => {
  const { attempt, sink, signal } = ask()
  void sink.push([{ message: 'a' }, { finish: 'stop' }])
  attempt.end(new DOMException('The run has ended.', 'AbortError'))
  expect(signal.aborted).toBe(false)
})

test.for(Object.keys(ends).filter((name) => name !== 'a finish'))('attempt: %s aborts its request', (name) => {
  const asked = ask()
  ends[name]!(asked)
  expect(asked.signal.aborted).toBe(true)
})

test('attempt: one whose upstream does not listen to its abort has failed in the step in which its fuse blows', () => {
  const { clock, sink, told } = ask({ stallMs: 5_000 })
  void sink.push([{ message: 'a' }])
  clock.advance(5_000)
  expect(told).toEqual([{ message: 'a' }, 'flush', 'upstream_stalled, blown'])
})

test.for<[what: string, events: readonly UpstreamEvent[], logged: number]>([
  ['text', [{ message: '12345' }, { message: '67890' }, { message: '1' }, { message: '2' }], 2],
  ['thinking', [{ thinking: '1234567890' }, { thinking: '1' }], 1],
  ['an event of the app', [{ message: '12345' }, { data: { type: 'x' } }, { message: '1' }], 1],
  ['a tool call', [{ message: '1' }, { tool_call: { id: '1', name: 'x', arguments: {} } }], 1],
])('attempt: %s past maxBytes is not handed on, in one batch or in many', ([, events, logged]) => {
  for (const batches of [[events], events.map((event) => [event])]) {
    const { sink, told } = ask({ maxBytes: 10 })
    for (const batch of batches) void sink.push(batch)
    expect(told.filter((one) => one !== 'flush')).toEqual([...events.slice(0, logged), 'overflow, blown'])
  }
})

test('attempt: what it leaves is a fuse that has not blown, with the bytes and the start of the whole reply', () => {
  const faults: readonly ((asked: Asked) => void)[] = [
    ({ clock }) => clock.advance(5_000),
    ({ sink }) => void sink.push([{ error: failure }]),
    ({ sink }) => sink.end(),
  ]
  for (const fault of faults) {
    const asked = ask({ stallMs: 5_000 }, { startedAt: 400, bytes: 7 })
    void asked.sink.push([{ message: 'ab' }, { message: '春' }])
    fault(asked)
    expect(asked.left()?.fuse).toMatchObject({ phase: 'intact', startedAt: 400, bytes: 12 })
  }
})

test('attempt: the clock is asked once a batch, and no delta sets a timer', () => {
  const clock = manualClock(1_000)
  let looks = 0
  let timers = 0
  const counting = {
    now: () => (looks++, clock.now()),
    after: (ms: number, fire: () => void) => (timers++, clock.after(ms, fire)),
  }
  let sink: UpstreamSink | undefined
  const nothing = (): void => undefined
  const owner = { append: nothing, count: nothing, show: nothing, finish: nothing, flush: nothing, fail: nothing }
  const fuse = startFuse(1_000) as Intact
  createAttempt(
    { clock: counting, policy: fuseDefaults, fuse, holes: 0, open: (to) => void (sink = to) },
    owner,
  ).start()
  void sink!.push([{ message: 'first' }])
  looks = timers = 0
  for (let batch = 0; batch < 100; batch++) {
    clock.advance(10)
    void sink!.push([{ message: 'a' }, { message: 'b' }, { thinking: 'c' }])
  }
  expect([looks, timers]).toEqual([100, 0])
})
