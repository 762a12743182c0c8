import { getEventListeners } from 'node:events'
import { ChatError } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream, seededRandom } from '@midstream/core/testing'
import * as fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { refused, text, turn, whole, world, type World } from './world.ts'

afterEach(() => vi.unstubAllGlobals())

test('back-off: from 250 ms, doubling to 8 s, shortened by up to half', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 255 }), async (jitter) => {
      const ids = seededRandom(3)
      const w = world({
        plan: () => refused,
        client: { random: (bytes) => (bytes.length === 1 ? bytes.fill(jitter) : ids(bytes)) },
      })
      await w.ended(w.session.send('Tell me'))
      const waits = w.requests.slice(1).map(({ at }, i) => at - w.requests[i]!.at)
      expect(waits.length).toBeGreaterThan(10)
      waits.forEach((wait, i) => {
        const most = Math.min(8_000, 250 * 2 ** i)
        expect(wait).toBeLessThanOrEqual(most)
        expect(wait).toBeGreaterThanOrEqual(most / 2)
      })
      await w.over()
    }),
    { numRuns: 20 },
  )
})

test('back-off: gives up after reconnect.maxMs, as dropped, with its text', async () => {
  const w = world({
    plan: (index) => (index === 0 ? { cutAt: 400 } : refused),
    client: { reconnect: { maxMs: 20_000 } },
  })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  const lostAt = w.clock.now()
  const shown = text(w.session)
  const reply = await w.ended(sent)
  expect(reply).toMatchObject({ content: shown, state: 'dropped', error: { code: 'network', retryable: true } })
  expect(w.session.getSnapshot()).toMatchObject({ status: 'error', attempt: 0 })
  expect(w.clock.now() - lostAt).toBeGreaterThanOrEqual(20_000)
  expect(w.clock.now() - lostAt).toBeLessThanOrEqual(28_000)
  await w.over()
})

test('back-off: a machine that slept while it waited has not spent its time', async () => {
  const w: World = world({
    plan: (index) => (index === 0 ? { cutAt: 400 } : index < 8 ? refused : undefined),
    // The gateway is on the same clock, but its machine did not sleep.
    gateway: { orphanMs: 3_600_000, fuse: { stallMs: 3_600_000 } },
  })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().attempt === 3)
  w.clock.sleep(600_000)
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests).toHaveLength(9)
  await w.over()
})

test('back-off: text that has come starts it anew', async () => {
  const w = world({
    plan: (index) => (index % 4 === 0 && index < 20 ? { cutAt: 1_500 } : index < 20 ? refused : undefined),
    client: { reconnect: { maxMs: 5_000 } },
    gateway: { orphanMs: 3_600_000 },
  })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  await w.over()
})

test('back-off: so do pings: a connection that has lasted was one', async () => {
  const w = world({ text: null, plan: () => ({ cutAt: 320 }), client: { reconnect: { maxMs: 10_000 } } })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  await w.until(() => w.clock.now() > 100_000)
  run.send('At last')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'At last', state: 'done' })
  expect(w.requests.length).toBeGreaterThan(4)
  await w.over()
})

test('back-off: connections that bring nothing new do not: it gives up on them in the end', async () => {
  // The first frame of each gets through.
  const w = world({ plan: (index) => ({ cutAt: index === 0 ? 400 : 180 }) })
  const sent = w.session.send('Tell me')
  const { state, error } = await w.ended(sent)
  expect({ state, code: error?.code }).toEqual({ state: 'dropped', code: 'dropped' })
  expect(w.requests.length).toBeLessThan(40)
  await w.over()
})

interface Page {
  readonly window: EventTarget
  readonly document: EventTarget & { hidden: boolean }
}
function page(): Page {
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { hidden: false })
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  vi.stubGlobal('removeEventListener', window.removeEventListener.bind(window))
  vi.stubGlobal('document', document)
  return { window, document }
}

