import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { pullFrames, type FrameReader } from '../src/read/pull-frames.ts'
import { createReader } from '../src/read/reader.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import { scriptedUpstream, type ScriptedReply } from '../src/testing/scripted-upstream.ts'
import { coalesceDefaults } from '../src/read/coalesce.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { heartbeatDefaults } from '../src/read/heartbeat.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { createSseDecoder } from '../src/wire/sse.ts'
import { utf8 } from './support/bytes.ts'
import { turn } from './support/event-loop.ts'
import type { Progress } from '../src/wire/events.ts'
import { estimated } from './support/usage.ts'

/** A frame: the position it carries, and its JSON. */
type Frame = readonly [position: number | undefined, event: Record<string, unknown>]

const startFrame: Frame = [
  undefined,
  { session_id: 'sess_1', run_id: 'run_1', model: 'm', heartbeat_ms: 5_000, started_at: 0 },
]
const startAt = (position: number): Frame => [undefined, { ...startFrame[1], position }]
const status = (phase: string): Frame => [undefined, { status: phase }]
const message = (text: string, position: number): Frame => [position, { message: text }]
const ping: Frame = [undefined, { ping: 'keepalive' }]
const cutBy = (by: string, position: number, tokens: number): Frame => [
  undefined,
  { done: true, reason: 'interrupted', by, position, ...estimated(tokens) },
]

function frames(text: string): Frame[] {
  return createSseDecoder()
    .push(utf8(text))
    .map(({ id, data }) => [id === undefined ? undefined : Number(id), JSON.parse(data)])
}

/** What a reader has, in one string: text as it is, thinking in brackets, unit by unit, anything else as JSON. */
function textOf(got: readonly Frame[]): string {
  const parts = got.map(([position, { message: text, thinking, ...rest }]) => {
    if (position === undefined) return ''
    if (typeof text === 'string') return text
    return typeof thinking === 'string' ? thinking.replaceAll(/[^]/g, '<$&>') : JSON.stringify(rest)
  })
  return parts.join('')
}

interface Started {
  readonly clock: ManualClock
  readonly run: Run
  readonly reply: ScriptedReply
  /** A reader that asks for the next frames as soon as it has some, and keeps them. */
  follow(position?: number): {
    readonly reader: FrameReader
    readonly got: Frame[]
    readonly reads: Frame[][]
    readonly closed: boolean
  }
  attach(position?: number): FrameReader
  send(...events: (UpstreamEvent | string)[]): Promise<void>
}

async function start(): Promise<Started> {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const run = startRun({
    runId: 'run_1',
    sessionId: 'sess_1',
    model: 'm',
    open: (_question, sink, signal) =>
      upstream.open({ model: 'm', messages: [], prefill: '', interruptedNote: null }, sink, signal),
    clock,
    fuse: { ...fuseDefaults, stallMs: 1e9 },
    orphanMs: 1e9,
  })
  const reply = await upstream.next()
  const attach = (position = 0): FrameReader =>
    pullFrames(createReader(run, { clock, coalesce: coalesceDefaults, heartbeat: heartbeatDefaults, position }))
  return {
    clock,
    run,
    reply,
    attach,
    follow(position) {
      const reader = attach(position)
      const reads: Frame[][] = []
      const follower = {
        reader,
        reads,
        closed: false,
        get got() {
          return reads.flat()
        },
      }
      const go = async (): Promise<void> => {
        for (let text = await reader.next(); text !== null; text = await reader.next()) reads.push(frames(text))
        follower.closed = true
      }
      void go()
      return follower
    },
    async send(...events) {
      reply.send(...events)
      await turn()
    },
  }
}

test('reader: the first frame comes at once, before the upstream said anything, with the status', async () => {
  const { follow } = await start()
  const follower = follow()
  await turn()
  expect(follower.got).toEqual([startFrame, status('waiting')])
})

