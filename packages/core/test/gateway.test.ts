import { expect, test } from 'vitest'
import { createGateway, type GatewayOptions } from '../src/gateway/index.ts'
import type { Run } from '../src/run/run.ts'
import { manualClock, scriptedUpstream, type ScriptedReply } from '../src/testing/index.ts'
import { ollamaQuestion } from '../src/upstream/ollama/body.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'
import { frameReader, textOf } from './support/frames.ts'
import {
  ask,
  bench,
  failure,
  type Bench,
  type Started,
  isDone,
  isText,
  json,
  origin,
  replayed,
} from './support/gateway-bench.ts'
import { estimated } from './support/usage.ts'

// The stream

test('gateway: the first frame comes before the upstream has answered, with ids, model and heartbeat', async () => {
  const { start } = bench()
  const { response, frames, runId, sessionId, reply } = await start()
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toEqual({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'session-id': sessionId,
    'run-id': runId,
  })
  expect(runId).toMatch(/^run_[0-9a-f]{32}$/)
  expect(sessionId).toMatch(/^sess_[0-9a-f]{32}$/)
  expect(await frames.next()).toEqual({ id: undefined, event: { status: 'waiting' } })
  reply.finish()
})

test('gateway: the first frame holds exactly what the wire says', async () => {
  const { post, upstream } = bench({ heartbeat: { intervalMs: 2_000 } })
  const body = { ...ask('Hello'), session_id: createId('sess'), run_id: createId('run') }
  const first = await frameReader((await post(body)).body).next()
  expect(first).toEqual({
    id: undefined,
    event: {
      session_id: body.session_id,
      run_id: body.run_id,
      model: 'scripted',
      heartbeat_ms: 2_000,
      started_at: 1_000,
    },
  })
  expect(upstream.replies[0]?.signal.aborted).toBe(false)
})

test('gateway: the first text goes out at once, then one text frame a window, with the position after it as id', async () => {
  const { start, clock } = bench()
  const { frames, reply } = await start()
  reply.send('春')
  expect(await frames.until(isText)).toEqual([
    { id: undefined, event: { status: 'waiting' } },
    { id: undefined, event: { status: 'generating' } },
    { id: 1, event: { message: '春' } },
  ])
  const next = frames.next()
  reply.send('光')
  reply.send('🌸')
  await Promise.resolve()
  clock.advance(99)
  expect(await Promise.race([next, pending()])).toBe('pending')
  clock.advance(1)
  expect(await next).toEqual({ id: 4, event: { message: '光🌸' } })
  reply.finish('stop', { prompt_tokens: 3, completion_tokens: 2 })
  expect(await frames.rest()).toEqual([
    { id: undefined, event: { done: true, reason: 'stop', usage: { prompt_tokens: 3, completion_tokens: 2 } } },
  ])
})

/** Settles after every reaction to what has happened so far. */
const pending = (): Promise<'pending'> => new Promise((resolve) => setImmediate(() => resolve('pending')))

test('gateway: thinking, tool calls and data are frames of their own, and flush the text before them', async () => {
  const { start } = bench()
  const { frames, reply } = await start()
  const call = { id: 'call_1', name: 'look_up', arguments: { word: '春' } }
  reply.send({ thinking: 'hm' }, 'text', { tool_call: call }, { data: { type: 'sources', urls: [] } })
  reply.finish('tool_calls')
  expect((await frames.rest()).slice(-5)).toEqual([
    { id: 2, event: { thinking: 'hm' } },
    { id: 6, event: { message: 'text' } },
    { id: 7, event: { tool_call: call } },
    { id: 8, event: { data: { type: 'sources', urls: [] } } },
    { id: undefined, event: { done: true, reason: 'tool_calls' } },
  ])
})

test('gateway: a ping without id comes whenever nothing else came for the interval', async () => {
  const { start, clock } = bench()
  const { frames, reply } = await start()
  await frames.next()
  for (let minute = 0; minute < 24; minute++) {
    clock.advance(5_000)
    expect(await frames.next()).toEqual({ id: undefined, event: { ping: 'keepalive' } })
  }
  reply.send('at last')
  expect(textOf(await frames.until(isText))).toBe('at last')
})

test('gateway: a failed run keeps its partial and says where it ends', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('half an ans')
  reply.end()
  const rest = await frames.rest()
  expect(textOf(rest)).toBe('half an ans')
  expect(rest.at(-1)?.event).toEqual({
    done: true,
    reason: 'error',
    error: { code: 'upstream_incomplete', message: expect.any(String), retryable: false },
    position: 11,
  })
  expect(await replayed(bed, runId)).toEqual({ text: 'half an ans', terminal: rest.at(-1)?.event })
})

test('gateway: what an upstream says of its own failure never leaves it', async () => {
  const secret = 'key sk-123 at http://10.0.0.7:11434'
  const ends: Run[] = []
  const bed = bench({ onRunEnd: ({ run }) => void ends.push(run), breaker: false })
  const failures: ((reply: ScriptedReply) => void)[] = [
    (reply) => reply.fail(new Error(secret)),
    (reply) => reply.fail(new ChatError('upstream_unreachable', 'It cannot be reached.', { cause: new Error(secret) })),
    (reply) => reply.send({ error: new ChatError('upstream_failed', 'It failed.', { cause: secret }) }),
    (reply) => reply.send({ malformed: secret }, { malformed: secret }, { malformed: secret }),
  ]
  for (const fail of failures) {
    for (const stream of [true, false]) {
      const response = bed.post({ ...ask('Hello'), stream })
      fail(await bed.upstream.next())
      const text = await (await response).text()
      expect(text).toContain('"reason":"error"')
      expect(text).not.toMatch(/sk-123|10\.0\.0\.7/)
      const { runId } = ends.at(-1) ?? { runId: '' }
      expect(await (await bed.call(`/runs/${runId}`)).text()).not.toMatch(/sk-123|10\.0\.0\.7/)
    }
  }
  // The app's log gets it.
  expect((ends[0]?.error as Error | undefined)?.cause).toMatchObject({ message: secret })
})

test('gateway: a cancelled body ends a run that nobody promised to come back to, and its upstream', async () => {
  const ended = Promise.withResolvers<Run>()
  const { start, upstream, clock } = bench({ onRunEnd: ({ run }) => ended.resolve(run) })
  const { frames, reply } = await start()
  reply.send('seen')
  await frames.until(isText)
  await frames.cancel()
  expect(reply.signal.aborted).toBe(true)
  expect((await ended.promise).state).toEqual({
    phase: 'ended',
    terminal: { done: true, reason: 'interrupted', by: 'orphan', position: 4, ...estimated(1) },
  })
  await reply.left
  expect([upstream.openReplies, clock.timers]).toEqual([0, 0])
})

test('gateway: with reconnect a run goes on without a reader for orphanMs, and no longer', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start({ ...ask('Hello'), reconnect: true })
  await frames.cancel()
  bed.clock.advance(29_990)
  expect(reply.signal.aborted).toBe(false)
  const again = frameReader((await bed.call(`/runs/${runId}`)).body)
  bed.clock.advance(60_000)
  expect(reply.signal.aborted).toBe(false)
  await again.cancel()
  bed.clock.advance(30_000)
  expect(reply.signal.aborted).toBe(true)
  expect((await replayed(bed, runId)).terminal).toMatchObject({ reason: 'interrupted', by: 'orphan' })
})

test('gateway: nothing is left of 1 000 runs that ended in every way', async () => {
  const ends: Run[] = []
  const bed = bench({ onRunEnd: ({ run }) => void ends.push(run), limits: { runs: 2_000 } })
  for (let i = 0; i < 1_000; i++) {
    const { frames, reply, runId } = await bed.start({ ...ask('Hello'), reconnect: i % 2 === 0 })
    if (i % 3 > 0) {
      // One read with everything in it, and one of a piece.
      reply.send('text', ...(i % 3 === 1 ? [{ finish: 'stop' } as const] : []))
      await frames.until(i % 3 === 1 ? isDone : isText)
    }
    if (i % 5 === 0) await bed.interrupt(runId)
    if (i % 5 === 1) reply.end()
    if (i % 5 === 2) reply.fail(new Error('reset'))
    await frames.cancel()
  }
  bed.clock.advance(30_000)
  await Promise.all(bed.upstream.replies.map(({ left }) => left))
  expect({
    ends: ends.length,
    ids: new Set(ends.map(({ runId }) => runId)).size,
    readers: ends.filter(({ readers }) => readers > 0).length,
    open: bed.upstream.openReplies,
    timers: bed.clock.timers,
  }).toEqual({ ends: 1_000, ids: 1_000, readers: 0, open: 0, timers: 0 })
})

