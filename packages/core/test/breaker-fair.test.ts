import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { createBreaker, breakerDefaults } from '../src/pool/breaker.ts'
import { manualClock, scriptedUpstream } from '../src/testing/index.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'

/** One client, and one request, cannot close a model server for everybody. */

interface Bed {
  readonly gateway: Gateway
  /** Asks, and has the model server fail. */
  fail(who: string, content: string, code?: ChatErrorCode): Promise<number>
  phase(): unknown
}
function bed(options: Partial<GatewayOptions> = {}): Bed {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, recovery: false, clock: manualClock(), ...options })
  onTestFinished(() => gateway.close())
  return {
    gateway,
    phase: () => gateway.stats().upstreams[0]?.breaker,
    async fail(who, content, code = 'upstream_failed') {
      const body = JSON.stringify({ run_id: createId('run'), stream: false, messages: [{ role: 'user', content }] })
      const headers = { authorization: who }
      const answer = gateway(new Request('http://gateway.test/api/chat', { method: 'POST', headers, body }))
      ;(await upstream.next()).fail(new ChatError(code, 'No.', { retryable: true }))
      return (await answer).status
    },
  }
}
const owned: Partial<GatewayOptions> = { authorize: ({ headers }) => headers.get('authorization') }

test('breaker: one request that fails twenty times, under any id, counts once', async () => {
  const { fail, phase } = bed()
  for (let i = 0; i < 20; i++) await fail('', 'the same')
  expect(phase()).toBe('closed')
})

test('breaker: one owner whose requests fail twenty times counts once', async () => {
  const { fail, phase } = bed(owned)
  for (let i = 0; i < 20; i++) await fail('ann', `request ${i}`)
  expect(phase()).toBe('closed')
})

test('breaker: one client by clientOf counts once, whatever it asks', async () => {
  const { fail, phase } = bed({ clientOf: () => '203.0.113.7' })
  for (let i = 0; i < 20; i++) await fail('', `request ${i}`)
  expect(phase()).toBe('closed')
})

test('breaker: five people whose requests fail open it', async () => {
  const { fail, phase } = bed(owned)
  for (const who of ['a', 'b', 'c', 'd']) await fail(who, `of ${who}`)
  expect(phase()).toBe('closed')
  await fail('e', 'of e')
  expect(phase()).toBe('open')
})

test('breaker: a server that is not there, or busy, is so for everybody: one client is enough to find out', async () => {
  for (const code of ['upstream_unreachable', 'upstream_busy'] as const) {
    const { fail, phase } = bed(owned)
    for (let i = 0; i < 5; i++) await fail('ann', 'the same', code)
    expect(phase()).toBe('open')
  }
})

test('breaker: a request that has counted does not keep it open by being the one that tries', () => {
  const clock = manualClock()
  const breaker = createBreaker(clock, breakerDefaults)
  for (let i = 0; i < 5; i++) breaker.begin().end('failure', [`client ${i}`])
  expect(breaker.waitMs).toBe(10_000)
  clock.advance(10_000)
  breaker.begin().end('failure', ['client 0'])
  // The next one may try at once.
  expect([breaker.phase, breaker.waitMs]).toEqual(['open', 0])
  breaker.begin().end('failure', ['client 9'])
  expect(breaker.waitMs).toBe(10_000)
})

test('breaker: after a success everybody’s failures count again', () => {
  const breaker = createBreaker(manualClock(), { failures: 2, probeMs: 1_000 })
  breaker.begin().end('failure', ['client 1'])
  breaker.begin().end('success')
  breaker.begin().end('failure', ['client 1'])
  breaker.begin().end('failure', ['client 2'])
  expect(breaker.phase).toBe('open')
})
