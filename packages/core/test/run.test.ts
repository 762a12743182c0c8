import { expect, test } from 'vitest'
import { createRun, type OwnRun, type Run } from '../src/run/run.ts'
import { startRun, type TestRunOptions } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import { scriptedUpstream, type ScriptedReply, type ScriptedUpstream } from '../src/testing/scripted-upstream.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { turn } from './support/event-loop.ts'
import { estimated } from './support/usage.ts'

interface Started {
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  readonly run: Run
  /** Runs told to `onEnd` so far. */
  readonly ends: readonly Run[]
}

/** A run with one reader, so that it is no orphan. */
function start(options: Partial<TestRunOptions> & { readonly read?: boolean } = {}): Started {
  const clock = manualClock(1_000)
  const upstream = scriptedUpstream()
  const request = { model: 'm', messages: [], prefill: '', interruptedNote: null }
  const ends: Run[] = []
  const run = startRun({
    runId: 'run_1',
    sessionId: 'sess_1',
    model: 'm',
    open: (_question, sink, signal) => upstream.open(request, sink, signal),
    clock,
    fuse: fuseDefaults,
    orphanMs: 0,
    onEnd: (ended) => ends.push(ended),
    ...options,
  })
  if (options.read !== false) run.attach(() => undefined)
  return { clock, upstream, run, ends }
}

async function replying(started: Started, ...events: (UpstreamEvent | string)[]): Promise<ScriptedReply> {
  const reply = await started.upstream.next()
  if (events.length > 0) reply.send(...events)
  await turn()
  return reply
}

test('run: it waits, generates from the first delta on, and finishes with what the upstream said', async () => {
  const started = start()
  const { run, clock, ends } = started
  expect(run).toMatchObject({ runId: 'run_1', sessionId: 'sess_1', model: 'm', startedAt: 1_000, endedAt: undefined })
  expect(run.state.phase).toBe('waiting')
  const reply = await replying(started, 'Hello')
  expect(run.state.phase).toBe('generating')
  clock.advance(500)
  reply.send(' world')
  reply.finish('stop', { prompt_tokens: 3, completion_tokens: 2 })
  expect(await run.ended).toEqual({ done: true, reason: 'stop', usage: { prompt_tokens: 3, completion_tokens: 2 } })
  await reply.left
  expect(run.log.partial()).toEqual({ content: 'Hello world' })
  expect(run.endedAt).toBe(1_500)
  expect(run.error).toBeUndefined()
  expect(ends).toEqual([run])
  expect(clock.timers).toBe(0)
})

test.for(['stop', 'length', 'tool_calls'] as const)('run: finish %s is its terminal event', async (reason) => {
  const started = start()
  const reply = await replying(started, { tool_call: { id: 'call_1', name: 'now', arguments: {} } })
  reply.finish(reason)
  expect(await started.run.ended).toEqual({ done: true, reason })
})

test('run: the upstream is asked once, and not before onStart knows the run', async () => {
  const asked: AbortSignal[] = []
  const known: Run[] = []
  const { run } = start({
    async *generate(signal) {
      asked.push(signal)
      yield [{ finish: 'stop' }]
    },
    onStart(started) {
      known.push(started)
      expect(asked).toHaveLength(0)
    },
  })
  expect(known).toEqual([run])
  await run.ended
  expect(asked).toHaveLength(1)
})

test('run: the upstream is asked in the very call that starts the run, and may end it there', async () => {
  let asked = 0
  const { run, clock, ends } = start({
    open(_question, sink) {
      asked += 1
      void sink.push([{ message: 'Hello' }, { finish: 'stop' }])
      sink.end()
    },
  })
  expect(asked).toBe(1)
  expect(run.state.phase).toBe('ended')
  expect(ends).toEqual([run])
  expect(clock.timers).toBe(0)
  expect(await run.ended).toEqual({ done: true, reason: 'stop' })
})

test('run: everything in one read, first delta and finish, leaves no timer and no error behind', async () => {
  const started = start()
  await replying(started, 'Hello', { finish: 'stop' })
  await started.run.ended
  expect(started.clock.timers).toBe(0)
  started.clock.advance(10_000_000)
  expect(started.run.error).toBeUndefined()
  expect(started.run.log.partial().content).toBe('Hello')
})

