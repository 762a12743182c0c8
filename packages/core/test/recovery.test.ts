import * as fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import {
  recoveryDefaults,
  recoverySeen,
  recoveryStart,
  resolveRecovery,
  stepRecovery,
  type RecoveryState,
} from '../src/run/recovery.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, scriptedUpstream, type ManualClock } from '../src/testing/index.ts'
import type { ScriptedReply, ScriptedUpstream } from '../src/testing/index.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { ollama } from '../src/upstream/index.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'
import { createId, type RandomBytes } from '../src/wire/ids.ts'
import { turn } from './support/event-loop.ts'
import { frameReader, textOf, type FrameReader, type WireEvent, type WireFrame } from './support/frames.ts'
import { bodyOf, handmade, recording, replayServer, type Recording } from './support/replay-server.ts'
import { estimated } from './support/usage.ts'

const failure = (code: ChatErrorCode): ChatError => new ChatError(code, 'No.', { retryable: true })
const refused = failure('upstream_unreachable')

// The machine

const noJitter: RandomBytes = (bytes) => bytes.fill(0)
const jitter =
  (byte: number): RandomBytes =>
  (bytes) =>
    bytes.fill(byte)

test('recovery options: the defaults are those of the design, and what makes no sense throws', () => {
  expect(resolveRecovery()).toEqual({ maxAttempts: 5, maxWaitMs: 60_000, failoverMs: 3_000 })
  const least = { maxAttempts: 1, maxWaitMs: 0, failoverMs: 0 }
  expect(resolveRecovery(least)).toEqual(least)
  for (const wrong of [
    { maxAttempts: 0 },
    { maxAttempts: NaN },
    { maxWaitMs: -1 },
    { maxWaitMs: NaN },
    { failoverMs: -1 },
    { failoverMs: NaN },
  ]) {
    expect(() => resolveRecovery(wrong)).toThrow(RangeError)
  }
})

const retried = [
  'upstream_unreachable',
  'upstream_busy',
  'upstream_crashed',
  'upstream_incomplete',
  'upstream_stalled',
] as const
const final = [
  'upstream_model_missing',
  'upstream_unauthorized',
  'upstream_rejected',
  'upstream_failed',
  'upstream_malformed',
  'upstream_silent',
  'overflow',
  'run_too_long',
  'internal',
] as const
test.for<[code: ChatErrorCode, retryInMs: number | null]>([
  ...retried.map((code) => [code, 250] as [ChatErrorCode, number]),
  ...final.map((code) => [code, null] as [ChatErrorCode, null]),
])('recovery: after %s it waits %s ms', ([code, retryInMs]) => {
  const input = { now: 0, error: failure(code), hasYielded: false }
  expect(stepRecovery(recoveryStart, input, recoveryDefaults, noJitter).retryInMs).toBe(retryInMs)
})

test('recovery: the back-off doubles from 250 ms to 8 s, and jitter takes at most half of it away', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 40 }), (byte, attempts) => {
      let state = recoveryStart
      let waitMs: number | null = 0
      for (let i = 0; i < attempts; i++) {
        const input = { now: 0, error: refused, hasYielded: false }
        ;({ state, retryInMs: waitMs } = stepRecovery(state, input, recoveryDefaults, jitter(byte)))
      }
      const longest = Math.min(8_000, 250 * 2 ** (attempts - 1))
      expect(state.attempt).toBe(attempts)
      expect(waitMs).toBeLessThanOrEqual(longest)
      expect(waitMs).toBeGreaterThan(longest / 2)
    }),
  )
})

test('recovery: a server that says when to come back is not asked before that', () => {
  const busy = (retryAfterMs: number): ChatError =>
    new ChatError('upstream_busy', 'Busy.', { retryable: true, retryAfterMs })
  const wait = (error: ChatError): number | null =>
    stepRecovery(recoveryStart, { now: 0, error, hasYielded: false }, recoveryDefaults, noJitter).retryInMs
  expect([wait(busy(0)), wait(busy(100)), wait(busy(7_000)), wait(busy(60_000))]).toEqual([250, 250, 7_000, 60_000])
})

test('recovery: a server that says to come back later than anybody waits has failed', () => {
  const error = new ChatError('upstream_busy', 'Busy.', { retryable: true, retryAfterMs: 60_001 })
  const input = { now: 0, error, hasYielded: false }
  expect(stepRecovery(recoveryStart, input, recoveryDefaults, noJitter).retryInMs).toBeNull()
})

test('recovery: jitter keeps two runs apart', () => {
  const input = { now: 0, error: refused, hasYielded: false }
  const waits = [0, 100, 200].map(
    (byte) => stepRecovery(recoveryStart, input, recoveryDefaults, jitter(byte)).retryInMs,
  )
  expect(new Set(waits).size).toBe(3)
})

test('recovery: a server that is not there is asked until maxWaitMs after it was lost, once more just then, and no later', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200_000 }),
      fc.integer({ min: 0, max: 255 }),
      fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 50 }),
      (maxWaitMs, byte, took) => {
        const lostAt = 5_000
        let now = lostAt
        let state = recoveryStart
        let asked = 0
        for (;;) {
          const step = stepRecovery(
            state,
            { now, error: refused, hasYielded: false },
            { ...recoveryDefaults, maxAttempts: 1, maxWaitMs },
            jitter(byte),
          )
          state = step.state
          if (step.retryInMs === null) break
          now += step.retryInMs
          expect(now).toBeLessThanOrEqual(lostAt + maxWaitMs)
          // The attempt itself may take a while until it fails.
          now += took[asked++] ?? 0
        }
        expect(now).toBeGreaterThanOrEqual(lostAt + maxWaitMs)
        expect(state).toMatchObject({ lostAt, fruitful: 0 })
      },
    ),
  )
})