test('reader: the first delta comes at once, after the status that says so', async () => {
  const { follow, send } = await start()
  const follower = follow()
  await send('Hello')
  expect(follower.got.slice(2)).toEqual([status('generating'), message('Hello', 5)])
})

test('reader: after that there is one text frame a window, and it holds all that came', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send('a')
  for (let i = 0; i < 9; i++) {
    clock.advance(10)
    await send('b')
  }
  expect(follower.got).toHaveLength(4)
  clock.advance(9)
  await turn()
  expect(follower.got).toHaveLength(4)
  clock.advance(1)
  await turn()
  expect(follower.got.slice(4)).toEqual([message('bbbbbbbbb', 10)])
})

test('reader: however many deltas come within a window, one wait is for it, and one for the next ping', async () => {
  const { clock, follow, send } = await start()
  const before = clock.timers
  const follower = follow()
  await send('a')
  const counts = []
  for (let i = 0; i < 20; i++) {
    await send('b')
    counts.push(clock.timers - before)
  }
  expect(new Set(counts)).toEqual(new Set([2]))
  expect(follower.got.filter(([, event]) => 'message' in event)).toHaveLength(1)
})

test('reader: a delta after a silent window comes at once', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send('a')
  clock.advance(100)
  await send('b')
  expect(follower.got.at(-1)).toEqual(message('b', 2))
})

test('reader: however the deltas come, no window has two text frames, and the text is whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 130 }))),
      async (deltas) => {
        const { follow, send, clock, reply } = await start()
        const second = follow()
        const times: number[] = []
        for (const [text, wait] of deltas) {
          const before = second.reads.length
          await send(text)
          if (second.reads.length > before) times.push(clock.now())
          for (let ms = 0; ms < wait; ms++) {
            const reads = second.reads.length
            clock.advance(1)
            await turn()
            if (second.reads.length > reads) times.push(clock.now())
          }
        }
        clock.advance(100)
        await turn()
        reply.finish()
        await turn()
        expect(textOf(second.got)).toBe(deltas.map(([text]) => text).join(''))
        for (const [i, at] of times.entries()) if (i > 0) expect(at - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(100)
        expect(second.closed).toBe(true)
      },
    ),
    { numRuns: 15 },
  )
})

test.for<[what: string, event: UpstreamEvent]>([
  ['a tool call', { tool_call: { id: 'call_1', name: 'now', arguments: {} } }],
  ['data', { data: { type: 'sources' } }],
  ['a reset', { reset: 'thinking' }],
])('reader: %s comes at once, behind the text before it', async ([, event]) => {
  const { follow, send } = await start()
  const follower = follow()
  await send('a')
  await send('b')
  await send(event)
  expect(follower.got.slice(-2)).toEqual([message('b', 2), [3, event]])
})

test('reader: thinking and text are frames of their own, in order', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send({ thinking: 'H' })
  await send({ thinking: 'm' }, 'A', { thinking: 'x' })
  clock.advance(100)
  await turn()
  expect(follower.got.slice(3)).toEqual([
    [1, { thinking: 'H' }],
    [2, { thinking: 'm' }],
    message('A', 3),
    [4, { thinking: 'x' }],
  ])
})

test('reader: the terminal frame comes at once, behind what was left, then the end', async () => {
  const { follow, send, reply } = await start()
  const follower = follow()
  await send('a')
  await send('b')
  reply.finish('length', { completion_tokens: 2 })
  await turn()
  const done: Frame = [undefined, { done: true, reason: 'length', usage: { completion_tokens: 2 } }]
  expect(follower.reads.at(-1)).toEqual([message('b', 2), done])
  expect(follower.closed).toBe(true)
  expect(await follower.reader.next()).toBeNull()
})

test('reader: everything in one read of the socket comes in one', async () => {
  const { follow, send } = await start()
  const follower = follow()
  await send('Hello', { finish: 'stop' })
  expect(follower.got.slice(2)).toEqual([message('Hello', 5), [undefined, { done: true, reason: 'stop' }]])
})