test('gateway: a reply that comes in one read leaves no timer, and its run no error', async () => {
  const ended = Promise.withResolvers<Run>()
  const { start, clock } = bench({ onRunEnd: ({ run }) => ended.resolve(run) })
  const { frames, reply } = await start()
  reply.send('text', { finish: 'stop' })
  await frames.rest()
  await reply.left
  expect(clock.timers).toBe(0)
  clock.advance(600_000)
  expect((await ended.promise).error).toBe(undefined)
})

test('gateway: a run that was interrupted has no error', async () => {
  const ended = Promise.withResolvers<Run>()
  const { start, interrupt } = bench({ onRunEnd: ({ run }) => ended.resolve(run) })
  const { reply, runId } = await start()
  await interrupt(runId)
  await reply.left
  await pending()
  expect((await ended.promise).error).toBe(undefined)
})

// stream: false

test('gateway: stream false answers once, with the whole reply', async () => {
  const { post, upstream } = bench()
  const body = { ...ask('Hello'), stream: false, session_id: createId('sess'), run_id: createId('run') }
  const response = post(body)
  const reply = await upstream.next()
  reply.send({ thinking: 'hm' })
  reply.send('Hello ', 'there')
  reply.finish('stop', { completion_tokens: 2 })
  expect((await response).status).toBe(200)
  expect((await response).headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect((await response).headers.get('run-id')).toBe(body.run_id)
  expect((await response).headers.get('session-id')).toBe(body.session_id)
  expect(await json(await response)).toEqual({
    session_id: body.session_id,
    run_id: body.run_id,
    model: 'scripted',
    message: { role: 'assistant', content: 'Hello there', thinking: 'hm' },
    reason: 'stop',
    usage: { completion_tokens: 2 },
  })
})

test('gateway: stream false gives tool calls with the message', async () => {
  const { post, upstream } = bench()
  const response = post({ ...ask('Hello'), stream: false })
  const reply = await upstream.next()
  const call = { id: 'call_1', name: 'look_up', arguments: {} }
  reply.send({ tool_call: call })
  reply.finish('tool_calls')
  expect(await json(await response)).toMatchObject({
    message: { content: '', tool_calls: [call] },
    reason: 'tool_calls',
  })
})

test('gateway: stream false says an interrupt as a 200 with the partial', async () => {
  const bed = bench()
  const body = { ...ask('Hello'), stream: false, run_id: createId('run') }
  const response = bed.post(body)
  const reply = await bed.upstream.next()
  const reader = frameReader((await bed.call(`/runs/${body.run_id}`)).body)
  reply.send('Hello there')
  await reader.until(isText)
  await bed.interrupt(body.run_id, '{"position":5}')
  expect((await response).status).toBe(200)
  expect(await json(await response)).toMatchObject({
    message: { role: 'assistant', content: 'Hello' },
    reason: 'interrupted',
    by: 'person',
    position: 5,
  })
})

for (const [code, status] of [
  ['upstream_unreachable', 503],
  ['upstream_busy', 503],
  ['upstream_model_missing', 502],
  ['upstream_unauthorized', 502],
  ['upstream_rejected', 502],
  ['upstream_failed', 502],
  ['upstream_malformed', 502],
  ['overflow', 502],
  ['upstream_silent', 504],
  ['upstream_stalled', 504],
] as const satisfies [ChatErrorCode, number][]) {
  test(`gateway: stream false says ${code} as ${status}, with the partial`, async () => {
    const { post, upstream } = bench()
    const response = post({ ...ask('Hello'), stream: false })
    const reply = await upstream.next()
    reply.send('half')
    reply.fail(new ChatError(code, 'It is so.', { retryable: true }))
    expect((await response).status).toBe(status)
    expect((await response).headers.get('retry-after')).toBe(status === 503 ? '1' : null)
    expect(await json(await response)).toMatchObject({
      message: { content: 'half' },
      reason: 'error',
      error: { code, message: 'It is so.', retryable: true },
    })
  })
}

test('gateway: stream false says what the fuse said, not what the hung-up upstream threw then', async () => {
  const { post, upstream, clock } = bench()
  const body = { ...ask('Hello'), stream: false, run_id: createId('run') }
  const response = post(body)
  const reply = await upstream.next()
  clock.advance(300_000)
  await reply.left
  for (const answer of [await response, await post(body)]) {
    expect(answer.status).toBe(504)
    expect(await json(answer)).toMatchObject({ error: { code: 'upstream_silent' } })
  }
})

test('gateway: stream false ends its run when the request is aborted', async () => {
  const ended = Promise.withResolvers<Run>()
  const { post, upstream, clock } = bench({ onRunEnd: ({ run }) => ended.resolve(run) })
  const abort = new AbortController()
  const response = post({ ...ask('Hello'), stream: false }, { signal: abort.signal })
  const reply = await upstream.next()
  abort.abort()
  expect((await ended.promise).state).toMatchObject({ terminal: { reason: 'interrupted', by: 'orphan' } })
  expect(reply.signal.aborted).toBe(true)
  await Promise.all([response, reply.left])
  expect(clock.timers).toBe(0)
})

// Interrupt

const stopped = { outcome: 'interrupted', reason: 'interrupted' }

test('gateway: an interrupt cuts at its position, and its answer comes when the upstream has been told', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('Hello there')
  await frames.until(isText)
  const response = await bed.interrupt(runId, '{"position":5}')
  expect(reply.signal.aborted).toBe(true)
  expect(response.status).toBe(200)
  expect(await json(response)).toEqual({ ...stopped, position: 5, partial: { content: 'Hello' } })
  const terminal = { done: true, reason: 'interrupted', by: 'person', position: 5, ...estimated(3) }
  expect(await frames.rest()).toEqual([{ id: undefined, event: terminal }])
  expect(await replayed(bed, runId)).toEqual({ text: 'Hello', terminal })
})

for (const [what, body, type] of [
  ['an empty body', null, undefined],
  ['an empty body of text/plain', '', 'text/plain'],
  ['an empty object', '{}', 'application/json'],
  ['position null', '{"position":null}', 'application/json'],
  ['a position beyond the end', '{"position":999}', 'text/plain'],
] as const) {
  test(`gateway: an interrupt with ${what} cuts nothing off`, async () => {
    const bed = bench()
    const { frames, reply, runId } = await bed.start()
    reply.send('Hello')
    await frames.until(isText)
    const response = await bed.interrupt(runId, body, type === undefined ? {} : { headers: { 'content-type': type } })
    expect(await json(response)).toEqual({ ...stopped, position: 5, partial: { content: 'Hello' } })
  })
}

test('gateway: an interrupt as text/plain cuts at its position', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('Hello')
  await frames.until(isText)
  const response = await bed.interrupt(runId, '{"position":2}', { headers: { 'content-type': 'text/plain' } })
  expect(await json(response)).toMatchObject({ position: 2, partial: { content: 'He' } })
})

test('gateway: an interrupt inside a surrogate pair cuts before it', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('a🌸b')
  await frames.until(isText)
  expect(await json(await bed.interrupt(runId, '{"position":2}'))).toMatchObject({
    position: 1,
    partial: { content: 'a' },
  })
})

test('gateway: an interrupt before the first delta ends the run at 0', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  expect(await json(await bed.interrupt(runId))).toEqual({ ...stopped, position: 0, partial: { content: '' } })
  expect(reply.signal.aborted).toBe(true)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'interrupted', by: 'person', position: 0 })
})

test('gateway: an interrupt that overtakes its POST keeps the run from starting', async () => {
  const bed = bench()
  const run_id = createId('run')
  expect(await failure(await bed.interrupt(run_id))).toEqual([404, 'not_found'])
  expect(await failure(await bed.post({ ...ask('Hello'), run_id }))).toEqual([410, 'expired'])
  expect(bed.upstream.replies).toHaveLength(0)
})

test('gateway: an interrupt flushes once what a reader had not got, and then nothing comes', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('one ')
  await frames.until(isText)
  reply.send('two ')
  await pending()
  await bed.interrupt(runId)
  reply.send('three')
  expect((await frames.rest()).map(({ event }) => event)).toEqual([
    { message: 'two ' },
    { done: true, reason: 'interrupted', by: 'person', position: 8, ...estimated(2) },
  ])
  await reply.left
  expect((await replayed(bed, runId)).text).toBe('one two ')
})

test('gateway: a second interrupt changes nothing and answers already_done', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('Hello there')
  await frames.until(isText)
  await bed.interrupt(runId, '{"position":5}')
  for (const body of ['{"position":2}', '{"position":9}', null]) {
    expect(await json(await bed.interrupt(runId, body))).toEqual({
      outcome: 'already_done',
      reason: 'interrupted',
      position: 5,
      partial: { content: 'Hello' },
    })
  }
  expect((await replayed(bed, runId)).terminal).toMatchObject({ by: 'person', position: 5 })
})

