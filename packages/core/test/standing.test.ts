import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway } from '../src/gateway/index.ts'
import { manualClock, scriptedUpstream, type ManualClock } from '../src/testing/index.ts'
import type { UpstreamStatus } from '../src/upstream/index.ts'
import { turn } from './support/event-loop.ts'

function bed(status: () => Promise<UpstreamStatus>): { gateway: Gateway; clock: ManualClock; get(): Promise<unknown> } {
  const clock = manualClock()
  const gateway = createGateway({ upstream: { ...scriptedUpstream(), status }, clock })
  const get = async (): Promise<unknown> => (await gateway(new Request('http://gateway.test/api/chat'))).json()
  return { gateway, clock, get }
}

test('standing: the model server is asked once in a second, however many want to know', async () => {
  let asked = 0
  const { get, clock } = bed(async () => ({ state: 'ready', version: String((asked += 1)) }))
  for (let i = 0; i < 100; i++) await Promise.all([get(), get()])
  clock.advance(999)
  expect([asked, await get()]).toMatchObject([1, { upstream: { version: '1' } }])
  clock.advance(1)
  expect([await get(), asked]).toMatchObject([{ upstream: { version: '2' } }, 2])
})

test('standing: the second begins when the server has answered', async () => {
  const answers: ((status: UpstreamStatus) => void)[] = []
  const { get, clock } = bed(() => new Promise((resolve) => answers.push(resolve)))
  const first = get()
  clock.advance(1_500)
  const second = get()
  answers[0]!({ state: 'idle' })
  expect(await Promise.all([first, second])).toMatchObject([
    { upstream: { state: 'idle' } },
    { upstream: { state: 'idle' } },
  ])
  clock.advance(999)
  await get()
  expect(answers).toHaveLength(1)
})

test('standing: an upstream that never settles, not even when it is told to give up, is unreachable', async () => {
  const { get, clock } = bed(() => new Promise(() => undefined))
  const asked = get()
  await Promise.resolve()
  clock.advance(2_000)
  expect([await asked, clock.timers]).toMatchObject([{ upstream: { state: 'unreachable' } }, 0])
})

test('standing: what a breaker says is as it is now', async () => {
  const clock = manualClock()
  const upstream = scriptedUpstream({ script: (reply) => reply.fail(new Error('no')) })
  const gateway = createGateway({
    upstream,
    clock,
    recovery: false,
    breaker: { failures: 1 },
    onError: () => undefined,
  })
  const get = async (): Promise<unknown> => (await gateway(new Request('http://gateway.test/api/chat'))).json()
  expect(await get()).toMatchObject({ upstream: { breaker: 'closed' } })
  const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })
  await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
  expect(await get()).toMatchObject({ upstream: { breaker: 'open' } })
})

// A breaker's pass

const misbehaving: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('no status')
  },
  rejects: () => Promise.reject(new Error('no status')),
  'never settles': () => new Promise(() => undefined),
  'rejects when it is told to give up': () => new Promise(() => undefined),
  'gives nothing': () => undefined,
  'gives something else': () => Promise.resolve('fine'),
}
for (const [what, status] of Object.entries(misbehaving))
  test.for(['closes', 'opens again'])(
    `standing: of an upstream whose status ${what}, the run that tries an open breaker %s it`,
    async (end) => {
      const unhandled: unknown[] = []
      const onUnhandled = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', onUnhandled)
      onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
      const clock = manualClock()
      const upstream = scriptedUpstream()
      const gateway = createGateway({
        upstream: {
          ...upstream,
          status(signal) {
            if (!what.includes('told')) return status() as Promise<UpstreamStatus>
            return new Promise((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(new Error('given up'))),
            )
          },
        },
        clock,
        recovery: false,
        breaker: { failures: 1, probeMs: 1_000 },
        onError: () => undefined,
        onRunEnd: async () => {
          throw new Error('no log')
        },
      })
      onTestFinished(() => gateway.close())
      const call = (init?: RequestInit): Promise<Response> => gateway(new Request('http://gateway.test/api/chat', init))
      const post = (): Promise<Response> =>
        call({
          method: 'POST',
          body: JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] }),
        })
      /** Asks how it stands, as often as anybody may, and waits as long as that takes. */
      const phase = async (): Promise<unknown> => {
        const answer = call()
        await turn()
        clock.advance(2_000)
        return ((await (await answer).json()) as { upstream: { breaker: string } }).upstream.breaker
      }
      const failed = post()
      ;(await upstream.next()).fail(new Error('no'))
      await failed
      expect(await phase()).toBe('open')
      clock.advance(1_000)
      const trying = post()
      const reply = await upstream.next()
      expect(await Promise.all([phase(), phase()])).toEqual(['half_open', 'half_open'])
      // It is the only one that may.
      expect((await post()).status).toBe(503)
      if (end === 'closes') {
        reply.send('Hi')
        reply.finish()
      } else reply.fail(new Error('no'))
      await trying
      expect(await phase()).toBe(end === 'closes' ? 'closed' : 'open')
      await turn()
      expect(unhandled).toEqual([])
    },
  )

const circular: Record<string, unknown> = { state: 'ready' }
circular['self'] = circular
test.for<[string, unknown]>([
  ['circular', circular],
  ['with a BigInt in it', { state: 'ready', models: 3n }],
  [
    'with a toJSON that throws',
    {
      toJSON() {
        throw new Error('no')
      },
    },
  ],
  ['with a toJSON that gives nothing', { toJSON: () => undefined }],
  ['nothing', undefined],
  ['null', null],
  ['a text', 'ready'],
  ['a list', ['ready']],
  [
    'with a getter that throws',
    Object.defineProperty({}, 'state', { enumerable: true, get: () => JSON.parse('no') as unknown }),
  ],
])('standing: an upstream whose status is %s is unreachable, and the app is told', async ([, said]) => {
  const told: unknown[] = []
  const upstream = { ...scriptedUpstream(), status: async () => said as UpstreamStatus }
  const gateway = createGateway({ upstream, onError: (error) => void told.push(error) })
  const response = await gateway(new Request('http://gateway.test/api/chat'))
  expect([response.status, await response.json()]).toMatchObject([200, { upstream: { state: 'unreachable' } }])
  expect(told).toEqual([expect.any(Error)])
})