test('reader: a run that ends before its first delta has no second status', async () => {
  const { follow, run } = await start()
  const follower = follow()
  await turn()
  run.interrupt('person')
  await turn()
  expect(follower.got).toEqual([
    startFrame,
    status('waiting'),
    [undefined, { done: true, reason: 'interrupted', by: 'person', position: 0 }],
  ])
})

test('reader: an interrupt flushes once in its own tick, then nothing', async () => {
  const { follow, send, run, clock } = await start()
  const follower = follow()
  await send('Hello')
  await send(' world')
  run.interrupt('person', 8)
  await turn()
  expect(follower.reads.at(-1)).toEqual([message(' wo', 8), cutBy('person', 8, 3)])
  const { length } = follower.reads
  await send('late')
  clock.advance(60_000)
  await turn()
  expect(follower.reads).toHaveLength(length)
  expect(follower.closed).toBe(true)
})

test('reader: one that is past the cut gets the terminal frame at once, with the position to cut back to', async () => {
  const { follow, send, run } = await start()
  const follower = follow()
  await send('Hello world')
  run.interrupt('superseded', 5)
  await turn()
  expect(follower.reads.at(-1)).toEqual([cutBy('superseded', 5, 3)])
})

test('reader: a failed run gives its partial and the error', async () => {
  const { follow, send, reply } = await start()
  const follower = follow()
  await send('a')
  await send('b')
  reply.end()
  await turn()
  expect(follower.reads.at(-1)).toMatchObject([
    message('b', 2),
    [undefined, { done: true, reason: 'error', position: 2 }],
  ])
})

test('reader: pings come while a model loads for two minutes, and stop with the first delta', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await turn()
  for (let second = 0; second < 120; second++) {
    clock.advance(1_000)
    await turn()
  }
  expect(follower.got.slice(2)).toEqual(Array.from({ length: 24 }, () => ping))
  await send('Hello')
  expect(follower.got.slice(26)).toEqual([status('generating'), message('Hello', 5)])
  clock.advance(4_999)
  await turn()
  expect(follower.got).toHaveLength(28)
  clock.advance(1)
  await turn()
  expect(follower.got.at(-1)).toEqual(ping)
})

test('reader: a ping that is due within a window is a ping, and the text waits for its window', async () => {
  const { run, send, clock } = await start()
  const reader = pullFrames(
    createReader(run, { clock, coalesce: { windowMs: 100 }, heartbeat: { intervalMs: 40 }, position: 0 }),
  )
  await send('a')
  await reader.next()
  await send('b')
  const next = reader.next()
  clock.advance(40)
  expect(frames((await next) ?? '')).toEqual([ping])
  const second = reader.next()
  clock.advance(40)
  expect(frames((await second) ?? '')).toEqual([ping])
  const last = reader.next()
  clock.advance(20)
  expect(frames((await last) ?? '')).toEqual([message('b', 2)])
  reader.cancel()
})

test('reader: text counts as a sign of life', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  for (let i = 0; i < 10; i++) {
    await send('a')
    clock.advance(4_000)
    await turn()
  }
  expect(follower.got).not.toContainEqual(ping)
})

test('reader: one that never asks costs no timer, and later reads one merged frame', async () => {
  const { attach, send, clock, run } = await start()
  const before = clock.timers
  const reader = attach()
  for (let i = 0; i < 1_000; i++) await send('x')
  clock.advance(60_000)
  expect(clock.timers).toBe(before)
  expect(frames((await reader.next()) ?? '')).toEqual([
    startFrame,
    status('generating'),
    message('x'.repeat(1_000), 1_000),
  ])
  run.interrupt('person')
  expect(frames((await reader.next()) ?? '')).toEqual([cutBy('person', 1_000, 1_000)])
  expect(await reader.next()).toBeNull()
})