test('gateway: an interrupt of a finished run changes nothing and answers already_done', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  reply.send('Hello')
  reply.finish()
  await frames.rest()
  expect(await json(await bed.interrupt(runId, '{"position":2}'))).toMatchObject({
    outcome: 'already_done',
    reason: 'stop',
    position: 5,
  })
  expect(await replayed(bed, runId)).toEqual({ text: 'Hello', terminal: { done: true, reason: 'stop' } })
})

test('gateway: a stale interrupt never touches the newer run of its session', async () => {
  const bed = bench()
  const first = await bed.start()
  const second = await bed.start({ ...ask('Hello', 'Hi', 'More'), session_id: first.sessionId })
  expect(await json(await bed.interrupt(first.runId))).toMatchObject({ outcome: 'already_done' })
  expect(second.reply.signal.aborted).toBe(false)
  second.reply.send('goes on')
  expect(textOf(await second.frames.until(isText))).toBe('goes on')
})

test('gateway: every reader of a run gets its interrupt, also one that is past it', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  const other = frameReader((await bed.call(`/runs/${runId}`)).body)
  reply.send('Hello there')
  await Promise.all([frames.until(isText), other.until(isText)])
  await bed.interrupt(runId, '{"position":3}')
  const terminal = { done: true, reason: 'interrupted', by: 'person', position: 3, ...estimated(3) }
  expect([await frames.rest(), await other.rest()]).toEqual([[{ event: terminal }], [{ event: terminal }]])
})

// Sessions: one active run

test('gateway: interrupts in a POST ends that run there and starts the new one, in one step', async () => {
  const bed = bench()
  const first = await bed.start()
  first.reply.send('Hello there')
  await first.frames.until(isText)
  const second = await bed.start({
    ...ask('Hello', 'Hello', 'Stop!'),
    session_id: first.sessionId,
    interrupts: { run_id: first.runId, position: 5 },
  })
  expect(second.sessionId).toBe(first.sessionId)
  expect([first.reply.signal.aborted, second.reply.signal.aborted]).toEqual([true, false])
  const terminal = { done: true, reason: 'interrupted', by: 'superseded', position: 5, ...estimated(3) }
  expect(await first.frames.rest()).toEqual([{ event: terminal }])
  expect(await replayed(bed, first.runId)).toEqual({ text: 'Hello', terminal })
  expect(await json(await bed.call(`/sessions/${first.sessionId}`))).toMatchObject({
    active_run: second.runId,
    runs: 2,
    last_run: { run_id: first.runId, interrupted_by: 'superseded' },
  })
  await first.reply.left
  expect(bed.upstream.openReplies).toBe(1)
})

test('gateway: of many POSTs at once into one session exactly one run stays active', async () => {
  const bed = bench()
  const session_id = createId('sess')
  const answers = await Promise.all(Array.from({ length: 20 }, () => bed.post({ ...ask('Hello'), session_id })))
  expect(answers.every(({ status }) => status === 200)).toBe(true)
  const { active_run: active } = await json(await bed.call(`/sessions/${session_id}`))
  const terminals = await Promise.all(
    answers
      .filter(({ headers }) => headers.get('run-id') !== active)
      .map(async ({ body }) => (await frameReader(body).rest()).at(-1)?.event),
  )
  expect(terminals).toEqual(
    Array.from({ length: 19 }, () => ({ done: true, reason: 'interrupted', by: 'superseded', position: 0 })),
  )
  await pending()
  expect(bed.upstream.openReplies).toBe(1)
})

test('gateway: interrupts that names a run which is over ends nothing of its session', async () => {
  const bed = bench()
  const first = await bed.start()
  await bed.interrupt(first.runId, '{"position":0}')
  const second = await bed.start({
    ...ask('Hello'),
    session_id: first.sessionId,
    interrupts: { run_id: first.runId, position: 0 },
  })
  expect(second.reply.signal.aborted).toBe(false)
  expect((await replayed(bed, first.runId)).terminal).toMatchObject({ by: 'person' })
})