test('run: an upstream that has finished is left, not aborted, and what it adds to its finish is not heard', async () => {
  const left = Promise.withResolvers<boolean>()
  const { run } = start({
    async *generate(signal) {
      try {
        yield [
          { message: 'Hello' },
          { finish: 'stop' },
          { message: ' more' },
          { error: new ChatError('internal', 'No.') },
        ]
        yield [{ message: ' and more' }]
      } finally {
        left.resolve(signal.aborted)
      }
    },
  })
  expect(await run.ended).toEqual({ done: true, reason: 'stop' })
  expect(await left.promise).toBe(false)
  expect(run.log.partial().content).toBe('Hello')
  expect(run.error).toBeUndefined()
})

test('run: an error of the upstream ends it, and the partial stays', async () => {
  const started = start()
  const cause = new ChatError('upstream_failed', 'The model server failed.', { cause: 'secret', retryable: true })
  await replying(started, 'Hel', 'lo', { error: cause }, 'late')
  expect(await started.run.ended).toEqual({
    done: true,
    reason: 'error',
    error: { code: 'upstream_failed', message: 'The model server failed.', retryable: true },
    position: 5,
  })
  expect(started.run.error).toBe(cause)
  expect(started.run.log.partial().content).toBe('Hello')
  expect(started.clock.timers).toBe(0)
})

test('run: a body that ends without evidence is upstream_incomplete, and the partial stays', async () => {
  const started = start()
  const reply = await replying(started, 'Hello')
  reply.end()
  expect(await started.run.ended).toMatchObject({
    reason: 'error',
    error: { code: 'upstream_incomplete', retryable: true },
    position: 5,
  })
})

test('run: a body that ends without a single event is upstream_incomplete', async () => {
  const started = start()
  const reply = await replying(started)
  reply.end()
  expect(await started.run.ended).toMatchObject({
    reason: 'error',
    error: { code: 'upstream_incomplete' },
    position: 0,
  })
})

test('run: a finish without a delta is an empty reply', async () => {
  const started = start()
  const reply = await replying(started)
  reply.finish('stop')
  expect(await started.run.ended).toEqual({ done: true, reason: 'stop' })
  expect(started.run.log.length).toBe(0)
})

test('run: what the upstream throws ends it, a ChatError as it is, anything else without its words', async () => {
  const refused = new ChatError('upstream_unreachable', 'Cannot be reached.', { retryable: true })
  const started = start()
  ;(await replying(started)).fail(refused)
  expect(await started.run.ended).toMatchObject({ error: { code: 'upstream_unreachable', retryable: true } })
  expect(started.run.error).toBe(refused)

  const other = start()
  const secret = new TypeError('secret')
  ;(await replying(other, 'a')).fail(secret)
  const terminal = await other.run.ended
  expect(terminal).toMatchObject({ error: { code: 'upstream_failed', retryable: true }, position: 1 })
  expect(JSON.stringify(terminal)).not.toContain('secret')
  expect(other.run.error).toMatchObject({ cause: secret })
})

test('run: an upstream that throws before it gives anything to wait for ends it', async () => {
  const { run } = start({
    generate() {
      throw new Error('secret')
    },
  })
  expect(await run.ended).toMatchObject({ reason: 'error', error: { code: 'upstream_failed' } })
})

test('run: empty deltas are not logged and do not make it generate', async () => {
  const started = start()
  const { run, clock } = started
  await replying(started, '', { thinking: '' }, { alive: true })
  expect(run.log.length).toBe(0)
  expect(run.state.phase).toBe('waiting')
  clock.advance(10_000)
  expect(run.state.phase).toBe('waiting')
})

test('interrupt: in the step that makes the run it ends it, and the upstream is never asked', async () => {
  const outcomes: unknown[] = []
  const { run, upstream, clock } = start({ onStart: (started) => outcomes.push(started.interrupt('person')) })
  expect(outcomes[0]).toEqual({
    outcome: 'interrupted',
    reason: 'interrupted',
    position: 0,
    partial: { content: '' },
  })
  await turn()
  expect(upstream.replies).toHaveLength(0)
  expect(await run.ended).toEqual({ done: true, reason: 'interrupted', by: 'person', position: 0 })
  expect(clock.timers).toBe(0)
})

