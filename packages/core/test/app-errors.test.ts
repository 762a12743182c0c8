import { expect, onTestFinished, test, vi } from 'vitest'
import { createAppErrors } from '../src/gateway/app-errors.ts'
import { createGateway, type ErrorContext, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { manualClock, scriptedUpstream, type ManualClock } from '../src/testing/index.ts'
import { fromIterable, ollama } from '../src/upstream/index.ts'
import { ChatError } from '../src/wire/errors.ts'
import { turn } from './support/event-loop.ts'

interface Bed {
  readonly gateway: Gateway
  readonly clock: ManualClock
  /** What `onError` was told, and of what. */
  readonly told: [error: unknown, of: string[]][]
  post(): Promise<Response>
}
function bed(options: Partial<GatewayOptions> = {}): Bed {
  const clock = manualClock()
  const told: Bed['told'] = []
  const onError = (error: unknown, context: ErrorContext): void => void told.push([error, Object.keys(context)])
  const upstream = scriptedUpstream({ script: (reply) => reply.finish() })
  const gateway = createGateway({ upstream, clock, recovery: false, onError, ...options })
  const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })
  const post: Bed['post'] = () => gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
  return { gateway, clock, told, post }
}
/** What is printed while a test runs, and nothing else is. */
function printed(): string[] {
  const lines: string[] = []
  const spy = vi.spyOn(console, 'error').mockImplementation((line: unknown) => void lines.push(String(line)))
  onTestFinished(() => spy.mockRestore())
  return lines
}
const boom = new Error('boom')
const thrown = (): never => {
  throw boom
}
const rejected = (): Promise<never> => Promise.reject(boom)

test.for<[what: string, onRunEnd: () => unknown]>([
  ['throws', thrown],
  ['rejects', rejected],
  // oxlint-disable-next-line unicorn/no-thenable -- some databases' queries are such.
  ['gives a thenable that rejects', () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(boom) })],
])('onError: is told of an onRunEnd that %s, and the reply is whole', async ([, onRunEnd]) => {
  const { post, told, gateway } = bed({ onRunEnd })
  expect((await post()).status).toBe(200)
  await gateway.close()
  expect(told).toEqual([[boom, ['run', 'context']]])
})

test.for<[what: string, options: Partial<GatewayOptions>]>([
  ['an authorize that throws', { authorize: thrown }],
  ['an authorize that rejects', { authorize: rejected }],
  ['a clientOf that throws', { clientOf: thrown }],
  ['a clientOf that rejects', { clientOf: rejected }],
])('onError: is told of %s, and the request is 500 without its words', async ([, options]) => {
  const { post, told } = bed(options)
  const response = await post()
  expect([response.status, (await response.text()).includes('boom')]).toEqual([500, false])
  expect(told).toEqual([[boom, ['request']]])
})

test('onError: is told of a clientOf that gives something else', async () => {
  const { post, told } = bed({ clientOf: () => 7 as never })
  expect((await post()).status).toBe(500)
  expect(told).toEqual([[expect.any(TypeError), ['request']]])
})

test('onError: is not told of an error that a request was answered with on purpose', async () => {
  const { post, told } = bed({
    authorize: () => {
      throw new ChatError('unauthorized', 'Log in.')
    },
  })
  expect((await post()).status).toBe(401)
  expect(told).toEqual([])
})

test('onError: is told what an upstream of the app threw, and not what a model server said', async () => {
  const upstream = scriptedUpstream()
  const { post, told } = bed({ upstream })
  for (const error of [
    boom,
    new ChatError('upstream_rejected', 'Too long.'),
    new ChatError('upstream_failed', 'No.'),
  ]) {
    const response = post()
    ;(await upstream.next()).fail(error)
    await response
  }
  expect(told).toEqual([[boom, ['run', 'context']]])
})

test('onError: is told of a status that throws, and GET of the base answers', async () => {
  for (const status of [thrown, rejected]) {
    const { gateway, told } = bed({ upstream: { ...scriptedUpstream(), status } })
    const response = await gateway(new Request('http://gateway.test/api/chat'))
    expect([response.status, await response.json()]).toMatchObject([200, { upstream: { state: 'unreachable' } }])
    expect(told).toEqual([[boom, []]])
  }
})