test('gateway: interrupts that names a stale run does not keep the active one alive', async () => {
  const bed = bench()
  const first = await bed.start()
  const second = await bed.start({ ...ask('Hello'), session_id: first.sessionId })
  second.reply.send('Hello there')
  await second.frames.until(isText)
  const stale = { ...ask('Hello'), session_id: first.sessionId, interrupts: { run_id: first.runId, position: 2 } }
  expect(await failure(await bed.post({ ...stale, when_busy: 'reject' }))).toEqual([409, 'session_busy'])
  const third = await bed.start(stale)
  expect([second.reply.signal.aborted, third.reply.signal.aborted]).toEqual([true, false])
  expect((await second.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded', position: 11 })
})

test('gateway: a POST into a busy session ends its run at the end of the log', async () => {
  const bed = bench()
  const first = await bed.start()
  first.reply.send('Hello there')
  await first.frames.until(isText)
  await bed.start({ ...ask('Hello', 'Hello there', 'More'), session_id: first.sessionId })
  expect((await first.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded', position: 11 })
})

test('gateway: when_busy reject answers 409 and leaves the run alone', async () => {
  const bed = bench()
  const first = await bed.start()
  const body = { ...ask('Hello'), session_id: first.sessionId, when_busy: 'reject' }
  expect(await failure(await bed.post(body))).toEqual([409, 'session_busy'])
  expect(first.reply.signal.aborted).toBe(false)
  expect(bed.upstream.replies).toHaveLength(1)
  await bed.interrupt(first.runId)
  expect((await bed.post(body)).status).toBe(200)
})

test('gateway: when_busy reject lets in the request that names the active run', async () => {
  const bed = bench()
  const first = await bed.start()
  const interrupts = { run_id: first.runId }
  const second = await bed.start({ ...ask('Hello'), session_id: first.sessionId, when_busy: 'reject', interrupts })
  expect([first.reply.signal.aborted, second.reply.signal.aborted]).toEqual([true, false])
})

test('gateway: an unknown session id is adopted', async () => {
  const bed = bench()
  const session_id = createId('sess')
  expect((await bed.start({ ...ask('a', 'b', 'c', 'd', 'e'), session_id })).sessionId).toBe(session_id)
  expect((await bed.start({ ...ask('a', 'b', 'c', 'd', 'e', 'f', 'g'), session_id })).sessionId).toBe(session_id)
})

test('gateway: another conversation under an old session id forks and leaves the old run alone', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  const second = await bed.start({ ...ask('Something else'), session_id: first.sessionId })
  expect(second.sessionId).toMatch(/^sess_/)
  expect(second.sessionId).not.toBe(first.sessionId)
  expect(second.response.headers.get('session-id')).toBe(second.sessionId)
  expect(first.reply.signal.aborted).toBe(false)
  expect(await json(await bed.call(`/sessions/${first.sessionId}`))).toMatchObject({ active_run: first.runId, runs: 1 })
  expect(await json(await bed.call(`/sessions/${second.sessionId}`))).toMatchObject({
    active_run: second.runId,
    runs: 1,
  })
})

test('gateway: a request that leaves out the opening stays in its session, and one without `omitted` still forks', async () => {
  const bed = bench()
  const { sessionId: session_id } = await bed.start(ask('a', 'b', 'c'))
  expect((await bed.start({ ...ask('c', 'd', 'e'), session_id, omitted: 2 })).sessionId).toBe(session_id)
  expect((await bed.start({ ...ask('a', 'b', 'c', 'd', 'e'), session_id })).sessionId).toBe(session_id)
  expect((await bed.start({ ...ask('c', 'd', 'e'), session_id, omitted: 0 })).sessionId).not.toBe(session_id)
})

test('gateway: a fork ends the old run when interrupts names it', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  const interrupts = { run_id: first.runId, position: 0 }
  const second = await bed.start({ ...ask('Something else'), session_id: first.sessionId, interrupts })
  expect(second.sessionId).not.toBe(first.sessionId)
  expect((await first.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded', position: 0 })
})

test('gateway: a conversation that grows keeps its session', async () => {
  const bed = bench()
  const { sessionId } = await bed.start(ask('one'))
  for (const contents of [
    ['one', 'a', 'two'],
    ['one', 'a', 'two', 'b', 'three'],
    ['one', 'a', 'two', 'b', 'three', 'c', 'four'],
  ]) {
    expect((await bed.start({ ...ask(...contents), session_id: sessionId })).sessionId).toBe(sessionId)
  }
})

test('gateway: GET of a session gives its run, counts and times', async () => {
  const bed = bench()
  const { sessionId, runId, reply, frames } = await bed.start()
  const session = {
    session_id: sessionId,
    active_run: runId,
    runs: 1,
    created_at: 1_000,
    used_at: 1_000,
    last_run: null,
  }
  expect(await json(await bed.call(`/sessions/${sessionId}`))).toEqual(session)
  bed.clock.advance(500)
  reply.finish()
  await frames.rest()
  expect(await json(await bed.call(`/sessions/${sessionId}`))).toEqual({
    ...session,
    active_run: null,
    used_at: 1_500,
    last_run: { run_id: runId, interrupted_by: null },
  })
})

test('gateway: DELETE of a session ends its run as deleted and forgets both', async () => {
  const bed = bench()
  const { sessionId, runId, reply, frames } = await bed.start()
  const response = await bed.call(`/sessions/${sessionId}`, { method: 'DELETE' })
  expect([response.status, await response.text()]).toEqual([204, ''])
  expect(reply.signal.aborted).toBe(true)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'interrupted', by: 'deleted', position: 0 })
  expect(await failure(await bed.call(`/sessions/${sessionId}`))).toEqual([404, 'not_found'])
  expect(await failure(await bed.call(`/sessions/${sessionId}`, { method: 'DELETE' }))).toEqual([404, 'not_found'])
  expect(await failure(await bed.call(`/runs/${runId}`))).toEqual([410, 'expired'])
  expect((await bed.start({ ...ask('Anew'), session_id: sessionId })).sessionId).toBe(sessionId)
})

test('gateway: a session that nobody used for its time is adopted anew', async () => {
  const bed = bench()
  const { sessionId, reply, frames } = await bed.start()
  reply.finish()
  await frames.rest()
  bed.clock.advance(1_800_000)
  expect(await failure(await bed.call(`/sessions/${sessionId}`))).toEqual([404, 'not_found'])
  expect((await bed.start({ ...ask('Something else'), session_id: sessionId })).sessionId).toBe(sessionId)
})

// Runs: the same id, replay, limits

test('gateway: the same run id with the same body attaches: 100 POSTs at once ask the upstream once', async () => {
  const bed = bench({ limits: { readers: 100 } })
  const body = { ...ask('Hello'), run_id: createId('run') }
  const answers = await Promise.all(Array.from({ length: 100 }, () => bed.post(body)))
  const reply = await bed.upstream.next()
  reply.send('Hello there')
  reply.finish()
  const texts = await Promise.all(answers.map(async ({ body }) => textOf(await frameReader(body).rest())))
  expect(texts).toEqual(Array(100).fill('Hello there'))
  expect(bed.upstream.replies).toHaveLength(1)
})

test('gateway: the same run id with the same body attaches to a run that is over', async () => {
  const bed = bench()
  const body = { ...ask('Hello'), run_id: createId('run') }
  const { reply, frames, sessionId } = await bed.start(body)
  reply.send('Hello')
  reply.finish()
  await frames.rest()
  const again = await frameReader((await bed.post(body)).body).rest()
  expect(again[0]?.event).toMatchObject({ run_id: body.run_id, session_id: sessionId })
  expect([textOf(again), again.at(-1)?.event]).toEqual(['Hello', { done: true, reason: 'stop' }])
  expect(bed.upstream.replies).toHaveLength(1)
})

test('gateway: the same run id with another body is 409', async () => {
  const bed = bench()
  const run_id = createId('run')
  const { reply } = await bed.start({ ...ask('Hello'), run_id })
  expect(await failure(await bed.post({ ...ask('Goodbye'), run_id }))).toEqual([409, 'run_conflict'])
  expect(reply.signal.aborted).toBe(false)
})

test('gateway: a repeated POST whose interrupts has done its work does not end its own run', async () => {
  const bed = bench()
  const first = await bed.start()
  const body = {
    ...ask('Hello'),
    session_id: first.sessionId,
    run_id: createId('run'),
    interrupts: { run_id: first.runId },
  }
  const second = await bed.start(body)
  expect((await bed.post(body)).status).toBe(200)
  expect(second.reply.signal.aborted).toBe(false)
  expect(bed.upstream.replies).toHaveLength(2)
})

for (const [what, path, headers, text, id] of [
  ['from the start', '', {}, 'Hello there', 11],
  ['after Last-Event-ID', '', { 'last-event-id': '6' }, 'there', 11],
  ['after ?after=', '?after=6', {}, 'there', 11],
  ['after Last-Event-ID, though ?after= says else', '?after=2', { 'last-event-id': '6' }, 'there', 11],
  ['nothing but the end when it has all', '?after=11', {}, '', undefined],
  ['nothing but the end when it claims more', '?after=999', {}, '', undefined],
] as const) {
  test(`gateway: GET of a run replays ${what}, as one frame`, async () => {
    const bed = bench()
    const { reply, frames, runId } = await bed.start()
    reply.send('Hello ')
    await frames.until(isText)
    reply.send('there')
    reply.finish()
    await frames.rest()
    const replay = await frameReader((await bed.call(`/runs/${runId}${path}`, { headers })).body).rest()
    expect(replay[0]?.event).toMatchObject({ run_id: runId })
    expect(replay.slice(1)).toEqual([
      ...(text === '' ? [] : [{ id, event: { message: text } }]),
      { event: { done: true, reason: 'stop' } },
    ])
  })
}

test('gateway: GET of a run that goes on replays, then follows it', async () => {
  const bed = bench()
  const { reply, frames, runId } = await bed.start({ ...ask('Hello'), reconnect: true })
  reply.send('Hello ')
  const seen = await frames.until(isText)
  await frames.cancel()
  const again = frameReader(
    (await bed.call(`/runs/${runId}`, { headers: { 'last-event-id': String(seen.at(-1)?.id) } })).body,
  )
  expect((await again.next())?.event).toMatchObject({ run_id: runId })
  expect((await again.next())?.event).toEqual({ status: 'generating' })
  reply.send('there')
  reply.finish()
  expect(textOf(seen) + textOf(await again.rest())).toBe('Hello there')
})

test('gateway: an ended run is 410 after keepRunMs, and its id starts nothing again', async () => {
  const bed = bench()
  const body = { ...ask('Hello'), run_id: createId('run') }
  const { reply, frames, runId } = await bed.start(body)
  reply.finish()
  await frames.rest()
  bed.clock.advance(299_999)
  expect((await bed.call(`/runs/${runId}`)).status).toBe(200)
  bed.clock.advance(1)
  expect(await failure(await bed.call(`/runs/${runId}`))).toEqual([410, 'expired'])
  expect(await failure(await bed.interrupt(runId))).toEqual([410, 'expired'])
  expect(await failure(await bed.post(body))).toEqual([410, 'expired'])
  expect(bed.upstream.replies).toHaveLength(1)
})

test('gateway: a run that goes on is readable however old it is', async () => {
  const bed = bench({ fuse: { firstDeltaMs: 3_000_000 } })
  const { runId } = await bed.start()
  bed.clock.advance(2_000_000)
  expect((await bed.call(`/runs/${runId}`)).status).toBe(200)
})

test('gateway: a 65th reader of a run is 429, until one leaves', async () => {
  const bed = bench()
  const { runId, frames } = await bed.start({ ...ask('Hello'), reconnect: true })
  const readers = await Promise.all(Array.from({ length: 63 }, () => bed.call(`/runs/${runId}`)))
  expect(readers.every(({ status }) => status === 200)).toBe(true)
  const refused = await bed.call(`/runs/${runId}`)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await failure(refused)).toEqual([429, 'too_many_readers'])
  await frames.cancel()
  expect((await bed.call(`/runs/${runId}`)).status).toBe(200)
})

test('gateway: whoever waits for the whole answer is a reader, too', async () => {
  const bed = bench({ limits: { readers: 1 } })
  const body = { ...ask('Hello'), stream: false, run_id: createId('run') }
  const response = bed.post(body)
  const reply = await bed.upstream.next()
  expect(await failure(await bed.post(body))).toEqual([429, 'too_many_readers'])
  reply.finish()
  expect((await response).status).toBe(200)
})

test('gateway: more runs than limits.runs are 503 with Retry-After, but one may take the place of another', async () => {
  const bed = bench({ limits: { runs: 2 } })
  const first = await bed.start()
  await bed.start()
  const refused = await bed.post(ask('Hello'))
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await failure(refused)).toEqual([503, 'overloaded'])
  const third = await bed.start({ ...ask('Hello'), session_id: first.sessionId })
  expect(third.reply.signal.aborted).toBe(false)
  await bed.interrupt(third.runId)
  expect((await bed.post(ask('Hello'))).status).toBe(200)
})

test('gateway: a request refused by a limit ends nothing', async () => {
  const bed = bench({ limits: { runs: 1 } })
  const { reply, sessionId } = await bed.start()
  const other = { ...ask('Other'), session_id: createId('sess') }
  expect((await bed.post(other)).status).toBe(503)
  expect(await failure(await bed.call(`/sessions/${other.session_id}`))).toEqual([404, 'not_found'])
  expect(await json(await bed.call(`/sessions/${sessionId}`))).toMatchObject({ runs: 1 })
  expect(reply.signal.aborted).toBe(false)
})