test.for<[phase: string, events: UpstreamEvent[], content: string]>([
  ['before the first delta', [], ''],
  ['while only thinking came', [{ thinking: 'Hm' }], ''],
  ['in the middle of the text', [{ message: 'Hello' }], 'Hello'],
  ['after a tool call', [{ message: 'a' }, { tool_call: { id: 'call_1', name: 'now', arguments: {} } }], 'a'],
])('interrupt: %s it aborts the upstream in the same tick', async ([, events, content]) => {
  const started = start()
  const { run, clock } = started
  const reply = await replying(started, ...events)
  const { length } = run.log
  const outcome = run.interrupt('person')
  expect(reply.signal.aborted).toBe(true)
  expect(run.state.phase).toBe('ended')
  expect(outcome).toMatchObject({ outcome: 'interrupted', position: length, partial: { content } })
  expect(clock.timers).toBe(0)
  await reply.left
  expect(started.upstream.openReplies).toBe(0)
})

test('interrupt: at a position it cuts the log there', async () => {
  const started = start()
  await replying(started, 'Hello', ' world')
  expect(started.run.interrupt('person', 7)).toMatchObject({ position: 7, partial: { content: 'Hello w' } })
  expect(started.run.log.read(0)).toEqual([{ event: { message: 'Hello w' }, position: 7 }])
})

test.for([
  [99, 4],
  [2, 1],
  [0, 0],
  [undefined, 4],
] as const)('interrupt: position %s of "a😀b" is %s', async ([position, at]) => {
  const started = start()
  await replying(started, 'a😀b')
  expect(started.run.interrupt('person', position).position).toBe(at)
  expect(await started.run.ended).toMatchObject({ position: at })
})

test('interrupt: the second one changes nothing and says what the first one left', async () => {
  const started = start()
  await replying(started, 'Hello')
  started.run.interrupt('person', 3)
  expect(started.run.interrupt('superseded', 1)).toEqual({
    outcome: 'already_done',
    reason: 'interrupted',
    position: 3,
    partial: { content: 'Hel' },
  })
  expect(await started.run.ended).toMatchObject({ by: 'person', position: 3 })
  expect(started.ends).toHaveLength(1)
})

test('interrupt: a finished run stays finished and whole', async () => {
  const started = start()
  await replying(started, 'Hello', { finish: 'stop' })
  await started.run.ended
  expect(started.run.interrupt('person', 2)).toEqual({
    outcome: 'already_done',
    reason: 'stop',
    position: 5,
    partial: { content: 'Hello' },
  })
})

test('interrupt: what comes from the upstream later never lands, not even when it does not listen', async () => {
  let more = (): void => {}
  const { run, ends } = start({
    async *generate() {
      yield [{ message: 'Hello' }]
      await new Promise<void>((resolve) => (more = resolve))
      yield [{ message: ' late' }, { error: new ChatError('upstream_failed', 'No.') }]
    },
  })
  await turn()
  run.interrupt('person')
  more()
  await turn()
  expect(run.log.partial()).toEqual({ content: 'Hello' })
  expect(await run.ended).toMatchObject({ reason: 'interrupted', position: 5 })
  expect(run.error).toBeUndefined()
  expect(ends).toHaveLength(1)
})

test('interrupt: it is no failure, although the upstream throws when it is told to stop', async () => {
  const started = start()
  const reply = await replying(started, 'Hello')
  started.run.interrupt('person')
  await reply.left
  await turn()
  expect(started.run.error).toBeUndefined()
})

test('onEnd: it is called once, with the run ended and cut', async () => {
  let seen: unknown
  const started = start({ onEnd: (run) => (seen = [run.state.phase, run.log.length, run.endedAt]) })
  await replying(started, 'Hello')
  started.run.interrupt('person', 2)
  expect(seen).toEqual(['ended', 2, 1_000])
})

/** A run in the hands of the test. */
function own(onEnd?: (run: Run) => void): OwnRun {
  return createRun({
    runId: 'run_1',
    sessionId: 'sess_1',
    model: 'm',
    clock: manualClock(1_000),
    orphanMs: 0,
    onEnd,
  })
}

test('end: the log is cut, the upstream told, onEnd, `ended` and the readers come in that order', async () => {
  const order: string[] = []
  const seen = (what: string): void => void order.push(`${what} at ${made.run.log.length}`)
  const made = own(() => seen('onEnd'))
  made.writtenBy({ usage: () => undefined, end: () => seen('upstream') })
  made.append({ message: 'Hello' })
  void made.run.ended.then(() => seen('ended'))
  made.run.attach(() => {
    seen('reader')
    void Promise.resolve().then(() => seen('whoever a reader told'))
  })
  made.run.interrupt('person', 2)
  expect(order).toEqual(['upstream at 2', 'onEnd at 2', 'reader at 2'])
  await turn()
  expect(order.slice(3)).toEqual(['ended at 2', 'whoever a reader told at 2'])
})

