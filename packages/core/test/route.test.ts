import { fromIterable } from '../src/upstream/from-iterable.ts'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { manualClock, scriptedUpstream, type ManualClock, type ScriptedUpstream } from '../src/testing/index.ts'
import { route } from '../src/upstream/index.ts'
import { ChatError } from '../src/wire/errors.ts'
import { systemRandom, type RandomBytes } from '../src/wire/ids.ts'
import { turn } from './support/event-loop.ts'
import { frameReader, textOf, type FrameReader, type WireEvent, type WireFrame } from './support/frames.ts'

const refused = new ChatError('upstream_unreachable', 'Not there.', {
  retryable: true,
  cause: new Error('connect ECONNREFUSED'),
})

/** No jitter; ids as ever. */
const random: RandomBytes = (bytes) => (bytes.length === 1 ? bytes.fill(0) : systemRandom(bytes))

interface Bed {
  readonly clock: ManualClock
  readonly gateway: Gateway
  readonly a: ScriptedUpstream
  readonly b: ScriptedUpstream
  post(body?: Record<string, unknown>): Promise<Response>
  ask(body?: Record<string, unknown>): Promise<FrameReader>
}

function bed(options: Partial<GatewayOptions> = {}): Bed {
  const clock = manualClock()
  const a = scriptedUpstream({ model: 'a-7b' })
  const b = scriptedUpstream({ model: 'b-70b' })
  const upstream = route({ models: { fast: a }, fallback: [b] })
  const gateway = createGateway({ upstream, clock, random, ...options })
  onTestFinished(() => gateway.close())
  const post: Bed['post'] = (body = {}) => {
    const messages = [{ role: 'user', content: 'Hello' }]
    return gateway(
      new Request('http://gateway.test/api/chat', { method: 'POST', body: JSON.stringify({ messages, ...body }) }),
    )
  }
  return { clock, gateway, a, b, post, ask: async (body) => frameReader((await post(body)).body) }
}

const isText = ({ message }: WireEvent): boolean => message !== undefined
const isStatus = ({ status }: WireEvent): boolean => status !== undefined
const failures = async ({ post, a }: Bed, runs: number): Promise<void> => {
  for (let i = 0; i < runs; i++) {
    const response = post({ stream: false })
    ;(await a.next()).fail(refused)
    await response
  }
}

test('route: without a model, or with something that is no upstream, it throws', () => {
  expect(() => route({ models: {} })).toThrow(TypeError)
  expect(() => route({ models: { x: {} as ScriptedUpstream } })).toThrow('x')
  expect(() => route({ models: { x: scriptedUpstream() }, fallback: [null as never] })).toThrow('fallback')
  const upstream = route({ models: { x: scriptedUpstream() } })
  expect(() => createGateway({ upstream, models: ['x'] })).toThrow(TypeError)
})

test('route: a request chooses an upstream by its name, which is asked for its own model; the first is the default', async () => {
  const [a, b] = [scriptedUpstream({ model: 'a-7b' }), scriptedUpstream({ model: 'b-70b' })]
  const gateway = createGateway({ upstream: route({ models: { fast: a, smart: b } }) })
  onTestFinished(() => gateway.close())
  const ask = async (model?: string): Promise<WireFrame | null> => {
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] })
    return frameReader((await gateway(new Request('http://g.test/api/chat', { method: 'POST', body }))).body).next()
  }
  expect((await ask())?.event.model).toBe('fast')
  expect((await ask('smart'))?.event.model).toBe('smart')
  expect([(await a.next()).request.model, (await b.next()).request.model]).toEqual(['a-7b', 'b-70b'])
})

test('route: a name that is none of its own is refused', async () => {
  const response = await bed().post({ model: 'b-70b' })
  expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'model_not_allowed' } }])
})

test('failover: a run whose upstream does not come back goes on from its partial on the next one, and says so', async () => {
  const test = bed({ recovery: { maxWaitMs: 500 } })
  const { clock, a, b } = test
  const frames = await test.ask()
  const first = await a.next()
  first.send('Once upon ')
  await frames.until(isText)
  first.fail(refused)
  expect((await frames.until(isStatus)).at(-1)?.event).toEqual({ status: 'recovering', attempt: 1, retry_in_ms: 250 })
  for (const waitMs of [250, 250]) {
    clock.advance(waitMs)
    ;(await a.next()).fail(refused)
    await turn()
  }
  const second = await b.next()
  expect(second.request).toMatchObject({ model: 'b-70b', prefill: 'Once upon' })
  const named = { upstream: 'scripted', model: 'b-70b' }
  const told = await frames.until(({ model }) => model !== undefined)
  expect(told.at(-1)?.event).toEqual({ status: 'recovering', attempt: 1, retry_in_ms: 0, ...named })
  second.send(' a time.')
  second.finish('stop', { completion_tokens: 4 })
  const rest = await frames.rest()
  expect(rest[0]?.event).toEqual({ status: 'generating', ...named })
  expect(textOf(rest)).toBe('a time.')
  expect(rest.at(-1)?.event).toMatchObject({ reason: 'stop', usage: { completion_tokens: 7, estimated: true } })
})