test('recovery: where another server stands by, one that is not there is waited for until failoverMs', () => {
  let now = 1_000
  let state: RecoveryState = recoveryStart
  const waits: (number | null)[] = []
  for (let waitMs: number | null = 0; waitMs !== null; now += waitMs ?? 0) {
    const input = { now, error: refused, hasYielded: false, standby: { askedAt: now } }
    ;({ state, retryInMs: waitMs } = stepRecovery(state, input, recoveryDefaults, noJitter))
    waits.push(waitMs)
  }
  expect([waits, now]).toEqual([[250, 500, 1_000, 1_250, null], 4_000])
})

test('recovery: the time that an attempt took to fail is part of that wait, unless it has grown the reply', () => {
  const wait = (askedAt: number, hasYielded: boolean, retryAfterMs?: number): number | null => {
    const error = new ChatError('upstream_busy', 'Busy.', { retryable: true, retryAfterMs })
    const input = { now: 10_000, error, hasYielded, standby: { askedAt } }
    return stepRecovery(recoveryStart, input, recoveryDefaults, noJitter).retryInMs
  }
  expect([wait(10_000, false), wait(7_001, false), wait(7_000, false)]).toEqual([250, 1, null])
  expect([wait(0, true), wait(10_000, false, 3_000), wait(10_000, false, 3_001)]).toEqual([250, 3_000, null])
  const patient = { ...recoveryDefaults, maxWaitMs: 100 }
  const input = { now: 0, error: refused, hasYielded: false, standby: { askedAt: 0 } }
  expect(stepRecovery(recoveryStart, input, patient, noJitter).retryInMs).toBe(100)
})

test('recovery: with maxWaitMs 0 the first failure is the last', () => {
  const policy = { ...recoveryDefaults, maxWaitMs: 0 }
  expect(
    stepRecovery(recoveryStart, { now: 0, error: refused, hasYielded: true }, policy, noJitter).retryInMs,
  ).toBeNull()
})

test('recovery: attempts that yielded something count towards maxAttempts, however far apart', () => {
  let state: RecoveryState = recoveryStart
  const waits: (number | null)[] = []
  for (let i = 0; i < 5; i++) {
    const step = stepRecovery(state, { now: i * 100_000, error: refused, hasYielded: true }, recoveryDefaults, noJitter)
    waits.push(step.retryInMs)
    state = recoverySeen(step.state)
  }
  expect(waits).toEqual([250, 250, 250, 250, null])
})

test('recovery: once something came, the wait and the back-off start anew, and the count stays', () => {
  const lost = { attempt: 7, fruitful: 3, lostAt: 1_000 }
  const seen = recoverySeen(lost)
  expect(seen).toEqual({ attempt: 0, fruitful: 3, lostAt: null })
  expect(recoverySeen(seen)).toBe(seen)
})

// The gateway

interface Started {
  readonly frames: FrameReader
  readonly runId: string
  readonly sessionId: string
  readonly reply: ScriptedReply
}
interface Bed {
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  readonly gateway: Gateway
  readonly ends: readonly Run[]
  call(path: string, init?: RequestInit): Promise<Response>
  post(body?: Record<string, unknown>): Promise<Response>
  start(body?: Record<string, unknown>): Promise<Started>
  /** Lets the wait pass that this frame speaks of, and takes the next attempt. */
  retry(frame: WireFrame): Promise<ScriptedReply>
}

const hello = { messages: [{ role: 'user', content: 'Hello' }] }
const isText = (event: WireEvent): boolean => event.message !== undefined
const isThinking = (event: WireEvent): boolean => event.thinking !== undefined
const isRetry = (event: WireEvent): boolean => event.attempt !== undefined
const isDone = (event: WireEvent): boolean => event.done === true
const status = (what: string, more: object = {}): WireFrame => ({ id: undefined, event: { status: what, ...more } })

function bench(options: Partial<GatewayOptions> = {}): Bed {
  const clock = manualClock(1_000)
  const upstream = scriptedUpstream()
  const ends: Run[] = []
  const gateway = createGateway({
    upstream,
    clock,
    coalesce: { windowMs: 0 },
    // The jitter takes one byte, an id more.
    random: (bytes) => (bytes.length === 1 ? bytes.fill(0) : crypto.getRandomValues(bytes)),
    onRunEnd: ({ run }) => void ends.push(run),
    ...options,
    // Time passes here while nobody looks at a body: that is no client that reads nothing.
    limits: { unreadMs: Infinity, ...options.limits },
  })
  onTestFinished(() => gateway.close())
  const call: Bed['call'] = (path, init) => gateway(new Request(`http://gateway.test/api/chat${path}`, init))
  const post: Bed['post'] = (body = hello) => call('', { method: 'POST', body: JSON.stringify(body) })
  return {
    clock,
    upstream,
    gateway,
    ends,
    call,
    post,
    async start(body) {
      const frames = frameReader((await post(body)).body)
      const { session_id: sessionId = '', run_id: runId = '' } = (await frames.next())?.event ?? {}
      return { frames, runId, sessionId, reply: await upstream.next() }
    },
    retry({ event }) {
      clock.advance(event.retry_in_ms!)
      return upstream.next()
    },
  }
}
/** A whole reply: an end without evidence is a cut from now on. */
async function prove(bed: Bed): Promise<void> {
  const { frames, reply } = await bed.start()
  reply.finish()
  await frames.rest()
}
/** Sends text, waits until it was read, and fails. @returns The frames up to the status that says so. */
async function cut({ frames, reply }: Started, text: string, error = refused): Promise<WireFrame[]> {
  reply.send(text)
  const before = await frames.until(isText)
  reply.fail(error)
  return [...before, ...(await frames.until(isRetry))]
}

