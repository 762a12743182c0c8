import { fromIterable } from '../src/upstream/from-iterable.ts'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { toNodeListener } from '../src/node/index.ts'
import { manualClock, scriptedUpstream, type ManualClock } from '../src/testing/index.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { turn } from './support/event-loop.ts'
import { listen } from './support/listen.ts'

const hello = { messages: [{ role: 'user', content: 'Hello' }], reconnect: true }

interface Bed {
  readonly clock: ManualClock
  readonly gateway: Gateway
  readonly upstream: ReturnType<typeof scriptedUpstream>
  post(body?: object): Promise<Response>
}
function bed(options: Partial<GatewayOptions> = {}): Bed {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, clock, ...options })
  onTestFinished(() => gateway.close())
  const post: Bed['post'] = (body = hello) =>
    gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body: JSON.stringify(body) }))
  return { clock, gateway, upstream, post }
}

test('unread: a body that nobody reads breaks off after 30 s, and its run goes on for as long as an orphan may', async () => {
  const { clock, gateway, upstream, post } = bed()
  const response = await post()
  const reply = await upstream.next()
  clock.advance(29_999)
  expect(gateway.stats()).toMatchObject({ runs: 1, readers: 1 })
  clock.advance(1)
  expect(gateway.stats()).toMatchObject({ runs: 1, readers: 0 })
  await expect(response.text()).rejects.toMatchObject({ code: 'dropped', retryable: true })
  expect(reply.signal.aborted).toBe(false)
  clock.advance(30_000)
  expect(reply.signal.aborted).toBe(true)
})

test('unread: a body that is read, however slow its model is, never breaks off', async () => {
  const { clock, gateway, upstream, post } = bed()
  const body = (await post()).body!.getReader()
  const reply = await upstream.next()
  await body.read()
  let isDone = false
  const rest = (async () => {
    while (!(await body.read()).done);
    isDone = true
  })()
  for (let i = 0; i < 30; i++) {
    clock.advance(5_000)
    await turn()
  }
  expect([isDone, gateway.stats().readers]).toEqual([false, 1])
  reply.finish()
  await rest
  expect([gateway.stats().readers, clock.timers]).toEqual([0, 0])
})

test('unread: a reader of an ended run counts until it has taken the end, or 30 s', async () => {
  const { clock, gateway, upstream, post } = bed()
  const responses = [await post(), await post()]
  for (const _ of responses) (await upstream.next()).finish()
  await turn()
  expect(gateway.stats()).toMatchObject({ runs: 0, readers: 2 })
  await responses[0]!.text()
  expect(gateway.stats().readers).toBe(1)
  clock.advance(30_000)
  expect([gateway.stats().readers, clock.timers]).toEqual([0, 0])
})

test('unread: one that is cancelled counts once, whatever comes later', async () => {
  const { clock, gateway, post } = bed()
  const response = await post()
  await response.body!.cancel()
  await response.body!.cancel()
  clock.advance(29_000)
  expect([gateway.stats().readers]).toEqual([0])
})

test('unread: a socket that takes nothing is closed after limits.unreadMs', async () => {
  const clock = manualClock()
  let given = 0
  const upstream = fromIterable({
    name: 'big',
    model: 'm',
    async *generate(): AsyncGenerator<UpstreamEvent[]> {
      for (; given < 200; given++) yield [{ message: '\u0001'.repeat(16_000) }]
      yield [{ finish: 'stop' }]
    },
  })
  const ended = Promise.withResolvers<void>()
  const gateway = createGateway({ upstream, clock, limits: { unreadMs: 1_000 }, onRunEnd: () => ended.resolve() })
  const { port } = new URL((await listen(toNodeListener(gateway))).url)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  const body = JSON.stringify(hello)
  socket.pause()
  socket.write(`POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  await ended.promise
  // 19 MB of JSON are more than any socket takes by itself.
  expect(gateway.stats()).toMatchObject({ runs: 0, readers: 1 })
  while (clock.timers === 0) await turn()
  for (let i = 0; i < 100 && gateway.stats().readers > 0; i++) {
    clock.advance(1_000)
    await turn()
  }
  expect(gateway.stats().readers).toBe(0)
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  socket.resume()
  await closed
  expect(clock.timers).toBe(0)
})

test('unread: a long replay that is read whole comes whole over a socket', async () => {
  const text = '春'.repeat(300_000)
  const upstream = scriptedUpstream({
    script: (reply) => {
      reply.send(text)
      reply.finish()
    },
  })
  const gateway = createGateway({ upstream })
  onTestFinished(() => gateway.close())
  const { url } = await listen(toNodeListener(gateway))
  const frames = await (await fetch(`${url}/api/chat`, { method: 'POST', body: JSON.stringify(hello) })).text()
  const read = frames
    .split('\n')
    .flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6)) as { message?: string }] : []))
  expect(read.map(({ message = '' }) => message).join('')).toBe(text)
})

test('unread: a poll counts as a reader until its answer is taken, and its body then ends', async () => {
  const { gateway, upstream, clock, post } = bed()
  const first = await post({ ...hello, stream: true })
  const reply = await upstream.next()
  reply.send('Once upon')
  const runId = first.headers.get('run-id')
  const poll = (): Promise<Response> => gateway(new Request(`http://gateway.test/api/chat/runs/${runId}?poll=1`))
  await first.body?.cancel()
  const answers = [await poll(), await poll(), await poll()]
  expect(gateway.stats().readers).toBe(3)
  const said = await answers[0]!.text()
  expect(said).toContain('Once upon')
  expect(said).not.toContain('"done"')
  expect(gateway.stats().readers).toBe(2)
  await answers[1]!.body?.cancel()
  expect(gateway.stats().readers).toBe(1)
  clock.advance(30_000)
  expect(gateway.stats().readers).toBe(0)
  await expect(answers[2]!.text()).rejects.toMatchObject({ code: 'dropped' })
})

test('unread: a poll of an ended run, and one over a socket, take the end', async () => {
  const { gateway, upstream, post } = bed()
  const { url } = await listen(toNodeListener(gateway))
  const first = await post({ ...hello, stream: true })
  const address = `${url}/api/chat/runs/${first.headers.get('run-id')}?poll=1`
  const reply = await upstream.next()
  reply.send('Once')
  expect(await (await fetch(address)).text()).toContain('Once')
  expect(gateway.stats().readers).toBe(1)
  reply.finish()
  expect(await first.text()).toContain('"done":true')
  expect(await (await fetch(address)).text()).toContain('"done":true')
  expect(gateway.stats().readers).toBe(0)
})
