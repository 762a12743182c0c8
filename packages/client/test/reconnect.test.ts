import type { Clock } from '@midstream/core'
import { manualClock, randomFetchFaults, type FetchFault } from '@midstream/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatSnapshot } from '../src/snapshot.ts'
import { gets, refused, text, turn, whole, world } from './world.ts'

/** Every state that is shown, without what repeats. */
function statuses(session: ChatSession): string[] {
  const seen: string[] = []
  const name = ({ status, attempt }: ChatSnapshot): string => (attempt > 0 ? `${status} ${attempt}` : status)
  session.subscribe(() => seen.at(-1) === name(session.getSnapshot()) || seen.push(name(session.getSnapshot())))
  return seen
}

const cut: fc.Arbitrary<FetchFault> = fc.record({
  cutAt: fc.nat({ max: 450 }),
  ending: fc.constantFrom('error', 'close', 'stall'),
  split: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
  repeat: fc.array(fc.nat({ max: 5 }), { maxLength: 2 }),
  swap: fc.array(fc.nat({ max: 5 }), { maxLength: 1 }),
  rewind: fc.option(fc.nat({ max: 30 }), { nil: undefined }),
})

test('reconnect: an answer that is cut 20 times is the uncut one, from one generation, and never shows anything else', async () => {
  const uncut = world()
  const { content } = await uncut.ended(uncut.session.send('Tell me'))
  expect(content).toBe(whole)
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { minLength: 20, maxLength: 20 }), async (faults) => {
      const w = world({
        plan: (index) => faults[index],
        client: { reconnect: { maxMs: 3_600_000 } },
        gateway: { orphanMs: 3_600_000, keep: { keepRunMs: 36_000_000 } },
      })
      const wrong: string[] = []
      w.session.subscribe(() => content.startsWith(text(w.session)) || wrong.push(text(w.session)))
      expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content, state: 'done' })
      expect(wrong).toEqual([])
      expect(w.upstream.replies).toHaveLength(1)
      expect(w.requests.length).toBeGreaterThan(20)
      expect(w.session.getSnapshot()).toMatchObject({ status: 'idle', attempt: 0, error: null })
      await w.over()
    }),
    { numRuns: 30 },
  )
})

test('reconnect: whatever goes wrong with the requests, the answer is the uncut one, from one generation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const w = world({
        plan: randomFetchFaults(seed),
        client: { reconnect: { maxMs: 3_600_000 } },
        gateway: { orphanMs: 3_600_000, keep: { keepRunMs: 36_000_000 } },
      })
      expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
      expect(w.upstream.replies).toHaveLength(1)
      await w.over()
    }),
    { numRuns: 50 },
  )
})

test('reconnect: reads on from its position, and says which attempt it is on', async () => {
  const w = world({ plan: (index) => [{ cutAt: 400 }, refused, refused][index] })
  const seen = statuses(w.session)
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  const position = String(text(w.session).length)
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(gets(w).map(({ path, after }) => [path, after])).toEqual(
    [1, 2, 3].map(() => [`/api/chat/runs/${w.requests[0]!.body.run_id}?after=${position}`, position]),
  )
  expect(seen).toEqual([
    'submitting',
    'waiting',
    'streaming',
    'reconnecting 1',
    'reconnecting 2',
    'reconnecting 3',
    'waiting',
    'streaming',
    'idle',
  ])
  await w.over()
})

test('reconnect: a body that stays open after the terminal frame is given up', async () => {
  const w = world({ plan: () => ({ ending: 'stall' }), text: 'Done.' })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Done.', state: 'done' })
  expect(w.requests).toHaveLength(1)
  await w.over()
})

test('start: posted again with the same run id after its answer was lost, it attaches to the one run', async () => {
  const w = world({ plan: (index) => [{ answer: 'lost' as const }, refused, { cutAt: 0 }][index] })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'POST'])
  expect(new Set(w.requests.map(({ body }) => JSON.stringify(body))).size).toBe(1)
  expect(w.upstream.replies).toHaveLength(1)
  await w.over()
})

test('start: after the first frame nothing is posted again', async () => {
  const faults: FetchFault[] = [{ answer: 'lost' }, { cutAt: 180 }, refused, { cutAt: 180 }, { answer: 'lost' }]
  const w = world({ plan: (index) => faults[index] })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET', 'GET', 'GET', 'GET'])
  expect(w.upstream.replies).toHaveLength(1)
  await w.over()
})