// What a request may choose

test('gateway: a model that is not offered is 400, one that is goes up', async () => {
  const bed = bench({ models: ['scripted', 'other'] })
  expect(await failure(await bed.post({ ...ask('Hello'), model: 'expensive' }))).toEqual([400, 'model_not_allowed'])
  expect((await bed.start({ ...ask('Hello'), model: 'other' })).reply.request.model).toBe('other')
  expect((await bed.start()).reply.request.model).toBe('scripted')
})

test('gateway: without models only the model of the upstream may be named', async () => {
  const bed = bench()
  expect((await bed.post({ ...ask('Hello'), model: 'scripted' })).status).toBe(200)
  expect(await failure(await bed.post({ ...ask('Hello'), model: 'other' }))).toEqual([400, 'model_not_allowed'])
})

test('gateway: an option that is not listed is 400, listed ones go up', async () => {
  const bed = bench({ requestOptions: ['temperature', 'num_predict'] })
  for (const options of [{ num_ctx: 1e9 }, { constructor: 1 }, { seed: 1 }]) {
    expect(await failure(await bed.post({ ...ask('Hello'), options }))).toEqual([400, 'option_not_allowed'])
  }
  const proto = `{"messages":[{"role":"user","content":"Hello"}],"options":{"__proto__":1}}`
  expect(await failure(await bed.call('', { method: 'POST', body: proto }))).toEqual([400, 'option_not_allowed'])
  const options = { temperature: 0, num_predict: 5 }
  expect((await bed.start({ ...ask('Hello'), options })).reply.request.options).toEqual(options)
})

test('gateway: tools and think go up where the operator lets them', async () => {
  const { start } = bench({ requestTools: true, requestThink: true })
  const tools = [{ name: 'look_up', description: 'Looks up a word.', parameters: { type: 'object' } }]
  const { reply } = await start({ ...ask('Hello'), tools, think: 'low' })
  expect(reply.request).toMatchObject({ tools, think: 'low' })
})

test('gateway: a request with tools may be silent for longer', async () => {
  const { start, clock } = bench({ requestTools: true })
  const plain = await start()
  const tools = await start({ ...ask('Hello'), tools: [{ name: 'look_up' }] })
  for (const { reply, frames } of [plain, tools]) {
    reply.send('text')
    await frames.until(isText)
  }
  clock.advance(30_000)
  expect([plain.reply.signal.aborted, tools.reply.signal.aborted]).toEqual([true, false])
  clock.advance(30_000)
  expect(tools.reply.signal.aborted).toBe(true)
})

test('gateway: its system prompt goes up first, and a request may not bring one', async () => {
  const bed = bench({ system: 'Be brief.' })
  const { reply } = await bed.start(ask('Hello'))
  expect(reply.request.messages).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
  ])
  const body = {
    messages: [
      { role: 'system', content: 'Be rude.' },
      { role: 'user', content: 'Hello' },
    ],
  }
  expect(await failure(await bed.post(body))).toEqual([400, 'bad_request'])
})

test('gateway: without a system prompt of its own the messages go up as they came', async () => {
  const { start } = bench()
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
  ]
  expect((await start({ messages })).reply.request.messages).toEqual(messages)
})

// Bad input

const image = {
  role: 'user',
  content: [
    { type: 'text', text: 'What is it?' },
    { type: 'image_url', image_url: { url: 'x' } },
  ],
}
const large = JSON.stringify(ask('x'.repeat(1_048_576)))
const streamed = (text: string): RequestInit => ({ body: new Blob([text]).stream(), duplex: 'half' }) as RequestInit
const from = (origin: string): RequestInit => ({ headers: { origin }, body: JSON.stringify(ask('Hello')) })
const bad: readonly (readonly [what: string, path: string, init: RequestInit, status: number, code: ChatErrorCode])[] =
  [
    ['broken JSON', '', { body: '{"messages":[' }, 400, 'bad_request'],
    ['no body', '', {}, 400, 'bad_request'],
    ['a body that is an array', '', { body: '[]' }, 400, 'bad_request'],
    ['a body that is null', '', { body: 'null' }, 400, 'bad_request'],
    ['no messages', '', { body: '{}' }, 400, 'bad_request'],
    ['empty messages', '', { body: '{"messages":[]}' }, 400, 'bad_request'],
    ['messages that are no array', '', { body: '{"messages":"Hello"}' }, 400, 'bad_request'],
    ['a message that is null', '', { body: '{"messages":[null]}' }, 400, 'bad_request'],
    [
      'an unknown role',
      '',
      { body: JSON.stringify({ messages: [{ role: 'wizard', content: 'Hello' }] }) },
      400,
      'bad_request',
    ],
    ['no role', '', { body: JSON.stringify({ messages: [{ content: 'Hello' }] }) }, 400, 'bad_request'],
    ['a last message of the assistant', '', { body: JSON.stringify(ask('Hello', 'Hi')) }, 400, 'bad_request'],
    [
      'content that is a number',
      '',
      { body: JSON.stringify({ messages: [{ role: 'user', content: 5 }] }) },
      400,
      'bad_request',
    ],
    [
      'content that is an object',
      '',
      { body: JSON.stringify({ messages: [{ role: 'user', content: {} }] }) },
      400,
      'bad_request',
    ],
    ['an image', '', { body: JSON.stringify({ messages: [image] }) }, 400, 'unsupported_content'],
    [
      '1 001 messages',
      '',
      { body: JSON.stringify({ messages: Array.from({ length: 1_001 }, () => ({ role: 'user', content: '' })) }) },
      400,
      'too_many_messages',
    ],
    [
      'a session id of another shape',
      '',
      { body: JSON.stringify({ ...ask('Hello'), session_id: '../etc' }) },
      400,
      'bad_request',
    ],
    [
      'a run id of another shape',
      '',
      { body: JSON.stringify({ ...ask('Hello'), run_id: 'run_1' }) },
      400,
      'bad_request',
    ],
    [
      'a negative position',
      '',
      { body: JSON.stringify({ ...ask('Hello'), interrupts: { run_id: createId('run'), position: -1 } }) },
      400,
      'bad_request',
    ],
    ['an unknown when_busy', '', { body: JSON.stringify({ ...ask('Hello'), when_busy: 'queue' }) }, 400, 'bad_request'],
    ['stream that is no boolean', '', { body: JSON.stringify({ ...ask('Hello'), stream: 'no' }) }, 400, 'bad_request'],
    [
      'a body over 1 MiB with its length',
      '',
      { body: large, headers: { 'content-length': String(large.length) } },
      413,
      'too_large',
    ],
    ['a body over 1 MiB without its length', '', streamed(large), 413, 'too_large'],
    [
      'a body over 1 MiB that lies about its length',
      '',
      { ...streamed(large), headers: { 'content-length': '5' } },
      413,
      'too_large',
    ],
    ['an interrupt with broken JSON', '/runs/LIVE/interrupt', { body: '{"position":' }, 400, 'bad_request'],
    ['an interrupt at no position', '/runs/LIVE/interrupt', { body: '{"position":"5"}' }, 400, 'bad_request'],
    ['an interrupt at half a position', '/runs/LIVE/interrupt', { body: '{"position":1.5}' }, 400, 'bad_request'],
    ['an interrupt of an unknown run', `/runs/${createId('run')}/interrupt`, {}, 404, 'not_found'],
    ['an interrupt of a run id of another shape', '/runs/nope/interrupt', {}, 404, 'not_found'],
    ['an unknown run', `/runs/${createId('run')}`, { method: 'GET' }, 404, 'not_found'],
    [
      'a Last-Event-ID that is no position',
      '/runs/LIVE',
      { method: 'GET', headers: { 'last-event-id': 'abc' } },
      400,
      'bad_request',
    ],
    ['a negative ?after=', '/runs/LIVE?after=-1', { method: 'GET' }, 400, 'bad_request'],
    ['an unknown session', `/sessions/${createId('sess')}`, { method: 'GET' }, 404, 'not_found'],
    ['the end of an unknown session', `/sessions/${createId('sess')}`, { method: 'DELETE' }, 404, 'not_found'],
    ['a foreign origin', '', from('https://evil.example'), 403, 'origin_not_allowed'],
    ['the origin null', '', from('null'), 403, 'origin_not_allowed'],
    ['an origin that is no URL', '', from('gateway.test'), 403, 'origin_not_allowed'],
    ['an origin with the same name and another port', '', from('http://gateway.test:81'), 403, 'origin_not_allowed'],
    [
      'a foreign origin that only looks',
      '',
      { method: 'GET', headers: { origin: 'https://evil.example' } },
      403,
      'origin_not_allowed',
    ],
    [
      'a foreign origin at a run',
      '/runs/LIVE/interrupt',
      { headers: { origin: 'https://evil.example' } },
      403,
      'origin_not_allowed',
    ],
    [
      'a preflight of a foreign origin',
      '',
      { method: 'OPTIONS', headers: { origin: 'https://evil.example' } },
      403,
      'origin_not_allowed',
    ],
    ['PUT', '', { method: 'PUT', body: '{}' }, 405, 'method_not_allowed'],
    ['PATCH of a session', '/sessions/x', { method: 'PATCH' }, 405, 'method_not_allowed'],
    ['a method of every object', '', { method: 'constructor' }, 405, 'method_not_allowed'],
    ['GET of an interrupt', '/runs/LIVE/interrupt', { method: 'GET' }, 405, 'method_not_allowed'],
    ['a path of every object', '/constructor', {}, 404, 'not_found'],
    ['another path of every object', '/__proto__', { method: 'GET' }, 404, 'not_found'],
    ['an unknown path', '/models', { method: 'GET' }, 404, 'not_found'],
    ['a path that is too long', '/runs/LIVE/interrupt/now', {}, 404, 'not_found'],
    ['a path without its id', '/runs//interrupt', {}, 404, 'not_found'],
    ['a path that only begins like the base', 's', {}, 404, 'not_found'],
  ]

