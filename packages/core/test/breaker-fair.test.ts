import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { createBreaker, breakerDefaults } from '../src/pool/breaker.ts'
import { manualClock, scriptedUpstream } from '../src/testing/index.ts'
import { listen } from './support/listen.ts'
import { ollama } from '../src/upstream/index.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'

/** One client, and one request, cannot close a model server for everybody. */

interface Bed {
  readonly gateway: Gateway
  /** Asks, and has the model server fail. */
  fail(who: string, content: string, code?: ChatErrorCode, cause?: unknown): Promise<number>
  /** The same from an address, as `toNodeListener` tells it. */
  failFrom(remoteAddress: string, content: string, headers?: Record<string, string>): Promise<void>
  phase(): unknown
}
function bed(options: Partial<GatewayOptions> = {}): Bed {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, recovery: false, clock: manualClock(), ...options })
  onTestFinished(() => gateway.close())
  return {
    gateway,
    async failFrom(remoteAddress, content, headers = {}) {
      const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content }] })
      const request = new Request('http://gateway.test/api/chat', { method: 'POST', headers, body })
      const { method, url, signal } = request
      const answer = gateway.reply({ method, url, headers: request.headers, body: request.body, signal, remoteAddress })
      ;(await upstream.next()).fail(new ChatError('upstream_failed', 'No.', { retryable: true }))
      await answer
    },
    phase: () => gateway.stats().upstreams[0]?.breaker,
    async fail(who, content, code = 'upstream_failed', cause) {
      const body = JSON.stringify({ run_id: createId('run'), stream: false, messages: [{ role: 'user', content }] })
      const headers = { authorization: who }
      const answer = gateway(new Request('http://gateway.test/api/chat', { method: 'POST', headers, body }))
      ;(await upstream.next()).fail(new ChatError(code, 'No.', { retryable: true, cause }))
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

test('breaker: one address whose requests fail twenty times counts once, where nothing else tells users apart', async () => {
  const { failFrom, phase } = bed()
  for (let i = 0; i < 20; i++) await failFrom('203.0.113.7', `request ${i}`)
  expect(phase()).toBe('closed')
  for (let i = 1; i <= 3; i++) await failFrom(`203.0.113.${100 + i}`, `of ${i}`)
  expect(phase()).toBe('closed')
  await failFrom('198.51.100.1', 'of 4')
  expect(phase()).toBe('open')
})

test('breaker: all addresses of one IPv6 network are one user’s', async () => {
  const { failFrom, phase } = bed()
  for (let i = 0; i < 20; i++) await failFrom(`2001:db8:1:2::${i}`, `request ${i}`)
  expect(phase()).toBe('closed')
})

test('breaker: a proxy’s address is no user’s: five requests that come by it and fail open it', async () => {
  const { failFrom, phase } = bed()
  for (let i = 0; i < 4; i++) await failFrom('127.0.0.1', `request ${i}`)
  expect(phase()).toBe('closed')
  await failFrom('127.0.0.1', 'request 4')
  expect(phase()).toBe('open')
})

test('breaker: five people of one address that authorize tells apart open it', async () => {
  const { failFrom, phase } = bed(owned)
  for (let i = 0; i < 5; i++) await failFrom('203.0.113.7', `request ${i}`, { authorization: `person ${i}` })
  expect(phase()).toBe('open')
})

test('breaker: one client with many accounts, and one account of many clients, count once', async () => {
  const clientOf: GatewayOptions['clientOf'] = ({ remoteAddress }) => remoteAddress
  const many = bed({ ...owned, clientOf })
  for (let i = 0; i < 20; i++) await many.failFrom('127.0.0.1', `request ${i}`, { authorization: `account ${i}` })
  expect(many.phase()).toBe('closed')
  const far = bed({ ...owned, clientOf })
  for (let i = 0; i < 20; i++) await far.failFrom(`203.0.113.${i}`, `request ${i}`, { authorization: 'ann' })
  expect(far.phase()).toBe('closed')
})

test('breaker: a clientOf that gives nobody in particular leaves the address, and an empty string is one client', async () => {
  const nobody = bed({ clientOf: () => undefined })
  for (let i = 0; i < 20; i++) await nobody.failFrom('203.0.113.7', `request ${i}`)
  expect(nobody.phase()).toBe('closed')
  const empty = bed({ clientOf: () => '' })
  for (let i = 0; i < 20; i++) await empty.failFrom(`203.0.113.${i}`, `request ${i}`)
  expect(empty.phase()).toBe('closed')
})

const coded = (message: string, code: string, cause?: unknown): Error =>
  Object.assign(new Error(message, { cause }), { code })

test.for<[what: string, cause: Error]>([
  ['refuses connections', coded('connect ECONNREFUSED 127.0.0.1:9', 'ECONNREFUSED')],
  ['has no address', coded('getaddrinfo ENOTFOUND model.test', 'ENOTFOUND')],
  ['takes no connection in time', coded('The server did not take the connection within 10000 ms.', 'ETIMEDOUT')],
  [
    'cannot be reached by fetch',
    new TypeError('fetch failed', { cause: coded('connect EHOSTUNREACH', 'EHOSTUNREACH') }),
  ],
])('breaker: a server that %s is so for everybody: one client is enough to find out', async ([, cause]) => {
  const { fail, phase } = bed(owned)
  for (let i = 0; i < 5; i++) await fail('ann', 'the same', 'upstream_unreachable', cause)
  expect(phase()).toBe('open')
})

test.for<[what: string, code: ChatErrorCode, cause: unknown]>([
  ['a proxy’s 504', 'upstream_unreachable', 'HTTP 504: '],
  ['Cloudflare’s 524', 'upstream_unreachable', 'HTTP 524: '],
  ['a 408', 'upstream_unreachable', 'HTTP 408: '],
  ['a 598', 'upstream_unreachable', 'HTTP 598: '],
  ['a 429 of one user’s rate', 'upstream_busy', 'HTTP 429: slow down'],
  ['a 503', 'upstream_busy', 'HTTP 503: '],
  ['a connection that is reset', 'upstream_unreachable', coded('read ECONNRESET', 'ECONNRESET')],
  ['a connection that is hung up', 'upstream_unreachable', coded('socket hang up', 'ECONNRESET')],
  [
    'a connection that fetch lost',
    'upstream_unreachable',
    new TypeError('terminated', { cause: coded('other side closed', 'UND_ERR_SOCKET') }),
  ],
  ['an end without a reason', 'upstream_unreachable', undefined],
])(
  'breaker: %s may be of the request: twenty of one client count once, those of five clients open it',
  async ([, code, cause]) => {
    const { fail, phase } = bed(owned)
    for (let i = 0; i < 20; i++) await fail('ann', `request ${i}`, code, cause)
    expect(phase()).toBe('closed')
    for (const who of ['b', 'c', 'd', 'e']) await fail(who, `of ${who}`, code, cause)
    expect(phase()).toBe('open')
  },
)

test('breaker: a real port that refuses and one that hangs up are told apart', async () => {
  const { url: address, server } = await listen((_request, response) => void response.destroy())
  const ask = async (url: string): Promise<unknown> => {
    const gateway = createGateway({ upstream: ollama({ url, model: 'm' }), recovery: false, ...owned })
    onTestFinished(() => gateway.close())
    for (let i = 0; i < 5; i++) {
      const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: `request ${i}` }] })
      const headers = { authorization: 'ann' }
      await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', headers, body }))
    }
    return gateway.stats().upstreams[0]?.breaker
  }
  expect(await ask(address)).toBe('closed')
  await new Promise((resolve) => server.close(resolve))
  expect(await ask(address)).toBe('open')
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