test('back-off: ends at once when the page is online or visible again, and leaves no listener', async () => {
  const { window, document } = page()
  const w = world({ plan: (index) => (index < 12 ? refused : undefined) })
  const sent = w.session.send('Tell me')
  const asked = async (event: () => void): Promise<boolean> => {
    const before = w.requests.length
    await turn()
    event()
    await turn()
    return w.requests.length > before
  }
  await w.until(() => w.requests.length === 7)
  const stillAt = w.clock.now()
  expect(await asked(() => window.dispatchEvent(new Event('online')))).toBe(true)
  expect(await asked(() => document.dispatchEvent(new Event('visibilitychange')))).toBe(true)
  document.hidden = true
  expect(await asked(() => document.dispatchEvent(new Event('visibilitychange')))).toBe(false)
  document.hidden = false
  expect(await asked(() => document.dispatchEvent(new Event('visibilitychange')))).toBe(true)
  expect(w.clock.now()).toBe(stillAt)
  expect(await w.ended(sent)).toMatchObject({ content: whole })
  expect(getEventListeners(window, 'online')).toEqual([])
  expect(getEventListeners(document, 'visibilitychange')).toEqual([])
  await w.over()
})

test('back-off: an interrupt ends it at once, and leaves no timer and no listener', async () => {
  const { window } = page()
  const w = world({ plan: (index) => (index === 0 ? { cutAt: 400 } : undefined) })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  await turn()
  expect(getEventListeners(window, 'online')).toHaveLength(1)
  const now = w.clock.now()
  expect(await w.session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(await sent).toMatchObject({ state: 'interrupted' })
  expect(w.clock.now()).toBe(now)
  expect(getEventListeners(window, 'online')).toEqual([])
  await w.over()
})

const answer = (status: number, code: string, retryable: boolean): Response =>
  Response.json({ error: { code, message: 'No.', retryable } }, { status })

test.for([
  [400, 'bad_request', false],
  [401, 'unauthorized', false],
  [404, 'not_found', false],
  [409, 'run_conflict', false],
  [409, 'session_busy', true],
  [410, 'expired', false],
] as const)('refusal: %i %s is told at once, by a start and by a reconnect', async ([status, code, retryable]) => {
  const start = world({ fetch: () => Promise.resolve(answer(status, code, retryable)) })
  expect(await start.ended(start.session.send('Tell me'))).toMatchObject({ state: 'failed', error: { code } })
  expect(start.requests).toHaveLength(1)
  await start.over()

  const upstream = scriptedUpstream({ script: (reply) => reply.send('Once upon a time') })
  const gateway = gatewayFetch(createGateway({ upstream, clock: manualClock() }))
  const again = world({
    fetch: (input, init) =>
      init?.method === 'POST' ? gateway(input, init) : Promise.resolve(answer(status, code, retryable)),
    plan: (index) => (index === 0 ? { cutAt: 250 } : undefined),
    client: { autoContinue: false },
  })
  const reply = await again.ended(again.session.send('Tell me'))
  expect(reply).toMatchObject({ content: 'Once upon a time', state: 'dropped', error: { code } })
  expect(again.requests.map(({ method }) => method)).toEqual(['POST', 'GET'])
  await again.over()
})

test('refusal: a run that another page has asked for while this one could not is read, whatever its body was', async () => {
  const upstream = scriptedUpstream({
    script: (reply) => {
      reply.send('To the other page')
      reply.finish()
    },
  })
  const gateway = gatewayFetch(createGateway({ upstream, clock: manualClock() }))
  const w = world({
    fetch: async (input, init) => {
      if (init?.method === 'POST') {
        const { run_id, session_id } = JSON.parse(init.body as string) as Record<string, string>
        const messages = [{ role: 'user', content: 'Of the other page' }]
        await gateway(input, { ...init, body: JSON.stringify({ run_id, session_id, messages, reconnect: true }) })
      }
      return gateway(input, init)
    },
    plan: (index) => (index === 0 ? refused : undefined),
  })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ state: 'done', content: 'To the other page' })
  await w.over()
})