for (const [what, path, init, status, code] of bad) {
  test(`gateway: ${what} is ${status} ${code}, and the next request works`, async () => {
    const bed = bench()
    const live = await bed.start()
    const response = await bed.call(path.replace('LIVE', live.runId), { method: 'POST', ...init })
    expect(await failure(response)).toEqual([status, code])
    expect(bed.upstream.replies).toHaveLength(1)
    expect(live.reply.signal.aborted).toBe(false)
    const next = await bed.start()
    next.reply.send('fine')
    next.reply.finish()
    expect(textOf(await next.frames.rest())).toBe('fine')
  })
}

test('gateway: a body of exactly 1 MiB is read', async () => {
  const bed = bench()
  const empty = JSON.stringify(ask('')).length
  expect((await bed.post(ask('x'.repeat(1_048_576 - empty)))).status).toBe(200)
  expect(await failure(await bed.post(ask('x'.repeat(1_048_577 - empty))))).toEqual([413, 'too_large'])
})

test('gateway: a body that is too large is not read to its end', async () => {
  const bed = bench()
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    pull(out) {
      sent += 65_536
      out.enqueue(new Uint8Array(65_536).fill(32))
    },
  })
  expect((await bed.call('', { method: 'POST', body, duplex: 'half' } as RequestInit)).status).toBe(413)
  expect(sent).toBeLessThan(1_048_576 + 4 * 65_536)
})

test('gateway: a body that breaks off is 400', async () => {
  const bed = bench()
  const body = new ReadableStream<Uint8Array>({ pull: (out) => out.error(new Error('socket hang up')) })
  expect(await failure(await bed.call('', { method: 'POST', body, duplex: 'half' } as RequestInit))).toEqual([
    400,
    'bad_request',
  ])
})

test('gateway: 405 says what is allowed', async () => {
  const { call } = bench()
  const allow = async (path: string): Promise<string | null> =>
    (await call(path, { method: 'PUT' })).headers.get('allow')
  expect([
    await allow(''),
    await allow('/runs/x'),
    await allow('/runs/x/interrupt'),
    await allow('/sessions/x'),
  ]).toEqual(['GET, HEAD, POST', 'GET', 'POST', 'GET, DELETE'])
})

test('gateway: content of text parts is joined', async () => {
  const { start } = bench()
  const content = [
    { type: 'text', text: 'one ' },
    { type: 'text', text: 'two' },
  ]
  const { reply } = await start({ messages: [{ role: 'user', content }] })
  expect(reply.request.messages).toEqual([{ role: 'user', content: 'one two' }])
})

// Pages of other origins

test('gateway: pages of its own origin and programs get no CORS headers', async () => {
  const { call } = bench()
  for (const headers of [{ origin }, { origin: 'https://gateway.test' }, {}]) {
    const response = await call('', { headers })
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([200, null])
  }
})

test('gateway: a page of the host that was asked is its own, whatever name the web host writes into the URL', async () => {
  const { call } = bench()
  const asked = (origin: string): Promise<Response> => call('', { headers: { host: 'app.example:3000', origin } })
  expect((await asked('http://app.example:3000')).status).toBe(200)
  expect((await asked('http://app.example')).status).toBe(403)
  expect((await asked('null')).status).toBe(403)
})

test('gateway: a listed origin gets CORS headers, on streams, errors and preflights', async () => {
  const { call, post } = bench({ allowedOrigins: ['https://app.example'] })
  const headers = { origin: 'https://app.example' }
  const answers = [
    await post(ask('Hello'), { headers }),
    await post({}, { headers }),
    await call('/nowhere', { headers }),
    await call('', { method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'POST' } }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 400, 404, 204])
  for (const answer of answers) {
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'session-id, run-id, retry-after',
      vary: 'origin',
    })
  }
  expect(await failure(await post(ask('Hello'), { headers: { origin: 'https://app.example.evil.example' } }))).toEqual([
    403,
    'origin_not_allowed',
  ])
})

test('gateway: a preflight says which methods and headers a page may use, on every path', async () => {
  const { call } = bench({ allowedOrigins: ['https://app.example'] })
  for (const path of ['', '/runs/x', '/runs/x/interrupt', '/sessions/x']) {
    const response = await call(path, { method: 'OPTIONS', headers: { origin: 'https://app.example' } })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, DELETE')
    expect(response.headers.get('access-control-allow-headers')).toBe('authorization, content-type, last-event-id')
  }
})

test('gateway: * lets in every origin, never with credentials', async () => {
  const { call } = bench({ allowedOrigins: ['*'] })
  const { status, headers } = await call('', { headers: { origin: 'https://any.example' } })
  expect(status).toBe(200)
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBe(null)
})

test('gateway: a refused origin gets no CORS headers', async () => {
  const { call } = bench({ allowedOrigins: ['https://app.example'] })
  const { headers } = await call('', { headers: { origin: 'https://evil.example' } })
  expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
})

// The note for the model (rule 4)

const note = '[interrupted by the user]'
/** What Ollama gets as the history. */
const wentUp = ({ request }: ScriptedReply): unknown[] =>
  (ollamaQuestion(request, 'native', '').body['messages'] as { content: string }[]).map(({ content }) => content)

test('gateway: the model is told of a reply that is flagged as interrupted', async () => {
  const { start } = bench()
  const [hello, hel, goOn] = ask('Hello', 'Hel', 'Go on').messages
  const { reply } = await start({ messages: [hello, { ...hel, interrupted: true }, goOn] })
  expect(wentUp(reply)).toEqual(['Hello', `Hel\n\n${note}`, 'Go on'])
})

for (const by of ['person', 'superseded'] as const) {
  test(`gateway: the model is told of a reply that a person cut off, without the flag (${by})`, async () => {
    const bed = bench()
    const first = await bed.start(ask('Hello'))
    first.reply.send('Hello there')
    await first.frames.until(isText)
    if (by === 'person') await bed.interrupt(first.runId, '{"position":5}')
    const second = await bed.start({
      ...ask('Hello', 'Hello', 'Go on'),
      session_id: first.sessionId,
      ...(by === 'superseded' ? { interrupts: { run_id: first.runId, position: 5 } } : {}),
    })
    expect(wentUp(second.reply)).toEqual(['Hello', `Hello\n\n${note}`, 'Go on'])
  })
}

test('gateway: the model is told of the cut-off reply only while it is the last one', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  first.reply.send('Hel')
  await first.frames.until(isText)
  await bed.interrupt(first.runId)
  const second = await bed.start({ ...ask('Hello', 'Hel', 'Go on'), session_id: first.sessionId })
  second.reply.send('lo')
  second.reply.finish()
  await second.frames.rest()
  const third = await bed.start({ ...ask('Hello', 'Hel', 'Go on', 'lo', 'Thanks'), session_id: first.sessionId })
  expect(wentUp(third.reply)).toEqual(['Hello', 'Hel', 'Go on', 'lo', 'Thanks'])
})

test('gateway: a reply that the app has replaced is not told of', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  first.reply.send('Hello there')
  await first.frames.until(isText)
  await bed.interrupt(first.runId, '{"position":5}')
  const second = await bed.start({ ...ask('Hello', 'A text of the app', 'Go on'), session_id: first.sessionId })
  expect(wentUp(second.reply)).toEqual(['Hello', 'A text of the app', 'Go on'])
})