test('failover: a server that refuses is waited for 3 s where another one can go on, which has patience of its own', async () => {
  const test = bed()
  const { clock, a, b } = test
  await test.ask()
  for (const waitMs of [0, 250, 500, 1_000, 1_250]) {
    clock.advance(waitMs)
    ;(await a.next()).fail(refused)
    await turn()
  }
  expect(clock.now()).toBe(3_000)
  const last = await b.next()
  expect([a.replies[0]?.request.connectMs, last.request.connectMs]).toEqual([3_000, undefined])
  last.fail(refused)
  await turn()
  clock.advance(30_000)
  await b.next()
})

test('failover: a connection that was not there in time sends the run on at once', async () => {
  const test = bed({ recovery: { failoverMs: 5_000 } })
  await test.ask()
  const first = await test.a.next()
  expect(first.request.connectMs).toBe(5_000)
  test.clock.advance(5_000)
  first.fail(refused)
  expect((await test.b.next()).request.model).toBe('b-70b')
})

test('failover: when other runs open the breaker, a run that waits for its upstream moves on at once', async () => {
  const test = bed({ breaker: { failures: 1 }, recovery: { maxWaitMs: 60_000, maxAttempts: 1 } })
  const { a, b } = test
  const frames = await test.ask()
  const first = await a.next()
  first.send('Half')
  await frames.until(isText)
  // One attempt that gave something is all it has: the run that waits has given nothing in its second attempt yet.
  const waiting = await test.ask({ messages: [{ role: 'user', content: 'Other' }] })
  ;(await a.next()).fail(refused)
  await waiting.until(({ attempt }) => attempt === 1)
  first.fail(refused)
  const asked = [(await b.next()).request, (await b.next()).request]
  expect(asked.map(({ messages, prefill }) => [messages.at(-1)?.content, prefill]).sort()).toEqual([
    ['Hello', 'Half'],
    ['Other', ''],
  ])
  expect((await waiting.until(isStatus)).at(-1)?.event).toMatchObject({ retry_in_ms: 0, model: 'b-70b' })
  expect(b.replies).toHaveLength(2)
})

test('failover: while the breaker is open, new runs begin on the next one, and say so', async () => {
  const test = bed({ breaker: { failures: 1 }, recovery: false })
  const moved = await test.ask()
  ;(await test.a.next()).fail(refused)
  await moved.until(({ model }) => model === 'b-70b')
  const frames = await test.ask()
  await frames.next()
  expect((await frames.next())?.event).toEqual({ status: 'waiting', upstream: 'scripted', model: 'b-70b' })
  expect(test.a.replies).toHaveLength(1)
  await test.b.next()
  expect((await test.b.next()).request.model).toBe('b-70b')
})

test('failover: a run that has ended tells who answered it, when it is not who was asked', async () => {
  const answeredBy: unknown[] = []
  const test = bed({ recovery: false, onRunEnd: ({ run: { successor } }) => answeredBy.push(successor) })
  const first = test.post({ stream: false })
  ;(await test.a.next()).finish()
  await first
  const second = test.post({ stream: false })
  ;(await test.a.next()).fail(refused)
  ;(await test.b.next()).finish()
  await second
  expect(answeredBy).toEqual([undefined, { upstream: 'scripted', model: 'b-70b' }])
})

test('failover: a run that tries an upstream again moves on after one failure', async () => {
  const test = bed({ breaker: { failures: 1 }, recovery: { maxWaitMs: 300 } })
  await test.ask()
  for (const waitMs of [0, 250, 50]) {
    test.clock.advance(waitMs)
    ;(await test.a.next()).fail(refused)
    await turn()
  }
  await test.b.next()
  test.clock.advance(10_000)
  await test.ask()
  ;(await test.a.next()).fail(refused)
  expect((await test.b.next()).request.model).toBe('b-70b')
  expect(test.gateway.stats().upstreams[0]?.breaker).toBe('open')
})