test('onError: one that throws or rejects itself ends nothing: both errors are printed', async () => {
  for (const fail of [thrown, rejected]) {
    const lines = printed()
    const { post, gateway } = bed({
      onRunEnd: () => {
        throw new Error('first')
      },
      onError: fail,
    })
    expect((await post()).status).toBe(200)
    await gateway.close()
    expect(lines).toEqual(['midstream: Error: boom', 'midstream: Error: first'])
  }
})

test('onError: without it a line is printed, the same one once a minute, with its causes', () => {
  const lines = printed()
  const clock = manualClock()
  const { report } = createAppErrors(undefined, clock)
  const error = new Error('no room\nfake: line', { cause: new TypeError('disk') })
  for (let i = 0; i < 100; i++) report(error, {})
  expect(lines).toEqual(['midstream: Error: no room fake: line (because of TypeError: disk)'])
  clock.advance(60_000)
  report(error, {})
  expect(lines).toHaveLength(2)
})

test('onError: however many different errors there are, few lines are printed, and none is long', () => {
  const lines = printed()
  const { report } = createAppErrors(undefined, manualClock())
  for (let i = 0; i < 1_000; i++) report(new Error(`${i} ${'x'.repeat(10_000)}`), {})
  const odd = { toString: thrown }
  report(odd, {})
  expect(lines).toHaveLength(20)
  expect(Math.max(...lines.map(({ length }) => length))).toBe(500)
})

test('onError: what can only be written by throwing is printed all the same', () => {
  const lines = printed()
  const { report } = createAppErrors(undefined, manualClock())
  report({ toString: thrown }, {})
  report(undefined, {})
  const round = new Error('round')
  round.cause = round
  report(round, {})
  expect(lines.map((line) => line.slice(0, 40))).toEqual(
    [
      'midstream: an error that cannot be written',
      'midstream: undefined',
      'midstream: Error: round (because of Error: round)',
    ].map((line) => line.slice(0, 40)),
  )
})

test('close: waits for an onRunEnd that is not done', async () => {
  const saved = Promise.withResolvers<void>()
  const { post, gateway } = bed({ onRunEnd: () => saved.promise })
  await post()
  let isClosed = false
  const closed = gateway.close().then(() => (isClosed = true))
  await turn()
  expect(isClosed).toBe(false)
  saved.resolve()
  await closed
})

test('close: an onRunEnd that never settles is given up after saveMs, and said', async () => {
  const { post, gateway, clock, told } = bed({ onRunEnd: () => new Promise(() => undefined) })
  await post()
  const closed = gateway.close({ saveMs: 500 })
  await turn()
  clock.advance(500)
  await closed
  expect(told).toEqual([[expect.objectContaining({ message: expect.stringContaining('500 ms') }), []]])
  expect(clock.timers).toBe(0)
})

test('upstream: an async `open` that rejects ends its run, and not the process', async () => {
  const cause = new Error('no')
  // oxlint-disable-next-line typescript/no-misused-promises -- what an app may well write.
  const { post, told } = bed({ upstream: { name: 'own', model: 'm', open: () => Promise.reject(cause) } })
  expect((await post()).status).toBe(502)
  expect(told).toEqual([[cause, ['run', 'context']]])
})

test('upstream: an async transport that rejects ends its run, and not the process', async () => {
  // oxlint-disable-next-line typescript/no-misused-promises -- what an app may well write.
  const { post } = bed({ upstream: ollama({ model: 'm', transport: () => Promise.reject(new Error('no')) }) })
  expect((await post()).status).toBe(503)
})

test.for([undefined, null, 'no', {}])('upstream: an error event of %j ends its run', async (error) => {
  const upstream = fromIterable({
    name: 'own',
    model: 'm',
    async *generate() {
      yield [{ error: error as never }]
    },
  })
  const { post } = bed({ upstream })
  expect((await post()).status).toBe(502)
})