test('watchdog: no byte for three heartbeats of the gateway is a drop; two are none', async () => {
  const w = world({
    text: null,
    plan: (index) => (index === 0 ? { cutAt: 300, ending: 'stall' } : undefined),
    gateway: { heartbeat: { intervalMs: 2_000 }, fuse: { stallMs: 60_000 } },
  })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  await turn()
  w.clock.advance(1_000)
  run.send('a'.repeat(200))
  await turn()
  w.clock.advance(5_999)
  await turn()
  expect(w.session.getSnapshot().status).not.toBe('reconnecting')
  w.clock.advance(1)
  await turn()
  expect(w.session.getSnapshot()).toMatchObject({ status: 'reconnecting', attempt: 1 })
  await w.until(() => text(w.session) === 'a'.repeat(200))
  run.send('b')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: `${'a'.repeat(200)}b`, state: 'done' })
  expect(w.requests).toHaveLength(2)
  await w.over()
})

test('watchdog: pings alone keep a connection for as long as the model takes', async () => {
  const w = world({ text: null })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  await w.until(() => w.clock.now() >= 200_000)
  run.send('At last')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'At last' })
  expect(w.requests).toHaveLength(1)
  await w.over()
})

test('watchdog: a request that nobody answers is a drop, too', async () => {
  const w = world({ plan: (index) => (index === 0 ? { answer: 'never' } : undefined) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests[1]!.at).toBeGreaterThan(15_000)
  expect(w.requests[1]!.at).toBeLessThanOrEqual(15_250)
  expect(w.upstream.replies).toHaveLength(1)
  await w.over()
})

/** A timer of no time comes after what is waiting already, as `setTimeout` has it. */
const yielding = (clock: Clock): Clock => ({
  now: () => clock.now(),
  after(ms, fire) {
    if (ms > 0) return clock.after(ms, fire)
    let isSet = true
    setImmediate(() => isSet && fire())
    return () => (isSet = false)
  },
})

test('watchdog: a timer that fires late looks at waiting bytes first', async () => {
  const clock = manualClock()
  const w = world({ text: null, client: { clock: yielding(clock) } })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  await turn()
  // The machine sleeps; what came meanwhile is read only after the timer has fired.
  run.send('Good morning')
  clock.sleep(60_000)
  clock.advance(0)
  await w.until(() => text(w.session) === 'Good morning')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'Good morning', state: 'done' })
  expect(w.requests).toHaveLength(1)
  expect(clock.timers).toBe(0)
  await w.over()
})

test('watchdog: a timer that fires late on a dead connection reconnects', async () => {
  const clock = manualClock()
  const w = world({
    text: null,
    client: { clock: yielding(clock) },
    plan: (index) => (index === 0 ? { cutAt: 250, ending: 'stall' } : undefined),
  })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  await turn()
  run.send('Good morning '.repeat(10))
  run.finish()
  await turn()
  clock.sleep(600_000)
  clock.advance(0)
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  clock.advance(250)
  expect(await w.ended(sent)).toMatchObject({ content: 'Good morning '.repeat(10), state: 'done' })
  expect(w.requests).toHaveLength(2)
  expect(clock.timers).toBe(0)
  await w.over()
})

const first = 'data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":5000}\n\n'
const frame = (id: number | string, message: string): string => `id: ${id}\ndata: ${JSON.stringify({ message })}\n\n`
const done = 'data: {"done":true,"reason":"stop"}\n\n'

/** Answers with one body after the other, the last one for ever. */
function bodies(...texts: string[]): typeof globalThis.fetch {
  let index = 0
  return () => Promise.resolve(new Response(first + texts[Math.min(index++, texts.length - 1)]!))
}

test.for([
  ['a gap', frame(5, 'Hello') + frame(12, 'there')],
  ['an overlap', frame(5, 'Hello') + frame(8, 'Hello yo')],
  [
    'a terminal frame that is ahead',
    `${frame(5, 'Hello')}data: {"done":true,"reason":"interrupted","by":"person","position":9}\n\n`,
  ],
] as const)('order: %s is never shown; it reads on from its position', async ([, body]) => {
  const w = world({ fetch: bodies(body + done, frame(9, ' you') + done) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hello you', state: 'done' })
  expect(w.requests.map(({ after }) => after)).toEqual([null, '5'])
  await w.over()
})

test('order: what is known already is not shown again; that it was all is asked for once more', async () => {
  const body = frame(5, 'Hello') + frame(5, 'Hello') + frame(2, 'He') + frame(9, ' you') + done
  const w = world({ fetch: bodies(body, done) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hello you', state: 'done' })
  expect(w.requests.map(({ after }) => after)).toEqual([null, '9'])
  await w.over()
})

test('order: a gateway that never gets it right is given up after reconnect.maxMs', async () => {
  const w = world({ fetch: bodies(frame(5, 'Hello') + frame(12, 'there') + done) })
  const { content, state } = await w.ended(w.session.send('Tell me'))
  expect({ content, state }).toEqual({ content: 'Hello', state: 'dropped' })
  expect(w.requests.length).toBeLessThan(40)
  await w.over()
})