const faults: Readonly<Record<string, (bed: Bench, run: Started) => void | Promise<void>>> = {
  'that ended as an orphan': (_bed, { frames }) => frames.cancel(),
  'that failed': (_bed, { reply }) => reply.fail(new Error('reset')),
  'that ended without evidence': (_bed, { reply }) => reply.end(),
  'that blew the fuse': (_bed, { reply }) => reply.send({ malformed: 'a' }, { malformed: 'b' }, { malformed: 'c' }),
}
for (const [what, end] of Object.entries(faults)) {
  test(`gateway: the model is not told of a run ${what}`, async () => {
    const bed = bench()
    const first = await bed.start(ask('Hello'))
    first.reply.send('Hel')
    await first.frames.until(isText)
    await end(bed, first)
    await first.reply.left
    const second = await bed.start({ ...ask('Hello', 'Hel', 'Go on'), session_id: first.sessionId })
    expect(wentUp(second.reply)).toEqual(['Hello', 'Hel', 'Go on'])
  })
}

test('gateway: the model is not told of a session that was deleted', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  first.reply.send('Hel')
  await first.frames.until(isText)
  await bed.call(`/sessions/${first.sessionId}`, { method: 'DELETE' })
  const second = await bed.start({ ...ask('Hello', 'Hel', 'Go on'), session_id: first.sessionId })
  expect(wentUp(second.reply)).toEqual(['Hello', 'Hel', 'Go on'])
})

for (const [what, interruptedNote, content] of [
  ['switched off', false, 'Hel'],
  ['worded by the app', '(he cut in)', 'Hel\n\n(he cut in)'],
] as const) {
  test(`gateway: the note can be ${what}`, async () => {
    const bed = bench({ interruptedNote })
    const first = await bed.start(ask('Hello'))
    first.reply.send('Hel')
    await first.frames.until(isText)
    await bed.interrupt(first.runId)
    const second = await bed.start({ ...ask('Hello', 'Hel', 'Go on'), session_id: first.sessionId })
    expect(wentUp(second.reply)).toEqual(['Hello', content, 'Go on'])
  })
}

test('gateway: the note is in no stored and no streamed text', async () => {
  const bed = bench()
  const first = await bed.start(ask('Hello'))
  first.reply.send('Hel')
  await first.frames.until(isText)
  const outcome = await (await bed.interrupt(first.runId)).text()
  const second = await bed.start({ ...ask('Hello', 'Hel', 'Go on'), session_id: first.sessionId })
  expect(JSON.stringify(wentUp(second.reply))).toContain(note)
  second.reply.send('lo')
  second.reply.finish()
  const seen = [
    outcome,
    JSON.stringify(await first.frames.rest()),
    JSON.stringify(await second.frames.rest()),
    await (await bed.call(`/runs/${first.runId}`)).text(),
    await (await bed.call(`/runs/${second.runId}`)).text(),
    await (await bed.call(`/sessions/${first.sessionId}`)).text(),
  ]
  expect(seen.join()).not.toContain('interrupted by the user')
})

// Owners

const owned: Partial<GatewayOptions> = { authorize: (request) => request.headers.get('authorization') }
const as = (authorization: string): RequestInit => ({ headers: { authorization } })

test('gateway: whoever authorize does not know is 401, before anything else', async () => {
  const bed = bench(owned)
  for (const path of ['', '/runs/x/interrupt']) {
    expect(await failure(await bed.call(path, { method: 'POST', body: '{' }))).toEqual([401, 'unauthorized'])
  }
  expect(await failure(await bed.call(`/sessions/${createId('sess')}`))).toEqual([401, 'unauthorized'])
  expect(bed.upstream.replies).toHaveLength(0)
  const refused = await bed.call(`/sessions/${createId('sess')}`)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer')
})

test('gateway: authorize may answer later, and what it throws is 500 without its words', async () => {
  const bed = bench({
    authorize: async (request) => {
      if (request.headers.get('authorization') === 'bad') throw new Error('database at 10.0.0.7 is down')
      return 'ann'
    },
  })
  const response = await bed.post(ask('Hello'), as('bad'))
  expect(await response.clone().text()).not.toContain('10.0.0.7')
  expect(await failure(response)).toEqual([500, 'internal'])
  expect((await bed.post(ask('Hello'), as('good'))).status).toBe(200)
})

test('gateway: runs, interrupts and sessions of one owner are 404 to another', async () => {
  const bed = bench(owned)
  const body = { ...ask('Hello'), run_id: createId('run'), session_id: createId('sess') }
  const ann = await bed.start(body, as('ann'))
  const asBob: Promise<Response>[] = [
    bed.call(`/runs/${ann.runId}`, as('bob')),
    bed.interrupt(ann.runId, null, as('bob')),
    bed.call(`/sessions/${ann.sessionId}`, as('bob')),
    bed.call(`/sessions/${ann.sessionId}`, { method: 'DELETE', ...as('bob') }),
    bed.post(body, as('bob')),
    bed.post({ ...ask('Hello'), run_id: ann.runId }, as('bob')),
    bed.post({ ...ask('Hello'), session_id: ann.sessionId }, as('bob')),
  ]
  for (const response of asBob) expect(await failure(await response)).toEqual([404, 'not_found'])
  expect(ann.reply.signal.aborted).toBe(false)
  expect(bed.upstream.replies).toHaveLength(1)
  expect((await bed.call(`/runs/${ann.runId}`, as('ann'))).status).toBe(200)
  expect((await bed.post(body, as('ann'))).status).toBe(200)
  expect((await bed.call(`/sessions/${ann.sessionId}`, as('ann'))).status).toBe(200)
})

test("gateway: a 404 for somebody else's run reads as one for a run that never was", async () => {
  const bed = bench(owned)
  const { runId } = await bed.start(ask('Hello'), as('ann'))
  const others = await (await bed.call(`/runs/${runId}`, as('bob'))).text()
  expect(others).toBe(await (await bed.call(`/runs/${createId('run')}`, as('bob'))).text())
})

test("gateway: somebody else's run that is forgotten is 404, to its owner 410", async () => {
  const bed = bench(owned)
  const { runId, reply, frames } = await bed.start(ask('Hello'), as('ann'))
  reply.finish()
  await frames.rest()
  bed.clock.advance(300_000)
  expect(await failure(await bed.call(`/runs/${runId}`, as('bob')))).toEqual([404, 'not_found'])
  expect(await failure(await bed.call(`/runs/${runId}`, as('ann')))).toEqual([410, 'expired'])
})

test("gateway: interrupts cannot end somebody else's run", async () => {
  const bed = bench(owned)
  const ann = await bed.start(ask('Hello'), as('ann'))
  const bob = await bed.start({ ...ask('Hello'), interrupts: { run_id: ann.runId } }, as('bob'))
  expect([ann.reply.signal.aborted, bob.reply.signal.aborted]).toEqual([false, false])
})

// The gateway's own life

test('gateway: a client with as many runs as it may have gets 429, another one does not, and an end makes room', async () => {
  const clientOf: GatewayOptions['clientOf'] = ({ headers }) => headers.get('x-client') ?? undefined
  const bed = bench({ clientOf, limits: { clientRuns: 2 } })
  const from = (client: string): RequestInit => ({ headers: { 'x-client': client } })
  const runs = [await bed.start(ask('1'), from('ann')), await bed.start(ask('2'), from('ann'))]
  const refused = await bed.post(ask('3'), from('ann'))
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await failure(refused)).toEqual([429, 'too_many_runs'])
  await bed.start(ask('4'), from('bob'))
  for (let i = 0; i < 5; i++) await bed.start(ask('5'))
  runs[0]?.reply.finish()
  await runs[0]?.frames.rest()
  await bed.start(ask('6'), from('ann'))
  expect(await failure(await bed.post(ask('7'), from('ann')))).toEqual([429, 'too_many_runs'])
})

test('gateway: a run that takes the place of another one of the same client needs no room', async () => {
  const bed = bench({ clientOf: () => 'ann', limits: { clientRuns: 1 } })
  const first = await bed.start()
  const second = await bed.start({ ...ask('Hello', 'He', 'No'), session_id: first.sessionId })
  expect(first.reply.signal.aborted).toBe(true)
  second.reply.finish()
})

test('gateway: a host that is not allowed is refused, so that no page can make itself one by its DNS', async () => {
  const bed = bench({ allowedHosts: ['gateway.test'] })
  expect((await bed.post(ask('Hello'))).status).toBe(200)
  const evil = new Request('http://evil.example/api/chat', { headers: { origin: 'http://evil.example' } })
  expect(await failure(await bed.gateway(evil))).toEqual([403, 'host_not_allowed'])
})