test('reader: one that was away gets one ping, not all it missed', async () => {
  const { attach, clock } = await start()
  const reader = attach()
  await reader.next()
  clock.advance(60_000)
  expect(frames((await reader.next()) ?? '')).toEqual([ping])
  let more: unknown
  void reader.next().then((text) => (more = text))
  clock.advance(4_999)
  await turn()
  expect(more).toBeUndefined()
  reader.cancel()
})

test('reader: a slow one slows neither the run nor another reader', async () => {
  const { attach, follow, send, reply, run } = await start()
  const slow = attach()
  const fast = follow()
  for (let i = 0; i < 100; i++) await send('x'.repeat(1_000))
  reply.finish()
  expect(await run.ended).toMatchObject({ reason: 'stop' })
  await turn()
  expect(fast.closed).toBe(true)
  const [first, second] = [frames((await slow.next()) ?? ''), await slow.next()]
  expect(first.map(([position]) => position)).toEqual([undefined, 100_000, undefined])
  expect(second).toBeNull()
})

test('reader: an id is the position after its frame', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send('春😀')
  await send({ tool_call: { id: 'call_1', name: 'now', arguments: {} } })
  await send('a')
  clock.advance(100)
  await turn()
  expect(follower.got.map(([position]) => position)).toEqual([undefined, undefined, undefined, 3, 4, 5])
})

test('reader: no frame ends inside a surrogate pair, so no reader reads on from there', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send('a\ud83d')
  clock.advance(100)
  await send('\ude00b')
  expect(follower.got.slice(3)).toEqual([message('a', 1), message('😀b', 4)])
})

test('reader: from a position it reads what comes after it, with the present status first', async () => {
  const { follow, send, clock } = await start()
  await send('Hello')
  const follower = follow(2)
  await turn()
  expect(follower.got).toEqual([startAt(2), status('generating'), message('llo', 5)])
  clock.advance(100)
  await send('!')
  expect(follower.got.at(-1)).toEqual(message('!', 6))
})

test('reader: a position beyond the end is the end, one inside a surrogate pair moves before it', async () => {
  const { follow, send } = await start()
  await send('a😀')
  const beyond = follow(99)
  const inside = follow(2)
  await turn()
  expect(beyond.got).toEqual([startAt(3), status('generating')])
  expect(inside.got.at(-1)).toEqual(message('😀', 3))
})

test('reader: replay of a run that has ended is one frame a kind, then its end', async () => {
  const { follow, send, reply } = await start()
  await send({ thinking: 'H' }, { thinking: 'm' })
  await send('Hel')
  await send('lo')
  reply.finish()
  await turn()
  const follower = follow()
  await turn()
  expect(follower.reads).toEqual([
    [startFrame, [2, { thinking: 'Hm' }], message('Hello', 7), [undefined, { done: true, reason: 'stop' }]],
  ])
  expect(follower.closed).toBe(true)
})