test.for([
  [403, 'once'],
  [404, 'a few times'],
  [501, 'once'],
  [408, 'for long'],
  [429, 'for long'],
  [502, 'for long'],
  [503, 'for long'],
  [504, 'for long'],
  [522, 'for long'],
] as const)('refusal: where a %i is of somebody else than the gateway, it is asked %s', async ([status, times]) => {
  const w = world({ fetch: () => Promise.resolve(new Response('<h1>No</h1>', { status })) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({
    state: 'failed',
    error: { code: 'network' },
  })
  const most = { once: 1, 'a few times': 6, 'for long': Infinity }[times]
  expect(w.requests.length).toBeLessThanOrEqual(most)
  expect(w.requests.length).toBeGreaterThanOrEqual(Math.min(most, 15))
  await w.over()
})

test.for([
  [429, 'too_many_readers'],
  [503, 'overloaded'],
  [503, 'shutting_down'],
] as const)('refusal: %i %s is none: it is asked again', async ([status, code]) => {
  let isBusy = true
  const upstream = scriptedUpstream({ script: (reply) => (reply.send('Yes.'), reply.finish()) })
  const gateway = gatewayFetch(createGateway({ upstream, clock: manualClock() }))
  const w = world({
    fetch: (input, init) => (isBusy ? Promise.resolve(answer(status, code, true)) : gateway(input, init)),
  })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().attempt === 3)
  isBusy = false
  expect(await w.ended(sent)).toMatchObject({ content: 'Yes.', state: 'done' })
  await w.over()
})

test('back-off: a gateway that says when to come back is not asked before that', async () => {
  const error = { code: 'breaker_open', message: 'No.', retryable: true, retry_after_ms: 12_345 }
  const refuse = (): Response => Response.json({ error }, { status: 503 })
  const w = world({ fetch: () => Promise.resolve(refuse()) })
  await w.ended(w.session.send('Tell me'))
  const waits = w.requests.slice(1).map(({ at }, i) => at - w.requests[i]!.at)
  expect(new Set(waits)).toEqual(new Set([12_345]))
  await w.over()
})

test.for([['2s'], [{}], ['1000'], [-5_000], [[]], [true], [null], ['NaN']])(
  'back-off: a retry_after_ms of %j is none: the waits are its own',
  async ([said]) => {
    const error = { code: 'overloaded', message: 'No.', retryable: true, retry_after_ms: said }
    const w = world({ fetch: () => Promise.resolve(Response.json({ error }, { status: 503 })) })
    await w.ended(w.session.send('Tell me'))
    expect(w.requests.length).toBeGreaterThan(10)
    expect(w.requests.length).toBeLessThan(40)
    await w.over()
  },
)

test.for([NaN, -1, '2s', Infinity])('back-off: nor is a wait of %j that the app’s own fetch names', async (said) => {
  const error = new ChatError('network', 'No.', { retryable: true, retryAfterMs: said as number })
  const w = world({ fetch: () => Promise.reject(error) })
  await w.ended(w.session.send('Tell me'))
  expect(w.requests.length).toBeGreaterThan(10)
  expect(w.requests.length).toBeLessThan(40)
  await w.over()
})

test('back-off: a wait that is longer than reconnect.maxMs is said at once', async () => {
  const error = { code: 'overloaded', message: 'No.', retryable: true, retry_after_ms: 1e99 }
  const w = world({ fetch: () => Promise.resolve(Response.json({ error }, { status: 503 })) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ error: { code: 'overloaded' } })
  expect(w.requests).toHaveLength(1)
  await w.over()
})

test.for([
  ['30', 30_000],
  ['12.5', 12_500],
  ['30s', 30_000],
  ['30 S', 30_000],
  ['30, 30', 30_000],
  [' 30 ', 30_000],
  [new Date(30_000).toUTCString(), 30_000],
] as const)('back-off: Retry-After: %s is a wait of %i ms', async ([said, ms]) => {
  const headers = { 'retry-after': said, date: new Date(0).toUTCString() }
  const w = world({ fetch: () => Promise.resolve(new Response('busy', { status: 503, headers })) })
  await w.ended(w.session.send('Tell me'))
  const waits = w.requests.slice(1).map(({ at }, i) => at - w.requests[i]!.at)
  expect(new Set(waits)).toEqual(new Set([ms]))
  await w.over()
})

test('back-off: neither a page that is online nor one that is visible comes back before the time that it was told', async () => {
  const { window, document } = page()
  const w = world({
    fetch: () => Promise.resolve(new Response('busy', { status: 503, headers: { 'retry-after': '60' } })),
  })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  for (let second = 0; second < 5; second++) {
    w.clock.advance(1_000)
    window.dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
    // oxlint-disable-next-line no-await-in-loop -- second by second
    await turn()
  }
  expect(w.requests).toHaveLength(1)
  await w.until(() => w.requests.length === 2)
  expect(w.requests[1]!.at).toBe(60_000)
  await w.session.interrupt()
  await sent
})