test('gateway: stats count runs, readers and breakers', async () => {
  const bed = bench()
  const { frames, reply, runId } = await bed.start()
  await bed.call(`/runs/${runId}`)
  const upstreams = [{ name: 'scripted', model: 'scripted', breaker: 'closed' }]
  expect(bed.gateway.stats()).toEqual({ runs: 1, readers: 2, upstreams })
  reply.finish()
  await frames.rest()
  expect(bed.gateway.stats()).toMatchObject({ runs: 0 })
})

test('gateway: close with drainMs starts nothing, lets runs end, and is done as soon as they have', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  const closed = bed.gateway.close({ drainMs: 10_000 })
  expect(await failure(await bed.post(ask('Hello')))).toEqual([503, 'shutting_down'])
  reply.send('to its end')
  reply.finish()
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'stop' })
  await closed
  expect(bed.clock.timers).toBe(0)
})

test('gateway: what runs longer than drainMs ends as shutdown, with its partial', async () => {
  const bed = bench()
  const { frames, reply } = await bed.start()
  reply.send('half')
  await frames.until(isText)
  const closed = bed.gateway.close({ drainMs: 4_000 })
  bed.clock.advance(4_000)
  await closed
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ by: 'shutdown', position: 4 })
})

test('gateway: close again, without drainMs, ends at once', async () => {
  const bed = bench()
  const { frames } = await bed.start()
  const first = bed.gateway.close({ drainMs: 60_000 })
  await bed.gateway.close()
  await first
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ by: 'shutdown' })
  expect(bed.clock.timers).toBe(0)
})

test('gateway: close ends every run as shutdown, and later POSTs are 503', async () => {
  const bed = bench()
  const runs = [await bed.start(), await bed.start({ ...ask('Hello'), reconnect: true })]
  const whole = bed.post({ ...ask('Hello'), stream: false })
  await bed.upstream.next()
  await bed.gateway.close()
  expect(bed.upstream.replies.every(({ signal }) => signal.aborted)).toBe(true)
  for (const { frames, runId } of runs) {
    expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'interrupted', by: 'shutdown' })
    expect((await replayed(bed, runId)).terminal).toMatchObject({ by: 'shutdown' })
  }
  expect(await json(await whole)).toMatchObject({ reason: 'interrupted', by: 'shutdown' })
  const refused = await bed.post(ask('Hello'))
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await failure(refused)).toEqual([503, 'shutting_down'])
  await Promise.all(bed.upstream.replies.map(({ left }) => left))
  expect([bed.upstream.openReplies, bed.clock.timers]).toEqual([0, 0])
})

test('gateway: close while a body is being read starts nothing', async () => {
  const bed = bench()
  const body = Promise.withResolvers<string>()
  const stream = new ReadableStream<Uint8Array>({
    async pull(out) {
      out.enqueue(new TextEncoder().encode(await body.promise))
      out.close()
    },
  })
  const response = bed.call('', { method: 'POST', body: stream, duplex: 'half' } as RequestInit)
  await bed.gateway.close()
  body.resolve(JSON.stringify(ask('Hello')))
  expect(await failure(await response)).toEqual([503, 'shutting_down'])
})

test('gateway: onRunEnd is called once for each run, with what ended it', async () => {
  const ends: [string, string, unknown][] = []
  const bed = bench({
    onRunEnd: ({ run: { runId, state, log } }) => {
      if (state.phase === 'ended') ends.push([runId, state.terminal.reason, log.partial().content])
    },
  })
  const done = await bed.start()
  done.reply.send('whole')
  done.reply.finish()
  await done.frames.rest()
  const cut = await bed.start()
  cut.reply.send('half')
  await cut.frames.until(isText)
  await bed.interrupt(cut.runId, '{"position":2}')
  await bed.interrupt(cut.runId)
  await cut.frames.rest()
  const failed = await bed.start()
  failed.reply.fail(new Error('reset'))
  await failed.frames.rest()
  await bed.gateway.close()
  expect(ends).toEqual([
    [done.runId, 'stop', 'whole'],
    [cut.runId, 'interrupted', 'ha'],
    [failed.runId, 'error', ''],
  ])
})

test('gateway: an onRunEnd that throws harms nothing', async () => {
  const bed = bench({
    onRunEnd: () => {
      throw new Error('the log is full')
    },
  })
  const first = await bed.start()
  const second = await bed.start({ ...ask('Hello'), session_id: first.sessionId })
  expect((await first.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded' })
  second.reply.send('fine')
  second.reply.finish()
  expect(textOf(await second.frames.rest())).toBe('fine')
  expect(await json(await bed.call(`/sessions/${first.sessionId}`))).toMatchObject({ active_run: null, runs: 2 })
})

test('gateway: GET and HEAD of the base say how things stand', async () => {
  const { call } = bench()
  const response = await call('')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const upstream = { name: 'scripted', model: 'scripted', breaker: 'closed', state: 'ready', version: 'scripted' }
  expect(await json(response)).toEqual({
    model: 'scripted',
    upstream,
    models: { scripted: upstream },
    limits: { messages: 1_000, body_bytes: 1_048_576 },
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  })
  expect((await call('/')).status).toBe(200)
  const head = await call('', { method: 'HEAD' })
  expect([head.status, head.body]).toEqual([200, null])
})

test('gateway: GET of the base does not wait for a silent upstream, asks it once, and leaves no timer', async () => {
  const clock = manualClock()
  const signals: AbortSignal[] = []
  const upstream = {
    ...scriptedUpstream(),
    status: (signal: AbortSignal) => {
      signals.push(signal)
      return new Promise<{ state: 'unreachable' }>((resolve) =>
        signal.addEventListener('abort', () => resolve({ state: 'unreachable' })),
      )
    },
  }
  const gateway = createGateway({ upstream, clock })
  const answers = Promise.all([1, 2, 3].map(() => gateway(new Request(`${origin}/api/chat`))))
  await pending()
  clock.advance(2_000)
  for (const response of await answers)
    expect(await json(response)).toMatchObject({ upstream: { state: 'unreachable' } })
  expect([signals.length, clock.timers]).toEqual([1, 0])
})

test('gateway: a base path of the app is used for every route', async () => {
  const gateway = createGateway({ upstream: scriptedUpstream(), basePath: '/v2/talk' })
  expect(gateway.basePath).toBe('/v2/talk')
  expect((await gateway(new Request(`${origin}/v2/talk`))).status).toBe(200)
  expect((await gateway(new Request(`${origin}/api/chat`))).status).toBe(404)
  expect((await gateway(new Request(`${origin}/v2/talk/runs/x`))).status).toBe(404)
})

const wrong: readonly (readonly [what: string, options: Record<string, unknown>])[] = [
  ['no upstream', { upstream: undefined }],
  ['an upstream that is none', { upstream: {} }],
  ['a base path without its slash', { basePath: 'api/chat' }],
  ['a base path that ends with a slash', { basePath: '/api/chat/' }],
  ['a negative orphanMs', { orphanMs: -1 }],
  ['an orphanMs that is no number', { orphanMs: Number.NaN }],
  ['a limit of nothing', { limits: { runs: 0 } }],
  ['a negative limit', { limits: { bodyBytes: -1 } }],
  ['an origin with a path', { allowedOrigins: ['https://app.example/'] }],
  ['the origin null', { allowedOrigins: ['null'] }],
  ['an origin without its scheme', { allowedOrigins: ['app.example'] }],
  ['a negative window', { coalesce: { windowMs: -1 } }],
  ['a heartbeat of no interval', { heartbeat: { intervalMs: 0 } }],
  ['a fuse that has blown', { fuse: { stallMs: 0 } }],
  ['a heartbeat slower than the fuse', { heartbeat: { intervalMs: 300_000 } }],
  ['a fuse faster than the heartbeat', { fuse: { firstDeltaMs: 4_000 } }],
  ['a window slower than the heartbeat', { coalesce: { windowMs: 5_000 } }],
  ['a session that lives no time', { sessions: { idleMs: 0 } }],
  ['a negative keepRunMs', { keep: { keepRunMs: -1 } }],
]
for (const [what, options] of wrong) {
  test(`createGateway: throws at once for ${what}`, () => {
    expect(() => createGateway({ upstream: scriptedUpstream(), ...options })).toThrow(
      expect.toSatisfy((error) => error instanceof TypeError || error instanceof RangeError),
    )
  })
}

test('createGateway: takes its defaults', () => {
  expect(() => createGateway({ upstream: scriptedUpstream() })).not.toThrow()
})

test('gateway: how it is, anybody may ask, also where everything else needs an owner', async () => {
  const gateway = createGateway({ upstream: scriptedUpstream(), authorize: () => null })
  const base = 'http://gateway.test/api/chat'
  expect((await gateway(new Request(base))).status).toBe(200)
  expect((await gateway(new Request(base, { method: 'HEAD' }))).status).toBe(200)
  expect((await gateway(new Request(base, { method: 'POST', body: '{}' }))).status).toBe(401)
})