test('reader: replay from any position and what comes live are the whole, without a gap and without a double', async () => {
  const event = fc.oneof(
    fc
      .string({ unit: fc.constantFrom('a', '春', '😀', '\ud83d', '\ude00'), minLength: 1, maxLength: 4 })
      .map((text) => ({ message: text })),
    fc.string({ minLength: 1, maxLength: 3 }).map((text) => ({ thinking: text })),
    fc.constantFrom<UpstreamEvent>({ data: { type: 'x' } }, { reset: 'thinking' }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 10 }), fc.nat(), fc.nat(), async (events, split, from) => {
      const { follow, send, run, clock, reply } = await start()
      const first = follow()
      const at = split % (events.length + 1)
      for (const one of events.slice(0, at)) await send(one)
      clock.advance(100)
      await turn()
      // The first reader's connection drops wherever a frame of it ended; a new one reads on from there.
      const ids = first.got.flatMap(([position]) => (position === undefined ? [] : [position]))
      const position = ids[from % Math.max(1, ids.length)] ?? 0
      const had = first.got.filter(([id]) => id !== undefined && id <= position)
      first.reader.cancel()
      const second = follow(position)
      for (const one of events.slice(at)) {
        await send(one)
        clock.advance(30)
      }
      reply.finish()
      await turn()
      const whole = follow()
      await turn()
      expect(textOf(had) + textOf(second.got)).toBe(textOf(whole.got))
      expect(run.log.length).toBe(whole.got.findLast(([id]) => id !== undefined)?.[0] ?? 0)
      expect(second.closed).toBe(true)
      expect(clock.timers).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('reader: cancel settles a waiting next with null, and every later one', async () => {
  const { attach, clock, run } = await start()
  const before = clock.timers
  const reader = attach()
  await reader.next()
  const next = reader.next()
  expect(clock.timers).toBeGreaterThan(before)
  reader.cancel()
  expect(await next).toBeNull()
  expect(await reader.next()).toBeNull()
  // One wait is left: for somebody who comes back to the run.
  expect([run.readers, clock.timers]).toEqual([0, before + 1])
})

test('reader: one that leaves or has read to the end is counted no more, and leaves no timer', async () => {
  const { follow, send, clock, run } = await start()
  const [a, b] = [follow(), follow()]
  await send('a')
  await send('b')
  expect(run.readers).toBe(2)
  a.reader.cancel()
  a.reader.cancel()
  expect(run.readers).toBe(1)
  run.interrupt('person')
  await turn()
  expect(b.closed).toBe(true)
  expect(run.readers).toBe(0)
  expect(clock.timers).toBe(0)
})

const waitingFor = (progress: Progress): Frame => [undefined, { status: 'waiting', progress }]

test('reader: what the server is at comes as a status with figures, at most once a window', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await turn()
  await send({ progress: { stage: 'prompt', done: 512, total: 4_096 } })
  expect(follower.got.at(-1)).toEqual(waitingFor({ stage: 'prompt', done: 512, total: 4_096 }))
  const { length } = follower.got
  for (const done of [1_024, 1_536, 2_048]) await send({ progress: { stage: 'prompt', done, total: 4_096 } })
  expect(follower.got).toHaveLength(length)
  clock.advance(100)
  await turn()
  expect(follower.got.slice(length)).toEqual([waitingFor({ stage: 'prompt', done: 2_048, total: 4_096 })])
})

test('reader: a new one is told what the server is at, and the first delta ends that', async () => {
  const { attach, send } = await start()
  await send({ progress: { stage: 'loading', total: 5_000 } })
  expect(frames((await attach().next()) ?? '')).toEqual([startFrame, waitingFor({ stage: 'loading', total: 5_000 })])
  await send('a')
  expect(frames((await attach().next()) ?? '')).toEqual([startFrame, status('generating'), message('a', 1)])
})

test('reader: the first text comes at once, also right behind figures', async () => {
  const { follow, send } = await start()
  const follower = follow()
  await turn()
  await send({ progress: { stage: 'prompt', done: 1 } })
  await send('a')
  expect(follower.got.slice(-2)).toEqual([status('generating'), message('a', 1)])
})

test('reader: figures that came with text come after it', async () => {
  const { follow, send, clock } = await start()
  const follower = follow()
  await send('a')
  await send('b', { progress: { stage: 'tool_call', done: 7 } })
  clock.advance(100)
  await turn()
  expect(follower.got.slice(-2)).toEqual([
    message('b', 2),
    [undefined, { status: 'generating', progress: { stage: 'tool_call', done: 7 } }],
  ])
})

test('leak: a thousand readers that are cancelled while they wait leave no timer', async () => {
  const { attach, clock, run } = await start()
  const before = clock.timers
  const keeper = attach()
  for (let i = 0; i < 1_000; i++) {
    const reader = attach()
    await reader.next()
    void reader.next()
    reader.cancel()
  }
  expect(clock.timers).toBe(before)
  expect(run.readers).toBe(1)
  keeper.cancel()
})