test('failover: a run whose upstream falls silent in mid-answer goes on from its partial on the next one', async () => {
  const test = bed({ fuse: { stallMs: 5_000, maxRunMs: 60_000 } })
  const { clock, a, b } = test
  const frames = await test.ask()
  const first = await a.next()
  first.send('Once upon ')
  await frames.until(isText)
  await turn()
  clock.advance(5_000)
  clock.advance(0)
  const second = await b.next()
  expect(second.request).toMatchObject({ model: 'b-70b', prefill: 'Once upon' })
  expect([first.signal.aborted, second.signal.aborted, a.openReplies]).toEqual([true, false, 0])
  const told = await frames.until(({ model }) => model === 'b-70b')
  expect(told.at(-1)?.event).toMatchObject({ status: 'recovering', retry_in_ms: 0 })
  // Whatever the first one says now has nowhere to go.
  first.send('Never.')
  second.send(' a time.')
  second.finish()
  const rest = await frames.rest()
  expect([textOf(rest), rest.at(-1)?.event['reason']]).toEqual(['a time.', 'stop'])
  expect([clock.timers, test.gateway.stats().upstreams[0]?.breaker]).toEqual([0, 'closed'])
})

test('failover: an upstream that does not stop when it is told to is not waited for', async () => {
  const clock = manualClock()
  const b = scriptedUpstream({ model: 'b-70b' })
  let say = (): void => {}
  const deaf = fromIterable({
    name: 'deaf',
    model: 'a-7b',
    async *generate() {
      yield [{ message: 'Once ' }]
      await new Promise<void>((resolve) => (say = resolve))
      yield [{ message: 'never' }, { finish: 'stop' }]
    },
  })
  const upstream = route({ models: { fast: deaf }, fallback: [b] })
  const test = bed({ upstream, clock, fuse: { stallMs: 5_000 } })
  const frames = await test.ask()
  await frames.until(isText)
  await turn()
  clock.advance(5_000)
  clock.advance(0)
  const second = await b.next()
  say()
  await turn()
  second.send('upon a time')
  second.finish()
  expect(textOf(await frames.rest())).toBe('upon a time')
})

test('failover: so it does before the first delta, and after three unreadable frames', async () => {
  const test = bed({ fuse: { firstDeltaMs: 10_000 } })
  await test.ask()
  await test.a.next()
  await turn()
  test.clock.advance(10_000)
  test.clock.advance(0)
  expect((await test.b.next()).request.prefill).toBe('')
  await test.ask()
  ;(await test.a.next()).send({ malformed: 'x' }, { malformed: 'y' }, { malformed: 'z' }, 'late')
  expect((await test.b.next()).request.prefill).toBe('')
})

test('failover: a fuse that speaks of the run, or of the last upstream, ends the run', async () => {
  const test = bed({ fuse: { maxBytes: 10, stallMs: 5_000 }, recovery: { maxAttempts: 1 } })
  const long = await test.ask()
  ;(await test.a.next()).send('More than ten bytes.')
  expect((await long.rest()).at(-1)?.event).toMatchObject({ error: { code: 'overflow' } })
  expect(test.b.replies).toHaveLength(0)

  const frames = await test.ask()
  for (const upstream of [test.a, test.b]) {
    ;(await upstream.next()).send('Half')
    await frames.until(isText)
    await turn()
    test.clock.advance(5_000)
    test.clock.advance(0)
  }
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_stalled' }, position: 8 })
  expect([test.a.openReplies, test.b.openReplies, test.clock.timers]).toEqual([0, 0, 0])
})

test('failover: silence after a tool call ends the run', async () => {
  const test = bed({ requestTools: true, fuse: { toolStallMs: 5_000 } })
  const frames = await test.ask({ tools: [{ name: 'x' }] })
  ;(await test.a.next()).send({ tool_call: { id: 'call_1', name: 'x', arguments: {} } })
  await frames.until((event) => event.tool_call !== undefined)
  await turn()
  test.clock.advance(5_000)
  test.clock.advance(0)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_stalled', retryable: false } })
  expect(test.b.replies).toHaveLength(0)
})

for (const code of ['upstream_unauthorized', 'upstream_model_missing'] as const) {
  test(`failover: ${code} sends the run on, and counts against no server`, async () => {
    const test = bed({ breaker: { failures: 1 } })
    const frames = await test.ask()
    ;(await test.a.next()).fail(new ChatError(code, 'No.'))
    const second = await test.b.next()
    second.send('Hi')
    second.finish()
    expect(textOf(await frames.rest())).toBe('Hi')
    expect(test.gateway.stats().upstreams.map(({ breaker }) => breaker)).toEqual(['closed', 'closed'])
  })
}

test('failover: a request that the upstream refuses for its own sake is tried nowhere else', async () => {
  const test = bed()
  const frames = await test.ask()
  ;(await test.a.next()).fail(new ChatError('upstream_rejected', 'Too long.'))
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_rejected' } })
  expect(test.b.replies).toHaveLength(0)
})

test('failover: after a tool call nothing is generated again, by nobody', async () => {
  const test = bed({ requestTools: true, recovery: false })
  const frames = await test.ask({ tools: [{ name: 'x' }] })
  const reply = await test.a.next()
  reply.send({ tool_call: { id: 'call_1', name: 'x', arguments: {} } })
  reply.fail(refused)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'error', error: { retryable: false } })
  expect(test.b.replies).toHaveLength(0)
})