const failures: Readonly<Record<string, (reply: ScriptedReply) => void>> = {
  'refuses or resets': (reply) => reply.fail(failure('upstream_unreachable')),
  'is busy': (reply) => reply.fail(failure('upstream_busy')),
  'says that its runner died': (reply) => reply.send({ error: failure('upstream_crashed') }),
  'ends its reply without evidence': (reply) => reply.end(),
}
for (const [what, fail] of Object.entries(failures)) {
  test(`recovery: a server that ${what} before any text is waited for, and the request is answered`, async () => {
    const bed = bench()
    const { frames, reply } = await bed.start()
    fail(reply)
    const waiting = await frames.until(isRetry)
    expect(waiting.at(-1)).toEqual(status('waiting', { attempt: 1, retry_in_ms: 250 }))
    const again = await bed.retry(waiting.at(-1)!)
    expect(again.request).toEqual(reply.request)
    again.send('Hi')
    again.finish()
    expect(await frames.rest()).toEqual([
      status('generating'),
      { id: 2, event: { message: 'Hi' } },
      { id: undefined, event: { done: true, reason: 'stop' } },
    ])
    expect(bed.clock.timers).toBe(0)
  })

  test(`recovery: after a server that ${what} in mid text, the run goes on in the same log from its partial`, async () => {
    const bed = bench()
    await prove(bed)
    const { frames, reply, runId } = await bed.start()
    reply.send('Hel', 'lo ')
    await frames.until(isText)
    fail(reply)
    const recovering = await frames.until(isRetry)
    expect(recovering.at(-1)).toEqual(status('recovering', { attempt: 1, retry_in_ms: 250 }))
    const again = await bed.retry(recovering.at(-1)!)
    expect(again.request).toEqual({ ...reply.request, prefill: 'Hello', spent: 2 })
    again.send(' world')
    again.finish('stop', { completion_tokens: 1 })
    expect(await frames.rest()).toEqual([
      status('generating'),
      { id: 11, event: { message: 'world' } },
      // Two of the first attempt, which nobody counted.
      { id: undefined, event: { done: true, reason: 'stop', ...estimated(3) } },
    ])
    const replayed = await frameReader((await bed.call(`/runs/${runId}`)).body).rest()
    expect(textOf(replayed)).toBe('Hello world')
    expect(bed.upstream.openReplies).toBe(0)
    expect(bed.clock.timers).toBe(0)
  })
}

test('recovery: a server that is away for half a minute is asked with back-off, and heartbeats go on', async () => {
  const { start, clock, upstream } = bench()
  const { frames, reply } = await start()
  reply.fail(refused)
  const seen: WireFrame[] = await frames.until(isRetry)
  let at = clock.now()
  const longest: number[] = []
  for (let i = 0; i < 8; i++) {
    const due = clock.now() + seen.at(-1)!.event.retry_in_ms!
    while (clock.now() < due) {
      clock.advance(Math.min(1_000, due - clock.now()))
      await turn()
    }
    ;(await upstream.next()).fail(refused)
    for (const frame of await frames.until(isRetry)) {
      seen.push(frame)
      longest.push(clock.now() - at)
      at = clock.now()
    }
  }
  const retries = seen.map(({ event }) => event).filter(isRetry)
  expect(retries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(retries.map(({ retry_in_ms }) => retry_in_ms)).toEqual([
    250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000,
  ])
  expect(seen.filter(({ event }) => event.ping)).toHaveLength(3)
  expect(Math.max(...longest)).toBeLessThanOrEqual(8_000)
})

test('recovery: within one wait a ping comes at every interval', async () => {
  const { start, clock } = bench({ heartbeat: { intervalMs: 100 }, coalesce: { windowMs: 0 } })
  const { frames, reply } = await start()
  reply.fail(refused)
  await frames.until(isRetry)
  for (let i = 0; i < 2; i++) {
    const next = frames.next()
    clock.advance(100)
    expect((await next)?.event).toEqual({ ping: 'keepalive' })
  }
})

test('recovery: a server that stays away for maxWaitMs fails the run with what it said last', async () => {
  const bed = bench({ recovery: { maxWaitMs: 1_000 } })
  const started = await bed.start()
  let frames = await cut(started, 'Hello')
  const waits: (number | undefined)[] = []
  for (const code of ['upstream_unreachable', 'upstream_busy'] as const) {
    waits.push(frames.at(-1)!.event.retry_in_ms)
    ;(await bed.retry(frames.at(-1)!)).fail(failure(code))
    frames = await started.frames.until(isRetry)
  }
  waits.push(frames.at(-1)!.event.retry_in_ms)
  ;(await bed.retry(frames.at(-1)!)).fail(failure('upstream_busy'))
  expect(waits).toEqual([250, 500, 250])
  expect((await started.frames.rest()).at(-1)?.event).toEqual({
    done: true,
    reason: 'error',
    error: { code: 'upstream_busy', message: 'No.', retryable: true },
    position: 5,
  })
  expect(bed.clock.now()).toBe(2_000)
  expect(bed.clock.timers).toBe(0)
})

test('recovery: attempts that gave text are counted, and the run fails with all of it after maxAttempts', async () => {
  const bed = bench({ recovery: { maxAttempts: 3 } })
  const started = await bed.start()
  let { reply } = started
  for (const text of ['one ', 'two ']) {
    const frames = await cut({ ...started, reply }, text)
    expect(frames.at(-1)).toEqual(status('recovering', { attempt: 1, retry_in_ms: 250 }))
    reply = await bed.retry(frames.at(-1)!)
  }
  expect(reply.request.prefill).toBe('one two')
  reply.send(' three')
  reply.fail(refused)
  expect((await started.frames.rest()).at(-1)?.event).toMatchObject({ reason: 'error', position: 13 })
  expect(bed.ends[0]?.log.partial()).toEqual({ content: 'one two three' })
})

test('recovery: attempts that gave nothing are not counted', async () => {
  const bed = bench({ recovery: { maxAttempts: 1 } })
  const { frames, reply } = await bed.start()
  reply.fail(refused)
  for (let i = 0; i < 3; i++) (await bed.retry((await frames.until(isRetry)).at(-1)!)).fail(refused)
  const last = await bed.retry((await frames.until(isRetry)).at(-1)!)
  last.send('Hi')
  last.finish()
  expect(textOf(await frames.rest())).toBe('Hi')
})

for (const code of ['upstream_rejected', 'upstream_model_missing', 'upstream_failed'] as const) {
  test(`recovery: ${code} fails the run at once`, async () => {
    const bed = bench()
    const { frames, reply } = await bed.start()
    reply.fail(failure(code))
    expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'error', error: { code } })
    expect(bed.clock.timers).toBe(0)
    expect(bed.upstream.replies).toHaveLength(1)
  })
}

