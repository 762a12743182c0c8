import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { setup, shows, turn, when, type Setup, type SetupOptions } from './support.ts'

/** An interrupt that the gateway has not answered is not forgotten. */

type Answer = typeof globalThis.fetch
interface Bad extends Setup {
  /** What answers instead of the gateway. */
  network: Answer | undefined
  /** Interrupts that were sent. */
  readonly told: () => number
}

function bad(options: SetupOptions = {}): Bad {
  const upstream = scriptedUpstream()
  let gateway: Answer | undefined
  const all = setup({
    ...options,
    fetch: (input, init) => {
      gateway ??= gatewayFetch(createGateway({ upstream, clock: all.clock, orphanMs: 3_600_000 }))
      return (world.network ?? gateway)(input, init)
    },
  })
  const told = (): number => all.requests.filter(({ path }) => path.endsWith('/interrupt')).length
  const world: Bad = { ...all, upstream, network: undefined, told }
  return world
}
const down: Answer = () => Promise.reject(new TypeError('down'))
/** A request that waits for a connection; an abort ends it. */
const queued: Answer = (_input, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error))
  })
const says = (status: number, code: string, retryable: boolean): Answer => {
  return () => Promise.resolve(Response.json({ error: { code, message: code, retryable } }, { status }))
}

async function stopped(world: Bad, network: Answer | undefined) {
  const { session, upstream } = world
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  world.network = network
  const outcome = session.interrupt()
  const at = session.getSnapshot().messages.at(-1)
  expect(at).toMatchObject({ content: 'Once', state: 'interrupted' })
  await turn()
  return { run, outcome, sent }
}

test.for([
  ['a network that is down', down],
  ['a gateway that is overloaded', says(503, 'overloaded', true)],
] as const)('interrupt: %s is asked again until it answers', async ([, network]) => {
  const world = bad()
  const { run, outcome, sent } = await stopped(world, network)
  expect(await outcome).toEqual({ outcome: 'unconfirmed' })
  expect(await sent).toMatchObject({ content: 'Once', state: 'interrupted' })
  expect(world.session.getSnapshot().status).toBe('idle')
  world.clock.advance(10_000)
  await turn()
  expect(world.told()).toBeGreaterThan(2)
  expect(run.signal.aborted).toBe(false)
  world.network = undefined
  world.clock.advance(8_000)
  await turn()
  expect(run.signal.aborted).toBe(true)
  await turn()
  const told = world.told()
  world.clock.advance(60_000)
  await turn()
  expect(world.told()).toBe(told)
  expect(await world.session.interrupt()).toEqual({ outcome: 'already_done' })
})

test('interrupt: one that waited 10 s for a connection in vain waits on at once', async () => {
  const world = bad()
  const { run, outcome } = await stopped(world, queued)
  world.clock.advance(10_000)
  expect(await outcome).toEqual({ outcome: 'unconfirmed' })
  await turn()
  world.clock.advance(0)
  await turn()
  expect(world.told()).toBe(2)
  world.network = undefined
  world.clock.advance(10_000)
  await turn()
  world.clock.advance(0)
  await turn()
  expect(run.signal.aborted).toBe(true)
})

test.for([
  ['a run that the gateway does not know', says(404, 'not_found', false), 'already_done'],
  ['a gateway that refuses', says(401, 'unauthorized', false), 'unconfirmed'],
] as const)('interrupt: %s is not asked again', async ([, network, expected]) => {
  const world = bad()
  const { outcome } = await stopped(world, network)
  expect(await outcome).toEqual({ outcome: expected })
  world.clock.advance(60_000)
  await turn()
  expect(world.told()).toBe(1)
  await world.session.clear()
})

test('interrupt: it is asked again for reconnect.maxMs, and not by a session that is closed', async () => {
  for (const isClosed of [false, true]) {
    const world = bad({ reconnect: { maxMs: 30_000 } })
    const { outcome } = await stopped(world, down)
    await outcome
    if (isClosed) world.session.close()
    await turn()
    const told = world.told()
    for (let at = 0; at < 60; at++) {
      world.clock.advance(1_000)
      await turn()
    }
    if (isClosed) expect(world.told()).toBe(told)
    else expect(world.told()).toBeGreaterThan(told + 3)
    expect(world.clock.timers).toBeLessThanOrEqual(2)
    world.network = undefined
    const last = world.told()
    world.clock.advance(60_000)
    await turn()
    expect(world.told()).toBe(last)
  }
})

test('interrupt: closed in the same tick, the session still sends it', async () => {
  const world = bad()
  const { session, upstream } = world
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  void session.interrupt()
  session.close()
  await turn()
  expect(run.signal.aborted).toBe(true)
})

test('interrupt: of a follow-up that has not arrived, it ends the run that the follow-up was to end', async () => {
  const world = bad()
  const { session, upstream } = world
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  world.network = queued
  const second = session.send('No, wait')
  await turn()
  world.network = undefined
  expect(await session.interrupt()).toEqual({ outcome: 'already_done' })
  await second
  await turn()
  expect(run.signal.aborted).toBe(true)
})

test('interrupt: a follow-up that is refused leaves nothing running', async () => {
  const world = bad()
  const { session, upstream } = world
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  world.network = (input, init) => {
    world.network = undefined
    return says(400, 'bad_request', false)(input, init)
  }
  expect(await session.send('No')).toMatchObject({ state: 'failed', error: { code: 'bad_request' } })
  await turn()
  expect(run.signal.aborted).toBe(true)
})

test.for(['{}', '[]', '{"outcome":"maybe"}', '{"outcome":"interrupted"}', null])(
  'interrupt: 200 with %s, which somebody else answers, is unconfirmed',
  async (body) => {
    const world = bad()
    const status = body === null ? 204 : 200
    const headers = { 'content-type': 'application/json' }
    const { outcome } = await stopped(world, () => Promise.resolve(new Response(body, { status, headers })))
    expect(await outcome).toEqual({ outcome: 'unconfirmed' })
    expect(world.session.getSnapshot().status).toBe('idle')
    await world.session.clear()
  },
)

const comeBack = (seconds: number): Answer => {
  const headers = { 'retry-after': `${seconds}` }
  return () => Promise.resolve(new Response('Busy', { status: 503, headers }))
}

test('interrupt: a first refusal that says when to come back is waited out', async () => {
  const world = bad()
  const { run, outcome } = await stopped(world, comeBack(2))
  expect(world.told()).toBe(1)
  world.clock.advance(1_999)
  await turn()
  expect(world.told()).toBe(1)
  world.network = undefined
  world.clock.advance(1)
  expect(await outcome).toEqual({ outcome: 'interrupted' })
  expect(world.told()).toBe(2)
  expect(run.signal.aborted).toBe(true)
})

test('interrupt: one that is to come back in an hour is unconfirmed after 10 s, and told again then', async () => {
  const world = bad()
  const { run, outcome } = await stopped(world, comeBack(3_600))
  world.clock.advance(9_999)
  await turn()
  expect(world.told()).toBe(1)
  expect(world.session.getSnapshot().status).toBe('interrupting')
  world.network = undefined
  world.clock.advance(1)
  expect(await outcome).toEqual({ outcome: 'unconfirmed' })
  await turn()
  expect(run.signal.aborted).toBe(true)
})