test('end: a writer that fails or finishes after it changes nothing', () => {
  const { run, finish, fail } = own()
  run.interrupt('person')
  const { state, endedAt } = run
  fail(new ChatError('upstream_failed', 'No.'), true)
  finish('stop', undefined)
  expect([run.state, run.endedAt, run.error]).toEqual([state, endedAt, undefined])
})

test('readers: a batch wakes each reader once, whatever it holds', async () => {
  const started = start()
  let wakes = 0
  started.run.attach(() => (wakes += 1))
  const reply = await replying(started, 'a', 'b', { thinking: 'c' })
  expect(wakes).toBe(1)
  reply.send('d', 'e')
  await turn()
  expect(wakes).toBe(2)
})

test('readers: they are counted, and leaving twice counts once', () => {
  const { run } = start({ orphanMs: 1_000 })
  const leave = run.attach(() => undefined)
  expect(run.readers).toBe(2)
  leave()
  leave()
  expect(run.readers).toBe(1)
})

test('orphan: with orphanMs 0 the run ends when its last reader leaves, and not before', async () => {
  const started = start({ read: false })
  const { run } = started
  const [first, second] = [run.attach(() => undefined), run.attach(() => undefined)]
  const reply = await replying(started, 'Hello')
  first()
  expect(run.state.phase).toBe('generating')
  second()
  expect(reply.signal.aborted).toBe(true)
  expect(await run.ended).toEqual({ done: true, reason: 'interrupted', by: 'orphan', position: 5, ...estimated(2) })
  expect(run.log.partial().content).toBe('Hello')
  expect(started.clock.timers).toBe(0)
})

test('orphan: with orphanMs the run goes on for so long, then ends', async () => {
  const started = start({ read: false, orphanMs: 30_000, fuse: { ...fuseDefaults, stallMs: 600_000 } })
  const { run, clock } = started
  const leave = run.attach(() => undefined)
  const reply = await replying(started, 'Hello')
  leave()
  reply.send(' world')
  await turn()
  clock.advance(29_999)
  expect(run.state.phase).toBe('generating')
  clock.advance(1)
  expect(await run.ended).toEqual({ done: true, reason: 'interrupted', by: 'orphan', position: 11, ...estimated(3) })
  expect(clock.timers).toBe(0)
})

test('orphan: a reader that comes back in time saves the run, and the time starts anew when it leaves', async () => {
  const started = start({ read: false, orphanMs: 30_000, fuse: { ...fuseDefaults, stallMs: 600_000 } })
  const { run, clock } = started
  run.attach(() => undefined)()
  await replying(started, 'Hello')
  clock.advance(29_000)
  const leave = run.attach(() => undefined)
  clock.advance(60_000)
  expect(run.state.phase).toBe('generating')
  leave()
  clock.advance(29_999)
  expect(run.state.phase).toBe('generating')
  clock.advance(1)
  expect(run.state.phase).toBe('ended')
})

test('orphan: leaving twice is leaving once, and who comes back in time saves the run all the same', () => {
  const { run, clock } = start({ read: false, orphanMs: 30_000 })
  const leave = run.attach(() => undefined)
  leave()
  leave()
  expect(clock.timers).toBe(1 + 1) // and the fuse
  run.attach(() => undefined)
  clock.advance(60_000)
  expect(run.state.phase).toBe('waiting')
})

test('orphan: a reader that polls may be away for longer, and one that streams does not take that away', async () => {
  const started = start({ read: false, orphanMs: 30_000, fuse: { ...fuseDefaults, stallMs: 600_000 } })
  const { run, clock } = started
  const leave = run.attach(() => undefined)
  await replying(started, 'Hello')
  run.attach(() => undefined, 60_000)()
  clock.advance(1_000)
  leave()
  clock.advance(88_999)
  expect(run.state.phase).toBe('generating')
  // Somebody who streams was here, and the poll is long ago.
  run.attach(() => undefined)()
  clock.advance(29_999)
  expect(run.state.phase).toBe('generating')
  clock.advance(1)
  expect(run.state.phase).toBe('ended')
  expect(clock.timers).toBe(0)
})

test('orphan: with orphanMs 0 a poll keeps no run', async () => {
  const started = start({ read: false })
  await replying(started, 'Hello')
  started.run.attach(() => undefined, 60_000)()
  expect(started.run.state.phase).toBe('ended')
})