test('recovery: false fails at once, before any text and after', async () => {
  for (const text of ['', 'Hello']) {
    const bed = bench({ recovery: false })
    const { frames, reply } = await bed.start()
    reply.send(text)
    reply.fail(refused)
    const rest = await frames.rest()
    expect(rest.map(({ event }) => event).some(isRetry)).toBe(false)
    expect(rest.at(-1)?.event).toMatchObject({ reason: 'error', position: text.length })
    expect(bed.clock.timers).toBe(0)
  }
})

test('recovery: a reader that connects meanwhile gets the text and the present status, with the wait that is left', async () => {
  const bed = bench()
  const started = await bed.start({ ...hello, reconnect: true })
  await cut(started, 'Hello')
  bed.clock.advance(100)
  const late = frameReader((await bed.call(`/runs/${started.runId}`)).body)
  await late.next()
  expect(await late.next()).toEqual({ id: 5, event: { message: 'Hello' } })
  expect(await late.next()).toEqual(status('recovering', { attempt: 1, retry_in_ms: 150 }))
  bed.clock.advance(150)
  const again = await bed.upstream.next()
  const later = frameReader((await bed.call(`/runs/${started.runId}?after=5`)).body)
  await later.next()
  expect(await later.next()).toEqual(status('recovering', { attempt: 1, retry_in_ms: 0 }))
  again.send('!')
  again.finish()
  for (const frames of [started.frames, late, later]) expect(textOf(await frames.rest())).toBe('!')
})

test('recovery: whoever waits for one JSON answer waits for the server, too', async () => {
  const bed = bench()
  await prove(bed)
  const answer = bed.post({ ...hello, stream: false })
  ;(await bed.upstream.next()).fail(refused)
  await turn()
  bed.clock.advance(250)
  const second = await bed.upstream.next()
  second.send('Hello ')
  second.end()
  await turn()
  bed.clock.advance(250)
  const third = await bed.upstream.next()
  expect(third.request.prefill).toBe('Hello')
  third.send(' world')
  third.finish()
  const response = await answer
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ message: { content: 'Hello world' }, reason: 'stop' })
})

// How it ends meanwhile

const endings: Readonly<Record<string, (bed: Bed, run: Started) => unknown>> = {
  'an interrupt': ({ call }, { runId }) => call(`/runs/${runId}/interrupt`, { method: 'POST', body: '{"position":3}' }),
  'its last reader': (_bed, { frames }) => frames.cancel(),
  'DELETE of its session': ({ call }, { sessionId }) => call(`/sessions/${sessionId}`, { method: 'DELETE' }),
  'the next request': ({ post }, { runId, sessionId }) =>
    post({ ...hello, session_id: sessionId, interrupts: { run_id: runId } }).then((response) =>
      response.body?.cancel(),
    ),
  'close of the gateway': ({ gateway }) => gateway.close(),
}
const endedBy = ['person', 'orphan', 'deleted', 'superseded', 'shutdown']
for (const [index, [what, end]] of Object.entries(endings).entries()) {
  test(`recovery: ${what} ends it at once and leaves no timer (${endedBy[index]})`, async () => {
    const bed = bench()
    const started = await bed.start()
    await cut(started, 'Hello')
    const asked = bed.upstream.replies.length
    await end(bed, started)
    const [run] = bed.ends
    expect(run?.endedAt).toBe(1_000)
    await started.frames.rest()
    await turn()
    const by = endedBy[index]!
    const position = by === 'person' ? 3 : 5
    expect(await run?.ended).toEqual({ done: true, reason: 'interrupted', by, position, ...estimated(2) })
    expect(run?.log.partial()).toEqual({ content: 'Hello'.slice(0, position) })
    expect(bed.clock.timers).toBe(0)
    bed.clock.advance(600_000)
    await turn()
    expect(bed.upstream.replies.length - asked).toBe(by === 'superseded' ? 1 : 0)
    expect(bed.upstream.openReplies).toBe(0)
  })
}

