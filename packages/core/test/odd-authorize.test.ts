import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { scriptedUpstream, type ScriptedUpstream } from '../src/testing/index.ts'
import { turn } from './support/event-loop.ts'

// An `authorize` that does what nobody meant: it lets nobody in, and costs nobody else anything.

const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })
function bed(options: Partial<GatewayOptions>): {
  gateway: Gateway
  upstream: ScriptedUpstream
  ask(init?: RequestInit): Promise<Response>
} {
  const upstream = scriptedUpstream({ script: (reply) => reply.finish() })
  const gateway = createGateway({ upstream, onError: () => undefined, ...options })
  onTestFinished(() => gateway.close())
  const ask = (init?: RequestInit): Promise<Response> =>
    gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body, ...init }))
  return { gateway, upstream, ask }
}
const boom = new Error('secret words')

/* oxlint-disable unicorn/no-thenable -- what some libraries give. */
test.for<[what: string, authorize: () => unknown, status: number]>([
  ['a boxed string', () => Object('ann') as unknown, 401],
  ['a function', () => () => 'ann', 401],
  ['a symbol', () => Symbol('ann'), 401],
  ['a promise of a promise of nobody', async () => Promise.resolve(null), 401],
  ['a thenable of nobody', () => ({ then: (resolve: (value: unknown) => void) => resolve(false) }), 401],
  [
    'a thenable that throws',
    () => ({
      then: () => {
        throw boom
      },
    }),
    500,
  ],
  [
    'a thenable whose getter throws',
    () =>
      Object.defineProperty({}, 'then', {
        get: () => {
          throw boom
        },
      }),
    500,
  ],
  ['a promise rejected with nothing', () => Promise.reject(undefined), 500],
  ['a promise rejected with a text', () => Promise.reject('secret words'), 500],
  [
    'a promise rejected with an error of another library',
    () => Promise.reject(Object.assign(boom, { code: 'not_found', status: 200, retryable: true })),
    500,
  ],
])('authorize: %s lets nobody in, and none of its words out', async ([, authorize, status]) => {
  const { ask, upstream } = bed({ authorize: authorize as GatewayOptions['authorize'] })
  const response = await ask()
  expect([response.status, (await response.text()).includes('secret'), upstream.replies.length]).toEqual([
    status,
    false,
    0,
  ])
})
/* oxlint-enable unicorn/no-thenable */

test('authorize: one that never settles holds its own request alone, and no run', async () => {
  const { ask, gateway, upstream } = bed({
    authorize: ({ headers }) => (headers.has('x-slow') ? new Promise<string>(() => undefined) : 'ann'),
  })
  let isAnswered = false
  void ask({ headers: { 'x-slow': '1' } }).then(() => (isAnswered = true))
  expect((await ask()).status).toBe(200)
  await turn()
  expect([isAnswered, gateway.stats().runs, gateway.stats().readers, upstream.replies.length]).toEqual([false, 0, 0, 1])
  await gateway.close()
})

test('authorize: one that settles when the gateway is closed starts nothing', async () => {
  const late = Promise.withResolvers<string>()
  const { ask, gateway, upstream } = bed({ authorize: () => late.promise })
  const answer = ask()
  await gateway.close()
  late.resolve('ann')
  expect([(await answer).status, upstream.replies.length]).toEqual([503, 0])
})