test('orphan: a run that finishes without a reader leaves no timer', async () => {
  const started = start({ read: false, orphanMs: 30_000 })
  started.run.attach(() => undefined)()
  const reply = await replying(started, 'Hello')
  reply.finish()
  expect(await started.run.ended).toEqual({ done: true, reason: 'stop' })
  expect(started.clock.timers).toBe(0)
})

test('fuse: three malformed frames in a row end the run, and the partial stays', async () => {
  const started = start()
  const bad = { malformed: '<html>' }
  const reply = await replying(started, 'Hello', bad, bad, ' world', bad, bad)
  expect(started.run.state.phase).toBe('generating')
  reply.send(bad, 'late')
  expect(await started.run.ended).toMatchObject({
    reason: 'error',
    error: { code: 'upstream_malformed', retryable: true },
    position: 11,
  })
  expect(started.run.log.partial().content).toBe('Hello world')
  expect(reply.signal.aborted).toBe(true)
  expect(started.clock.timers).toBe(0)
})

test('fuse: stallMs of silence in the middle of the text ends a run without recovery, and the partial stays', async () => {
  const started = start({ fuse: { ...fuseDefaults, stallMs: 5_000 } })
  const reply = await replying(started, 'Hello')
  started.clock.advance(4_999)
  reply.send({ alive: true })
  await turn()
  started.clock.advance(4_999)
  expect(started.run.state.phase).toBe('generating')
  started.clock.advance(1)
  expect(await started.run.ended).toMatchObject({
    reason: 'error',
    error: { code: 'upstream_stalled', retryable: true },
    position: 5,
  })
  expect(started.run.log.partial().content).toBe('Hello')
  expect(started.run.error).toMatchObject({ code: 'upstream_stalled' })
  expect(reply.signal.aborted).toBe(true)
  expect(started.clock.timers).toBe(0)
})

test('fuse: a model that loads for two minutes does not blow it', async () => {
  const started = start()
  started.clock.advance(120_000)
  const reply = await replying(started, 'Hello')
  reply.finish()
  expect(await started.run.ended).toMatchObject({ reason: 'stop' })
})

test('fuse: five minutes without a first delta end the run', async () => {
  const started = start()
  await replying(started)
  started.clock.advance(300_000)
  expect(await started.run.ended).toMatchObject({ error: { code: 'upstream_silent' }, position: 0 })
})

test('fuse: a reply beyond maxBytes ends the run with what fitted', async () => {
  const started = start({ fuse: { ...fuseDefaults, maxBytes: 10 } })
  await replying(started, '春光', 'abcd', 'e')
  expect(await started.run.ended).toMatchObject({ error: { code: 'overflow', retryable: false }, position: 6 })
  expect(started.run.log.partial().content).toBe('春光abcd')
})

test('fuse: a run of an hour ends, although deltas flow', async () => {
  const started = start()
  const reply = await replying(started, 'a')
  for (let s = 0; s < 3_599 && started.run.state.phase !== 'ended'; s += 4) {
    started.clock.advance(4_000)
    reply.send('a')
    await turn()
  }
  started.clock.advance(4_000)
  expect(await started.run.ended).toMatchObject({ error: { code: 'run_too_long' } })
})

test('fuse: after a sleep, text that came meanwhile counts from now, and the late timer blows nothing', async () => {
  const started = start()
  const { run, clock } = started
  const reply = await replying(started, 'Hello')
  clock.sleep(3_000_000)
  reply.send(' world')
  await turn()
  clock.advance(4_999)
  expect(run.state.phase).toBe('generating')
  reply.finish()
  expect(await run.ended).toMatchObject({ reason: 'stop' })
  expect(run.log.partial().content).toBe('Hello world')
})

test('leak: a thousand runs interrupted in every phase leave no timer and no open upstream', async () => {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  for (let i = 0; i < 1_000; i++) {
    const { run } = start({
      clock,
      open: (_question, sink, signal) =>
        upstream.open({ model: 'm', messages: [], prefill: '', interruptedNote: null }, sink, signal),
    })
    if (i % 3 > 0) {
      const reply = await upstream.next()
      if (i % 3 > 1) reply.send('Hello')
      await turn()
    }
    run.interrupt('person')
  }
  await turn()
  expect(clock.timers).toBe(0)
  expect(upstream.openReplies).toBe(0)
  expect(upstream.replies.every(({ signal }) => signal.aborted)).toBe(true)
})