test('recovery: with reconnect a run whose readers are gone is recovered, and ends as an orphan in its time', async () => {
  const bed = bench()
  const started = await bed.start({ ...hello, reconnect: true })
  const frames = await cut(started, 'Hello')
  await started.frames.cancel()
  const again = await bed.retry(frames.at(-1)!)
  again.send(' world')
  again.fail(refused)
  await turn()
  for (let ms = 0; ms < 29_750; ms += 250) {
    bed.clock.advance(250)
    await turn()
    bed.upstream.replies.at(-1)?.fail(refused)
    await turn()
  }
  expect(await bed.ends[0]?.ended).toMatchObject({ by: 'orphan', position: 11 })
  expect(bed.clock.timers).toBe(0)
})

// What is written again, and what is not

/** A run whose attempts are written by a function of their number and the prefill. */
function attempts(write: (attempt: number, prefill: string) => Iterable<readonly UpstreamEvent[]>): {
  run: Run
  clock: ManualClock
  prefills: string[]
  settle(): Promise<void>
} {
  const clock = manualClock()
  const prefills: string[] = []
  const run = startRun({
    runId: createId('run'),
    sessionId: createId('sess'),
    model: 'm',
    async *generate(_signal, prefill) {
      prefills.push(prefill)
      yield* write(prefills.length - 1, prefill)
    },
    clock,
    fuse: fuseDefaults,
    recovery: { ...recoveryDefaults, maxAttempts: 1_000 },
    random: noJitter,
    orphanMs: 0,
  })
  run.attach(() => undefined)
  return {
    run,
    clock,
    prefills,
    async settle() {
      while (run.state.phase !== 'ended') {
        await turn()
        clock.advance(8_000)
      }
    },
  }
}
/** Text in deltas of these sizes, over and over. */
function deltas(text: string, sizes: readonly number[]): UpstreamEvent[][] {
  const events: UpstreamEvent[][] = []
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length]!
    events.push([{ message: text.slice(at, at + size) }])
    at += size
  }
  return events
}
const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
const texts = fc
  .array(fc.constantFrom('a', 'word', '春光', '🌸', '.', ' ', '  ', '\n', '\n\n', '\t', '\u3000', ' \n '), {
    maxLength: 30,
  })
  .map((parts) => parts.join(''))

test('recovery: wherever a text is cut and however its rest is split, it comes out whole, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.array(fc.record({ units: fc.nat({ max: 12 }), sizes }), { maxLength: 6 }),
      sizes,
      async (text, cuts, lastSizes) => {
        const { run, prefills, settle } = attempts((attempt, prefill) => {
          // A model goes on from exactly the end of the prefill, white space first.
          const rest = text.slice(prefill.length)
          const until = cuts[attempt]
          if (!until) return [...deltas(rest, lastSizes), [{ finish: 'stop' }]]
          return [...deltas(rest.slice(0, until.units), until.sizes), [{ error: refused }]]
        })
        await settle()
        expect(run.log.partial().content).toBe(text)
        for (const prefill of prefills) expect(prefill).toBe(text.slice(0, prefill.length).trimEnd())
        prefills.reduce((before, prefill) => {
          expect(prefill.startsWith(before)).toBe(true)
          return prefill
        })
      },
    ),
    { numRuns: 300 },
  )
})

test('recovery: white space that the server does not write again stays, and no character is taken for it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(' ', '\n\n', ' \n', '\u3000'), sizes, async (space, split) => {
      const { run, settle } = attempts((attempt) =>
        attempt === 0
          ? [[{ message: `One.${space}` }], [{ error: refused }]]
          : [...deltas('Two, three', split), [{ finish: 'stop' }]],
      )
      await settle()
      expect(run.log.partial().content).toBe(`One.${space}Two, three`)
    }),
  )
})

test.for([
  ['the first of two line ends', '.\n', '\n\nTwo', '.\n\nTwo'],
  ['one line end of two', '.\n\n', '\nTwo', '.\n\nTwo'],
  ['a space for a line end', '.\n', ' Two', '.\n Two'],
  ['white space behind the text that follows', '. ', ' Two ', '. Two '],
] as const)('recovery: %s is no doubled white space', async ([, before, after, whole]) => {
  const { run, settle } = attempts((attempt) =>
    attempt === 0 ? [[{ message: before }], [{ error: refused }]] : [[{ message: after }], [{ finish: 'stop' }]],
  )
  await settle()
  expect(run.log.partial().content).toBe(whole)
})

test('recovery: half a surrogate pair at the cut is written again, whole', async () => {
  const { run, prefills, settle } = attempts((attempt) =>
    attempt === 0 ? [[{ message: 'a\uD83C' }], [{ error: refused }]] : [[{ message: '🌸b' }], [{ finish: 'stop' }]],
  )
  await settle()
  expect(prefills).toEqual(['', 'a'])
  expect(run.log.partial().content).toBe('a🌸b')
})

