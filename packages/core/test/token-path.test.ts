import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tickerOf } from '../src/ticker.ts'
import { systemClock, type Clock } from '../src/clock.ts'
import { createGateway } from '../src/gateway/index.ts'
import { toNodeListener } from '../src/node/listener.ts'
import { nodeTransport } from '../src/node/transport.ts'
import { gatewayFetch, scriptedUpstream } from '../src/testing/index.ts'
import { anthropic, ollama, openaiCompatible, type Transport } from '../src/upstream/index.ts'
import type { Upstream } from '../src/upstream/upstream.ts'
import { said, start } from './support/anthropic-samples.ts'
import { utf8 } from './support/bytes.ts'
import { turn } from './support/event-loop.ts'
import { startReply } from './support/start-reply.ts'
import { listen } from './support/listen.ts'

/** What a token costs on its way from the model server's socket to the log. */

interface Kind {
  readonly name: string
  readonly begin: string
  readonly token: string
  make(url: string): Upstream
}
const transport = nodeTransport()
const chunk = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`
const kinds: readonly Kind[] = [
  {
    name: 'ollama',
    begin: '',
    token: '{"message":{"role":"assistant","content":" word"},"done":false}\n',
    make: (url) => ollama({ url, model: 'm', transport }),
  },
  {
    name: 'openaiCompatible',
    begin: '',
    token: chunk(' word'),
    make: (url) => openaiCompatible({ url: `${url}/v1`, model: 'm', transport }),
  },
  {
    name: 'anthropic',
    begin: start,
    token: said(' word'),
    make: (url) => anthropic({ url, model: 'm', apiKey: 'k', transport }),
  },
]

test.for(kinds)(
  'token path: $name makes no promise a token from the socket to the log',
  async ({ begin, token, make }) => {
    const tokens = 200
    const answers: ServerResponse[] = []
    const server = await listen((request, response) => {
      request.resume()
      if (request.method !== 'POST') return void response.end('{}')
      response.writeHead(200, { 'content-type': token.startsWith('{') ? 'application/x-ndjson' : 'text/event-stream' })
      answers.push(response)
      response.write(begin + token)
    })
    let promises = 0
    const hook = createHook({
      init(_id, type) {
        if (type === 'PROMISE') promises += 1
      },
    })
    const upstream = make(server.url)
    const run = startReply(upstream, tickerOf(systemClock))
    const counted = await new Promise<number>((resolve) => {
      let seen = 0
      let before = 0
      let dear = 0
      const detach = run.attach(() => {
        const here = run.log.length / ' word'.length
        if (here === seen) return
        seen = here
        if (promises > before) dear += 1
        before = promises
        // One token a read: the next one is sent once this one has come.
        if (here === 20) hook.enable()
        if (here < tokens) return void answers[0]!.write(token)
        hook.disable()
        detach()
        resolve(dear)
      })
    })
    run.interrupt('person')
    expect(run.log.partial().content).toBe(' word'.repeat(tokens))
    // Node itself and the test runner make some now and then, but none a token.
    expect(counted).toBeLessThan((tokens - 20) / 10)
  },
)

test('token path: however many runs stream and wait, all of their coarse waits are one timer', async () => {
  let armed = 0
  let most = 0
  const clock: Clock = {
    now: () => systemClock.now(),
    after(ms, fire) {
      armed += 1
      most = Math.max(most, armed)
      let isArmed = true
      const disarm = (): void => {
        if (isArmed) armed -= 1
        isArmed = false
      }
      const stop = systemClock.after(ms, () => {
        disarm()
        fire()
      })
      return () => {
        disarm()
        stop()
      }
    },
  }
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, clock })
  const fetch = gatewayFetch(gateway)
  const bodies = await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const body = JSON.stringify({ messages: [{ role: 'user', content: `Question ${n}` }], reconnect: true })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch('/api/chat', { method: 'POST', headers, body })
      return answer.body!.getReader()
    }),
  )
  // Readers that wait for a window and for a ping, fuses that wait for text, and runs that nobody reads any more.
  for (const reader of bodies) await reader.read()
  for (const reply of upstream.replies) reply.send('one', 'two')
  await turn()
  for (const reader of bodies.slice(0, 25)) await reader.cancel()
  await turn()
  expect(upstream.openReplies).toBe(50)
  expect([armed, most]).toEqual([1, 1])
  await Promise.all(bodies.slice(25).map((reader) => reader.cancel()))
  await gateway.close()
  expect(armed).toBe(0)
})

test('token path: by their defaults, gateways, upstreams and transports share one timer of the process', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  // It takes connections and says nothing: no TLS comes about.
  const mute = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  onTestFinished(() => void mute.close())
  const connected = once(mute, 'connection')
  const silent: Transport = () => undefined
  // Its words do not end.
  const busy: Transport = ({ signal }, sink) => {
    signal.addEventListener('abort', () => sink.error(signal.reason))
    sink.head({ status: 503, header: () => undefined })
    void sink.data(utf8('busy'))
  }
  const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}`
  const gateways = [
    ollama({ model: 'm', transport: silent }),
    openaiCompatible({ model: 'm', dialect: 'lmstudio', transport: silent }),
    openaiCompatible({ model: 'm', transport: busy }),
    anthropic({ model: 'm', apiKey: 'k', transport: busy }),
    anthropic({ model: 'm', apiKey: 'k', url, transport: nodeTransport() }),
  ].map((upstream) => createGateway({ upstream }))
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
  const answers: Response[] = []
  for (const gateway of gateways) answers.push(await gatewayFetch(gateway)('/api/chat', { method: 'POST', body }))
  await connected
  expect(vi.getTimerCount()).toBe(1)
  for (const answer of answers) await answer.body?.cancel()
  for (const gateway of gateways) await gateway.close()
  expect(vi.getTimerCount()).toBe(0)
})

test('token path: what is due at one time is one write of one string, whatever frames it holds', async () => {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream, coalesce: { windowMs: 0 } })
  onTestFinished(() => gateway.close())
  const writes: unknown[] = []
  const answer = toNodeListener(gateway)
  const server = await listen((request, response) => {
    const write = response.write.bind(response) as (chunk: unknown) => boolean
    response.write = (chunk: unknown) => {
      writes.push(chunk)
      return write(chunk)
    }
    answer(request, response)
  })
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
  const asked = fetch(`${server.url}/api/chat`, { method: 'POST', body })
  const reply = await upstream.next()
  const response = await asked
  for (const batch of [
    ['Once'],
    [' upon', ' a'],
    [{ thinking: 'hm' }, ' time', { data: { type: 'x' } }, '.'],
  ] as const) {
    reply.send(...batch)
    await turn()
  }
  reply.finish()
  await response.text()
  expect(writes.map((text) => String(text).match(/(?<=^data: \{")\w+/gm))).toEqual([
    ['session_id', 'status'],
    ['status', 'message'],
    ['message'],
    ['thinking', 'message', 'data', 'message'],
    ['done'],
  ])
  expect(writes.every((text) => typeof text === 'string' && text.endsWith('\n\n'))).toBe(true)
})