test('failover: when the last one fails, too, the run fails with its error', async () => {
  const test = bed({ recovery: false })
  const frames = await test.ask()
  ;(await test.a.next()).fail(refused)
  ;(await test.b.next()).fail(refused)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_unreachable' } })
})

test('failover: an interrupt while it moves on ends the run, and nobody is asked', async () => {
  const test = bed({ recovery: { maxWaitMs: 500 } })
  const frames = await test.ask()
  const { run_id: runId } = (await frames.next())?.event ?? {}
  ;(await test.a.next()).fail(refused)
  await frames.until(({ attempt }) => attempt === 1)
  const path = `http://gateway.test/api/chat/runs/${runId}/interrupt`
  await test.gateway(new Request(path, { method: 'POST' }))
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'interrupted', by: 'person' })
  await turn()
  expect([test.a.replies.length, test.b.replies.length, test.clock.timers]).toEqual([1, 0, 0])
})

test('breaker: open and with nobody else to ask, a request is 503 with Retry-After at once', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  const { post, clock } = test
  await failures({ ...test, a: upstream }, 5)
  clock.advance(2_500)
  const response = await post()
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '8'])
  expect(await response.json()).toEqual({
    error: { code: 'breaker_open', message: expect.any(String), retryable: true, retry_after_ms: 7_500 },
  })
  expect(upstream.replies).toHaveLength(5)
})

test('breaker: interrupted runs never open it', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  for (let i = 0; i < 20; i++) {
    const frames = await test.ask()
    const reply = await upstream.next()
    await frames.cancel()
    await reply.left
  }
  expect((await test.post()).status).toBe(200)
})

test('breaker: an interrupted run does not make up for failures before it', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  await failures({ ...test, a: upstream }, 4)
  const frames = await test.ask()
  const reply = await upstream.next()
  await frames.cancel()
  await reply.left
  await failures({ ...test, a: upstream }, 1)
  expect((await test.post()).status).toBe(503)
})

test('breaker: requests that are refused for their own sake never open it', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  for (let i = 0; i < 10; i++) {
    const response = test.post({ stream: false })
    ;(await upstream.next()).fail(new ChatError('upstream_rejected', 'Too long.'))
    await response
  }
  expect((await test.post()).status).toBe(200)
})

test('breaker: the first delta of the run that tries lets others in', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  await failures({ ...test, a: upstream }, 5)
  test.clock.advance(10_000)
  const frames = await test.ask()
  const probe = await upstream.next()
  expect((await test.post()).status).toBe(503)
  probe.send('Hi')
  await frames.until(isText)
  expect((await test.post()).status).toBe(200)
})

test('breaker: a request that is refused by it leaves the session and its run as they were', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false })
  const frames = await test.ask()
  const { run_id, session_id } = (await frames.next())?.event ?? {}
  const reply = await upstream.next()
  await failures({ ...test, a: upstream }, 5)
  expect((await test.post({ session_id })).status).toBe(503)
  reply.send('still here')
  reply.finish()
  expect(textOf(await frames.rest())).toBe('still here')
  const session = await test.gateway(new Request(`http://gateway.test/api/chat/sessions/${session_id}`))
  expect(await session.json()).toMatchObject({ runs: 1, last_run: { run_id } })
})

test('breaker: with false there is none', async () => {
  const upstream = scriptedUpstream()
  const test = bed({ upstream, recovery: false, breaker: false })
  await failures({ ...test, a: upstream }, 20)
  expect((await test.post()).status).toBe(200)
  expect(test.gateway.stats().upstreams).toEqual([{ name: 'scripted', model: 'scripted', breaker: null }])
})

test('gateway: GET of the base of a route tells of each upstream, and of its breaker', async () => {
  const test = bed({ breaker: { failures: 1 }, recovery: false })
  const moved = await test.ask()
  ;(await test.a.next()).fail(refused)
  await moved.until(({ model }) => model === 'b-70b')
  const response = await test.gateway(new Request('http://gateway.test/api/chat'))
  const a = { name: 'scripted', model: 'a-7b', breaker: 'open', state: 'ready', version: 'scripted' }
  const b = { ...a, model: 'b-70b', breaker: 'closed' }
  expect(await response.json()).toEqual({
    model: 'fast',
    limits: { body_bytes: 1_048_576, messages: 1_000 },
    upstream: a,
    models: { fast: a },
    fallback: [b],
    version: expect.any(String),
  })
  expect(test.gateway.stats()).toMatchObject({
    runs: 1,
    readers: 1,
    upstreams: [{ breaker: 'open' }, { model: 'b-70b' }],
  })
})