test('recovery: cut thinking starts over, readers are told, and no position is taken back', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send({ thinking: 'Let me ' })
  const seen = await frames.until(isThinking)
  reply.fail(refused)
  seen.push(...(await frames.until(isRetry)))
  expect(seen.slice(-2)).toEqual([
    { id: 8, event: { reset: 'thinking' } },
    status('recovering', { attempt: 1, retry_in_ms: 250 }),
  ])
  const again = await bed.retry(seen.at(-1)!)
  expect(again.request.prefill).toBe('')
  again.send({ thinking: 'Hm' }, 'Yes')
  again.finish()
  seen.push(...(await frames.rest()))
  expect(seen.filter(({ id }) => id !== undefined)).toEqual([
    { id: 7, event: { thinking: 'Let me ' } },
    { id: 8, event: { reset: 'thinking' } },
    { id: 10, event: { thinking: 'Hm' } },
    { id: 13, event: { message: 'Yes' } },
  ])
  expect(bed.ends[0]?.log.partial()).toEqual({ content: 'Yes', thinking: 'Hm' })
})

test('recovery: thinking is reset once for each time that it is cut, and text before white space alone keeps none', async () => {
  const { run, settle } = attempts((attempt) => {
    if (attempt === 0) return [[{ thinking: 'a' }], [{ message: '\n' }], [{ error: refused }]]
    if (attempt < 3) return [[{ error: refused }]]
    return [[{ thinking: 'b' }], [{ message: '\nYes' }], [{ finish: 'stop' }]]
  })
  await settle()
  expect(run.log.read(0).map(({ event }) => event)).toEqual([
    { thinking: 'a' },
    { message: '\n' },
    { reset: 'thinking' },
    { thinking: 'b' },
    { message: 'Yes' },
  ])
  expect(run.log.partial()).toEqual({ content: '\nYes', thinking: 'b' })
})

test('recovery: thinking that the text has followed stays', async () => {
  const { run, prefills, settle } = attempts((attempt) =>
    attempt === 0
      ? [[{ thinking: 'Hm' }], [{ message: 'Yes' }], [{ error: refused }]]
      : [[{ message: ', sir' }], [{ finish: 'stop' }]],
  )
  await settle()
  expect(prefills).toEqual(['', 'Yes'])
  expect(run.log.partial()).toEqual({ content: 'Yes, sir', thinking: 'Hm' })
})

test('recovery: whoever is asked to go on is told how many tokens the reply has taken, its thinking included', async () => {
  const bed = bench()
  const started = await bed.start()
  started.reply.send({ thinking: 'Hm' }, 'one')
  const again = await bed.retry((await cut(started, ' two')).at(-1)!)
  expect([started.reply.request.spent, again.request.spent]).toEqual([0, 3])
})

for (const goesOn of [true, false]) {
  test(`recovery: that the server ${goesOn ? 'has' : 'has not'} answered again is told by the run`, async () => {
    const bed = bench()
    const started = await bed.start()
    const again = await bed.retry((await cut(started, 'one')).at(-1)!)
    if (goesOn) {
      again.send(' two')
      await started.frames.until(isText)
    }
    await bed.call(`/runs/${started.runId}/interrupt`, { method: 'POST' })
    expect(bed.ends.map(({ retries, answered }) => [retries, answered])).toEqual([[1, goesOn]])
  })
}

test('recovery: a reply that starts over has taken none', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send({ thinking: 'Let me ' })
  reply.fail(refused)
  const again = await bed.retry((await frames.until(isRetry)).at(-1)!)
  expect(again.request.spent).toBe(0)
})

const call = { tool_call: { id: 'call_1', name: 'pay', arguments: { sum: 3 } } }
const afterCall: Readonly<Record<string, (bed: Bed, reply: ScriptedReply) => void>> = {
  'a failure': (_bed, reply) => reply.fail(refused),
  'an end without evidence': (_bed, reply) => reply.end(),
  'a stall': ({ clock }) => clock.advance(30_000),
  'a failure that is not retried': (_bed, reply) => reply.fail(failure('upstream_failed')),
}
for (const [what, fail] of Object.entries(afterCall)) {
  test(`recovery: after a tool call, ${what} generates nothing again, and says that nobody should`, async () => {
    const bed = bench()
    const { frames, reply } = await bed.start()
    reply.send('Paying', call)
    await frames.until((event) => event.tool_call !== undefined)
    fail(bed, reply)
    expect((await frames.rest()).at(-1)?.event).toMatchObject({
      reason: 'error',
      error: { retryable: false },
      position: 7,
    })
    expect(bed.upstream.replies).toHaveLength(1)
    expect(bed.clock.timers).toBe(0)
  })
}

const sources = { data: { type: 'sources', urls: ['https://a.example'] } }
test('recovery: events of the app that every attempt gives are logged once, and are no sign of the server', async () => {
  const bed = bench({ recovery: { maxAttempts: 2 } })
  const { frames, reply } = await bed.start()
  reply.send(sources)
  reply.fail(refused)
  const retries: WireFrame[] = []
  for (let i = 0; i < 4; i++) {
    const seen = await frames.until(isRetry)
    retries.push(seen.at(-1)!)
    const again = await bed.retry(seen.at(-1)!)
    again.send(sources)
    if (i < 3) again.fail(refused)
    else {
      again.send({ data: { type: 'score', value: 1 } }, sources, 'Hi')
      again.finish()
    }
  }
  await frames.rest()
  expect(retries.map(({ event }) => event)).toEqual(
    [250, 500, 1_000, 2_000].map((ms, i) => ({ status: 'waiting', attempt: i + 1, retry_in_ms: ms })),
  )
  expect(bed.ends[0]?.log.read(0).map(({ event }) => event)).toEqual([
    sources,
    { data: { type: 'score', value: 1 } },
    sources,
    { message: 'Hi' },
  ])
})

