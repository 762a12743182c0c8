import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import {
  gatewayFetch,
  manualClock,
  scriptedUpstream,
  type ManualClock,
  type ScriptedUpstream,
} from '../src/testing/index.ts'
import type { Upstream } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'
import { turn } from './support/event-loop.ts'

// What a start does, and in which order.

interface Bed {
  readonly gateway: Gateway
  readonly clock: ManualClock
  readonly upstream: ScriptedUpstream
  get(path: string): Promise<Response>
  /** @param client - Who asks. */
  post(body?: object, client?: string): Promise<Response>
}

function bench(options: Partial<GatewayOptions> = {}): Bed {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const clientOf: GatewayOptions['clientOf'] = ({ headers }) => headers.get('x-client')
  const gateway = createGateway({ upstream, clock, clientOf, recovery: false, ...options })
  onTestFinished(() => gateway.close())
  const fetch = gatewayFetch(gateway)
  return {
    gateway,
    clock,
    upstream,
    get: (path) => fetch(`/api/chat${path}`),
    post: (body, client = 'somebody') =>
      fetch('/api/chat', {
        method: 'POST',
        headers: { 'x-client': client },
        body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], reconnect: true, ...body }),
      }),
  }
}
const codeOf = async (answer: Response): Promise<string> =>
  ((await answer.json()) as { error: { code: string } }).error.code
const away = new ChatError('upstream_unreachable', 'Nobody is there.', { retryable: true })
/** Opens the breaker, and lets the time pass after which one run may try. */
async function openBreaker({ upstream, clock, post }: Bed): Promise<void> {
  const failed = await post({}, 'who fails')
  ;(await upstream.next()).fail(away)
  await failed.text()
  expect(await codeOf(await post())).toBe('breaker_open')
  clock.advance(10_000)
}

test('start: a reply that is whole in the call in which it is asked for leaves its run kept, its session free, and its client room', async () => {
  const upstream: Upstream = {
    name: 'at once',
    model: 'm',
    open(_request, sink) {
      void sink.push([{ message: 'Hello' }, { finish: 'stop' }])
      sink.end()
    },
  }
  const { gateway, get, post } = bench({ upstream, limits: { runs: 1, clientRuns: 1 } })
  const session_id = createId('sess')
  const runIds = Array.from({ length: 3 }, () => createId('run'))
  for (const run_id of runIds) {
    const answer = await post({ session_id, run_id })
    expect([answer.status, answer.headers.get('session-id')]).toEqual([200, session_id])
    expect(await answer.text()).toContain('"done":true,"reason":"stop"')
    const session = await (await get(`/sessions/${session_id}`)).json()
    expect(session).toMatchObject({ active_run: null, last_run: { run_id } })
    expect(gateway.stats().runs).toBe(0)
  }
  for (const runId of runIds) expect(await (await get(`/runs/${runId}`)).text()).toContain('{"message":"Hello"}')
})

for (const where of ['a session that is not known', 'a session whose last run is over']) {
  test(`start: \`interrupts\` that overtakes the start of the run that it names, in ${where}, keeps that from starting`, async () => {
    const { upstream, post } = bench()
    const session_id = createId('sess')
    if (where !== 'a session that is not known') {
      const before = await post({ session_id })
      ;(await upstream.next()).finish()
      await before.text()
    }
    const overtaken = createId('run')
    const asked = upstream.replies.length
    expect((await post({ session_id, interrupts: { run_id: overtaken, position: 0 } })).status).toBe(200)
    const late = await post({ session_id, run_id: overtaken })
    expect([late.status, await codeOf(late)]).toEqual([410, 'expired'])
    expect(upstream.replies.length).toBe(asked + 1)
  })
}

test('start: a request that a limit refuses takes no place of the one run that may try an open breaker', async () => {
  const bed = bench({ breaker: { failures: 1 }, limits: { clientRuns: 1 } })
  const { upstream, post } = bed
  await post({}, 'busy')
  ;(await upstream.next()).send('Hello')
  await openBreaker(bed)
  expect(await codeOf(await post({}, 'busy'))).toBe('too_many_runs')
  expect((await post()).status).toBe(200)
})

test('start: one that fails by a fault of the host leaves that place to the next', async () => {
  let failed = 0
  for (let call = 1; call <= 20; call++) {
    const bed = bench({ breaker: { failures: 1 } })
    const { clock, gateway, post } = bed
    await openBreaker(bed)
    const { now } = clock
    let left = call
    // The clock of the host fails once, at one place after the other.
    clock.now = () => {
      left -= 1
      if (left === 0) throw new Error('The host is broken.')
      return now()
    }
    const { status } = await post()
    clock.now = now
    // Where the run has come about, it holds the place itself.
    if (status !== 500 || gateway.stats().runs > 0) continue
    failed += 1
    expect([call, (await post()).status]).toEqual([call, 200])
  }
  expect(failed).toBeGreaterThan(0)
})

test('start: a reader that fails when its run is ended by another one fails no start', async () => {
  const { gateway, upstream, post } = bench()
  const session_id = createId('sess')
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], session_id })
  const request = new Request('http://gateway.test/api/chat', { method: 'POST', body })
  const { body: reader } = await gateway.reply(request)
  if (reader === null || typeof reader === 'string') throw new Error('no reader')
  let isBroken = false
  const broken = (): boolean => {
    if (isBroken) throw new Error('The host is broken.')
    return true
  }
  const errors: unknown[] = []
  reader.start({ write: broken, end: broken, fail: (error) => void (errors.push(error), broken()) })
  ;(await upstream.next()).send('Hello')
  await turn()
  isBroken = true
  expect((await post({ session_id })).status).toBe(200)
  expect(errors).toHaveLength(1)
})
