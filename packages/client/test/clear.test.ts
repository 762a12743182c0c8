import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream, type ScriptedReply } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { setup, shows, turn, when, type Setup } from './support.ts'

/** A conversation that is cleared while an answer streams: the model stops, as it does for an interrupt. */

/** Nothing but the client ends a run before that. */
const orphanMs = 3_600_000

type Answer = typeof globalThis.fetch
interface Cleared extends Setup {
  /** What answers instead of the gateway. */
  network: Answer | undefined
  /** Requests with this method since. */
  sent(method: string): number
}
const isEnd = (path: string): boolean => /\/(sessions|runs)\/[^?]*$/.test(path)

function cleared(network: Answer | undefined): Cleared {
  const upstream = scriptedUpstream()
  let gateway: Answer | undefined
  const all = setup({
    fetch: (input, init) => {
      gateway ??= gatewayFetch(createGateway({ upstream, clock: all.clock, orphanMs, fuse: { stallMs: orphanMs } }))
      const isBad = init?.method === 'DELETE' || isEnd(input as string)
      return ((isBad && world.network) || gateway)(input, init)
    },
  })
  const world: Cleared = {
    ...all,
    upstream,
    network,
    sent: (method) => all.requests.filter((request) => request.method === method).length,
  }
  return world
}
async function streaming({ session, upstream }: Setup): Promise<ScriptedReply> {
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  return run
}
const down: Answer = () => Promise.reject(new TypeError('down'))
const page = (status: number): Answer => {
  return async () => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })
}
const busy: Answer = async () => new Response('', { status: 503, headers: { 'retry-after': '2' } })
/** A request that waits for a connection; an abort ends it. */
const queued: Answer = (_input, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error))
  })

test.for([
  ['a network that is down', down],
  ['a balancer that has lost its gateway', page(502)],
  ['a balancer that has none yet', page(404)],
  ['a gateway that is to be asked later', busy],
  ['a free connection in vain', queued],
] as const)('clear: %s does not keep the model running, and holds nobody up for long', async ([, network]) => {
  const world = cleared(network)
  const { session, clock } = world
  const run = await streaming(world)
  const done = session.clear()
  expect(session.getSnapshot()).toMatchObject({ messages: [], status: 'idle' })
  for (let n = 0; n < 12; n++) {
    clock.advance(1_000)
    // oxlint-disable-next-line no-await-in-loop -- one step after the other
    await turn()
  }
  await done
  expect(run.signal.aborted).toBe(false)
  world.network = undefined
  for (let n = 0; n < 20; n++) {
    clock.advance(1_000)
    // oxlint-disable-next-line no-await-in-loop -- one step after the other
    await turn()
  }
  expect(run.signal.aborted).toBe(true)
  const told = world.requests.length
  clock.advance(120_000)
  await turn()
  expect(world.requests).toHaveLength(told)
})

test('clear: one failure is made up for at once', async () => {
  const world = cleared(undefined)
  const run = await streaming(world)
  let failures = 0
  world.network = async (input, init) => {
    world.network = undefined
    failures += 1
    return page(502)(input, init)
  }
  await world.session.clear()
  await turn()
  expect(failures).toBe(1)
  expect(run.signal.aborted).toBe(true)
})

test('clear: the model stops though a layer lets no DELETE through, and it is not asked again', async () => {
  const world = cleared(undefined)
  const run = await streaming(world)
  world.network = async (input, init) => {
    if (init?.method === 'DELETE') return new Response('', { status: 405 })
    const { network } = world
    world.network = undefined
    const answer = await world.fetch(input, init)
    world.network = network
    return answer
  }
  await world.session.clear()
  await turn()
  expect(run.signal.aborted).toBe(true)
  world.clock.advance(60_000)
  await turn()
  expect(world.sent('DELETE')).toBe(1)
})

test('clear: is told on for reconnect.maxMs, also when nothing streams, and not by a session that is closed', async () => {
  for (const isClosed of [false, true]) {
    const world = cleared(undefined)
    const { session, clock } = world
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    const run = await streaming(world)
    run.finish()
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    await when(session, ({ status }) => status === 'idle')
    world.network = down
    const done = session.clear()
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    await turn()
    if (isClosed) session.close()
    for (let n = 0; n < 30; n++) {
      clock.advance(10_000)
      // oxlint-disable-next-line no-await-in-loop -- one step after the other
      await turn()
    }
    // oxlint-disable-next-line no-await-in-loop -- one world after the other
    await done
    if (isClosed) expect(world.sent('DELETE')).toBe(2)
    else expect(world.sent('DELETE')).toBeGreaterThan(5)
    expect(clock.timers).toBe(0)
  }
})