test('recovery: what one attempt gave instead of the last one is what the next one repeats', async () => {
  const other = { data: { type: 'score', value: 1 } }
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send(sources, sources)
  reply.fail(refused)
  for (const given of [[other], [other]]) {
    const again = await bed.retry((await frames.until(isRetry)).at(-1)!)
    again.send(...given)
    again.fail(refused)
  }
  const last = await bed.retry((await frames.until(isRetry)).at(-1)!)
  last.send(other, 'Hi')
  last.finish()
  await frames.rest()
  expect(bed.ends[0]?.log.read(0).map(({ event }) => event)).toEqual([sources, sources, other, { message: 'Hi' }])
})

// The fuse

test('recovery: maxBytes bounds the reply, and not what one attempt gives of it', async () => {
  const bed = bench({ fuse: { maxBytes: 10 } })
  const { frames, reply } = await bed.start()
  reply.send('12345678')
  reply.fail(refused)
  const again = await bed.retry((await frames.until(isRetry)).at(-1)!)
  again.send('90', '!')
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'overflow' }, position: 10 })
})

test('recovery: silence between two attempts is no stall', async () => {
  const bed = bench()
  const started = await bed.start()
  let frames = await cut(started, 'Hello')
  for (let i = 0; i < 6; i++) {
    ;(await bed.retry(frames.at(-1)!)).fail(refused)
    frames = await started.frames.until(isRetry)
  }
  expect(bed.clock.now()).toBeGreaterThan(15_000)
  const again = await bed.retry(frames.at(-1)!)
  again.send(' world')
  again.finish()
  expect(textOf(await started.frames.rest())).toBe(' world')
})

test('recovery: every attempt has firstDeltaMs for itself, and no longer', async () => {
  const bed = bench()
  const started = await bed.start()
  let frames = await cut(started, 'Hello')
  // The waits take longer than stallMs, so the timer of the first attempt has gone off in between.
  for (let i = 0; i < 5; i++) {
    ;(await bed.retry(frames.at(-1)!)).fail(refused)
    frames = await started.frames.until(isRetry)
  }
  const silent = await bed.retry(frames.at(-1)!)
  bed.clock.advance(299_999)
  await turn()
  expect(bed.ends).toHaveLength(0)
  expect(silent.signal.aborted).toBe(false)
  bed.clock.advance(1)
  expect(silent.signal.aborted).toBe(true)
  const rest = await started.frames.rest()
  expect(rest.at(-1)?.event).toMatchObject({ error: { code: 'upstream_silent' }, position: 5 })
  expect(bed.clock.timers).toBe(0)
})

const fuses: Readonly<Record<string, (bed: Bed, reply: ScriptedReply) => void>> = {
  upstream_malformed: (_bed, reply) => reply.send({ malformed: '<' }, { malformed: '<' }, { malformed: '<' }),
  overflow: (_bed, reply) => reply.send('x'.repeat(2_000)),
}
for (const [code, blow] of Object.entries(fuses)) {
  test(`recovery: ${code}, a fuse that blew, is not recovered`, async () => {
    const bed = bench({ fuse: { maxBytes: 1_000 } })
    const { frames, reply } = await bed.start()
    reply.send('Hello')
    await frames.until(isText)
    blow(bed, reply)
    expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'error', error: { code }, position: 5 })
    expect(bed.upstream.replies).toHaveLength(1)
    expect(bed.clock.timers).toBe(0)
  })
}

test('recovery: a stall is recovered like a drop, from the partial', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send('Once upon ')
  await frames.until(isText)
  await turn()
  bed.clock.advance(30_000)
  const again = await bed.retry((await frames.until(isRetry)).at(-1)!)
  expect([reply.signal.aborted, again.request.prefill]).toEqual([true, 'Once upon'])
  // What the first one says now has nowhere to go.
  reply.send('never')
  again.send(' a time')
  again.finish()
  const rest = await frames.rest()
  expect([textOf(rest), rest.at(-1)?.event['reason']]).toEqual(['a time', 'stop'])
  expect(bed.clock.timers).toBe(0)
})

test('recovery: a frame that could not be read before a drop is a hole in the reply that another attempt finishes', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send('one two ', { malformed: '{"te' }, 'four')
  reply.fail(refused)
  const retry = (await frames.until(isRetry)).at(-1)
  bed.clock.advance((retry?.event.retry_in_ms ?? 0) + 10)
  const again = await bed.upstream.next()
  again.send(' five')
  again.finish()
  expect((await frames.rest()).at(-1)?.event).toMatchObject({
    reason: 'error',
    error: { code: 'upstream_malformed', retryable: false },
  })
})

test.each([
  ['one frame', 1],
  ['two frames', 2],
])(
  'recovery: what could not be read behind the last text of an attempt is written again, and leaves no hole: %s',
  async (_how, frames) => {
    const bed = bench()
    const { frames: read, reply } = await bed.start()
    reply.send('one two', ...Array.from({ length: frames }, () => ({ malformed: '{"te' })))
    reply.fail(refused)
    const retry = (await read.until(isRetry)).at(-1)
    bed.clock.advance((retry?.event.retry_in_ms ?? 0) + 10)
    const again = await bed.upstream.next()
    expect(again.request.prefill).toBe('one two')
    again.send(' three')
    again.finish()
    expect((await read.rest()).at(-1)?.event).toMatchObject({ reason: 'stop' })
  },
)

test('recovery: a server that stalls each time is given up after maxAttempts', async () => {
  const bed = bench({ recovery: { maxAttempts: 2 } })
  const { frames, reply } = await bed.start()
  reply.send('Once ')
  await frames.until(isText)
  await turn()
  bed.clock.advance(30_000)
  const again = await bed.retry((await frames.until(isRetry)).at(-1)!)
  again.send('upon ')
  await frames.until(isText)
  await turn()
  bed.clock.advance(30_000)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_stalled', retryable: true } })
  expect([bed.upstream.replies.length, bed.clock.timers]).toEqual([2, 0])
})

test('recovery: an error that is not retryable is final, whatever its code', () => {
  const error = new ChatError('upstream_incomplete', 'No.')
  const step = stepRecovery(recoveryStart, { now: 0, error, hasYielded: true }, recoveryDefaults, noJitter)
  expect(step.retryInMs).toBe(null)
})

test('recovery: maxRunMs counts the waits, and ends the run in one of them', async () => {
  const bed = bench({ fuse: { maxRunMs: 1_100 } })
  const started = await bed.start()
  let frames = await cut(started, 'Hello')
  for (let i = 0; i < 2; i++) {
    ;(await bed.retry(frames.at(-1)!)).fail(refused)
    frames = await started.frames.until(isRetry)
  }
  bed.clock.advance(350)
  expect((await started.frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'run_too_long' } })
  expect(bed.clock.timers).toBe(0)
})

// Over sockets, with Ollama's words

/** Text of the lines of a recording. */
const contentOf = (recorded: Recording): string =>
  Array.from(
    bodyOf(recorded)
      .toString()
      .matchAll(/"content":("(?:[^"\\]|\\.)*")/g),
    ([, json]) => JSON.parse(json!) as string,
  ).join('')
const line = (message: object, more: object = {}): string =>
  `${JSON.stringify({ model: 'nano', message, done: false, ...more })}\n`
const whole = handmade([
  line({ role: 'assistant', content: ' end.' }),
  line({ content: '' }, { done: true, done_reason: 'stop' }),
])

/** Asks a gateway before a server that answers the first request so, and every other one with ` end.`. */
async function askOllama(first: Recording): Promise<{ frames: WireFrame[]; bodies: Record<string, unknown>[] }> {
  let asked = 0
  const server = await replayServer(() => (asked++ === 0 ? first : whole))
  const bed = bench({ upstream: ollama({ url: server.url, model: 'nano' }) })
  const frames = frameReader((await bed.post()).body)
  const seen: WireFrame[] = []
  for (let frame = await frames.next(); frame; frame = await frames.next()) {
    seen.push(frame)
    if (isRetry(frame.event)) bed.clock.advance(frame.event.retry_in_ms!)
  }
  return { frames: seen, bodies: server.requests.map(({ body }) => JSON.parse(body) as Record<string, unknown>) }
}
const answered = (httpStatus: number): Recording =>
  handmade(['{"error":"an error was encountered"}'], {
    status: httpStatus,
    headers: { 'Content-Type': 'application/json' },
  })

test.for([429, 502, 503, 504])('recovery: HTTP %i is waited out', async (httpStatus) => {
  const { frames, bodies } = await askOllama(answered(httpStatus))
  expect(frames.map(({ event }) => event).filter(isRetry)).toEqual([
    { status: 'waiting', attempt: 1, retry_in_ms: 250 },
  ])
  expect(textOf(frames)).toBe(' end.')
  expect(bodies[1]).toEqual(bodies[0])
})

test.for([400, 401, 403, 404, 500, 501])('recovery: HTTP %i fails at once', async (httpStatus) => {
  const { frames, bodies } = await askOllama(answered(httpStatus))
  expect(frames.at(-1)?.event).toMatchObject({ done: true, reason: 'error', position: 0 })
  expect(bodies).toHaveLength(1)
})

test.for(['runner-killed', 'server-killed'])('recovery: the recording of %s goes on from its text', async (name) => {
  const first = recording(`ollama-chat-${name}`)
  const text = contentOf(first)
  const { frames, bodies } = await askOllama(first)
  expect(text).toHaveLength(text.trimEnd().length)
  expect(textOf(frames)).toBe(`${text} end.`)
  expect(frames.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
  expect(bodies[1]).toMatchObject({ messages: [...hello.messages, { role: 'assistant', content: text }], think: false })
  expect(frames.filter(({ event }) => isDone(event))).toHaveLength(1)
})

test('recovery: a reset in mid line goes on from the last whole line', async () => {
  const first = handmade([line({ content: 'One' }), line({ content: ' two' }).slice(0, -9)], {
    ended: 'reset',
    socket: 'rst',
  })
  const { frames, bodies } = await askOllama(first)
  expect(bodies[1]).toMatchObject({ messages: [...hello.messages, { role: 'assistant', content: 'One' }] })
  expect(textOf(frames)).toBe('One end.')
})

test('leak: a thousand runs that end while they recover leave no timer and no upstream', async () => {
  const bed = bench({ limits: { runs: 2_000 } })
  const readers: FrameReader[] = []
  for (let i = 0; i < 1_000; i++) {
    const started = await bed.start()
    await cut(started, 'Hello')
    if (i % 2 === 0) await started.frames.cancel()
    else readers.push(started.frames)
  }
  await bed.gateway.close()
  await Promise.all(readers.map((frames) => frames.rest()))
  expect(bed.ends).toHaveLength(1_000)
  expect(bed.clock.timers).toBe(0)
  expect(bed.upstream.openReplies).toBe(0)
})
