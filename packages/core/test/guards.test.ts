import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import http2 from 'node:http2'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions, type GatewayRequest } from '../src/gateway/index.ts'
import { toNodeListener, type NodeListener } from '../src/node/index.ts'
import { scriptedUpstream, type ScriptedUpstream } from '../src/testing/index.ts'
import { listen } from './support/listen.ts'

// Checks that stand in front of the gateway, and requests that try to get past them.

const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })
/** The status of a request whose every byte is the test's own. */
async function send(port: number, target: string, host = `127.0.0.1:${port}`, more = ''): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  return Number((await text(socket)).slice(9, 12))
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void
const isKnown = (authorization: string | undefined): boolean => authorization === 'Bearer good'

const servers: Readonly<Record<string, (listener: NodeListener) => Promise<number>>> = {
  'app.use() of Express': async (listener) => {
    const app = express()
    app.use('/api/chat', (request, response, next) => {
      if (isKnown(request.headers.authorization)) next()
      else response.status(401).end()
    })
    app.use(listener)
    app.use((_request, response) => void response.status(404).end())
    return (await listen(app)).port
  },
  'a check of the raw text': async (listener) => {
    const handler: Handler = (request, response) => {
      if (request.url?.startsWith('/api/chat') && !isKnown(request.headers.authorization))
        return void response.writeHead(401).end()
      listener(request, response)
    }
    return (await listen(handler)).port
  },
  'a hook of Fastify that looks at the text': (listener) =>
    fastifyPort((server) => {
      server.addHook('onRequest', (request, reply, done) => {
        if (request.url.startsWith('/api/chat') && !isKnown(request.headers.authorization)) void reply.code(401).send()
        else done()
      })
      server.addHook('onRequest', (request, reply, done) => listener(request.raw, reply.raw, done))
    }),
  'guards of routes in Fastify': (listener) =>
    fastifyPort((server) => {
      server.removeAllContentTypeParsers()
      server.addContentTypeParser('*', (_request, _payload, done) => done(null))
      for (const path of ['/api/chat', '/api/chat/*', '/free/*']) {
        server.all(
          path,
          {
            onRequest: (request, reply, done) => {
              if (path !== '/free/*' && !isKnown(request.headers.authorization)) void reply.code(401).send()
              else done()
            },
          },
          (request, reply) => {
            reply.hijack()
            listener(request.raw, reply.raw)
          },
        )
      }
    }),
}
async function fastifyPort(build: (server: FastifyInstance) => void): Promise<number> {
  const server = fastify({ forceCloseConnections: true })
  build(server)
  onTestFinished(() => server.close())
  return Number(new URL(await server.listen({ port: 0, host: '127.0.0.1' })).port)
}
function gatewayOf(options: Partial<GatewayOptions> = {}): { upstream: ScriptedUpstream; listener: NodeListener } {
  const upstream = scriptedUpstream({ script: (reply) => reply.finish() })
  const gateway = createGateway({ upstream, ...options })
  onTestFinished(() => gateway.close())
  return { upstream, listener: toNodeListener(gateway) }
}

const ways: readonly (readonly [target: string, host?: string])[] = [
  ['/api/chat'],
  ['/api/chat/'],
  ['/api/chat?x'],
  ['/api/./chat'],
  ['/api/chat/.'],
  ['/x/../api/chat'],
  ['/free/../api/chat'],
  ['/free/%2e%2e/api/chat'],
  ['/free/..%2fapi/chat'],
  ['/free/..\\..\\api\\chat'],
  ['/api/%2e/chat'],
  ['/api/%2E/chat'],
  ['/x/%2e%2e/api/chat'],
  ['/x/.%2e/api/chat'],
  ['/api\\chat'],
  ['\\api\\chat'],
  ['/api%2fchat'],
  ['/api%5cchat'],
  ['/%61pi/chat'],
  ['/API/chat'],
  ['//api/chat'],
  ['///api/chat'],
  ['/api//chat'],
  ['/api/chat;x'],
  ['/;/api/chat'],
  ['/api/chat#x'],
  ['/#/../api/chat'],
  ['/?/api/chat'],
  ['/free/?/../../api/chat'],
  ['//evil.example/api/chat'],
  ['http://evil.example/api/chat'],
  ['http://x/../api/chat'],
  ['api/chat'],
  ['@h/api/chat'],
  ['*'],
  ['/', 'x/api/chat?'],
  ['/', 'x/api/chat#'],
  ['/', 'x/api/chat'],
  ['/chat', 'x/api'],
  ['/free/x', 'x/api/chat#'],
  ['/free/x', 'x/api/chat?'],
  ['/free/../../api/chat', 'x/y'],
  ['/free/x', 'a@b/api/chat?'],
  ['/free/x', 'x\\api\\chat?'],
  ['/api/chat', 'evil.example/../x'],
  ['/', ''],
]
for (const [name, mount] of Object.entries(servers)) {
  test(`guards: ${name} is not got past by any way of writing the path or the host`, async () => {
    const { upstream, listener } = gatewayOf()
    const port = await mount(listener)
    for (const [target, host] of ways) {
      const status = await send(port, target, host)
      expect([target, host, [400, 401, 404].includes(status), upstream.replies.length]).toEqual([target, host, true, 0])
    }
    expect(await send(port, '/api/chat', undefined, 'Authorization: Bearer good\r\n')).toBe(200)
    expect(await send(port, '/api/chat', 'x/y', 'Authorization: Bearer good\r\n')).toBe(400)
    expect(upstream.replies).toHaveLength(1)
  })
}

test('guards: a host that is none is 400, and of another path it is no matter of the gateway', async () => {
  const { listener } = gatewayOf()
  const { port } = await listen((request, response) =>
    listener(request, response, () => void response.writeHead(299).end()),
  )
  for (const host of ['', 'a b', 'x/api/chat?', 'a@b', '[', 'a:b']) {
    expect([host, await send(port, '/api/chat', host)]).toEqual([host, 400])
    expect([host, await send(port, '/', host)]).toEqual([host, 299])
  }
})

test('guards: a name that was pointed here is refused without authorize, and nothing is generated', async () => {
  const { listener, upstream } = gatewayOf()
  const { port } = await listen(listener)
  for (const host of ['evil.example', `evil.example:${port}`]) expect(await send(port, '/api/chat', host)).toBe(403)
  expect(upstream.replies).toHaveLength(0)
  for (const host of [`localhost:${port}`, 'app.localhost', '[::1]'])
    expect(await send(port, '/api/chat', host)).toBe(200)
  const known = gatewayOf({ authorize: () => 'ann' })
  expect(await send((await listen(known.listener)).port, '/api/chat', 'chat.example')).toBe(200)
})

// Headers

test('toNodeListener: authorize and clientOf get real Headers, in any case, with what came several times', async () => {
  const seen: GatewayRequest[] = []
  const see = (request: GatewayRequest): string => {
    seen.push(request)
    return 'ann'
  }
  const { listener } = gatewayOf({ authorize: see, clientOf: see })
  const { port } = await listen(listener)
  const more = 'AUTHORIZATION: Bearer x\r\nCookie: a=1\r\nCookie: b=2\r\nX-Two: 1\r\nX-Two: 2\r\nX-Raw: caf\xe9\r\n'
  expect(await send(port, '/api/chat', undefined, more)).toBe(200)
  for (const { headers } of seen) {
    expect(headers).toBeInstanceOf(Headers)
    expect(['Authorization', 'cookie', 'x-two', 'X-None', 'host'].map((name) => headers.get(name))).toEqual([
      'Bearer x',
      'a=1; b=2',
      '1, 2',
      null,
      `127.0.0.1:${port}`,
    ])
    expect(headers.has('x-raw')).toBe(true)
  }
  expect(seen).toHaveLength(2)
})

test('toNodeListener: what something in front has set and no header can hold is an error that names it, and lets nobody in', async () => {
  const { listener, upstream } = gatewayOf({ authorize: ({ headers }) => headers.get('x-user') })
  const { port } = await listen((request, response) => {
    request.headers['x-user'] = '王'
    listener(request, response)
  })
  expect(await send(port, '/api/chat')).toBe(500)
  expect(upstream.replies).toHaveLength(0)
})

// HTTP/2

async function http2Session(options: Partial<GatewayOptions> = {}): Promise<{
  authority: string
  upstream: ScriptedUpstream
  ask(headers: http2.OutgoingHttpHeaders): Promise<[number, string]>
}> {
  const { listener, upstream } = gatewayOf(options)
  const server = http2.createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const session = http2.connect(`http://127.0.0.1:${port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  return {
    authority: `127.0.0.1:${port}`,
    upstream,
    async ask(headers) {
      const stream = session.request({ ':method': 'POST', ':path': '/api/chat', ...headers })
      stream.end(headers[':method'] === 'GET' ? undefined : body)
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      return [Number(answer[':status']), await text(stream)]
    },
  }
}

test('HTTP/2: a stream comes whole, and a page of the :authority that was asked is the gateway’s own', async () => {
  const { authority, upstream, ask } = await http2Session()
  expect((await ask({ ':method': 'GET' }))[0]).toBe(200)
  expect((await ask({ origin: `http://${authority}` }))[0]).toBe(200)
  expect((await ask({ origin: 'http://evil.example' }))[0]).toBe(403)
  expect(upstream.replies).toHaveLength(1)
})

test('HTTP/2: the :authority is the host of every rule, and of Headers; two hosts are none', async () => {
  const hosts: (string | null)[] = []
  const { authority, ask } = await http2Session({
    authorize: ({ headers }) => {
      hosts.push(headers.get('host'))
      return 'ann'
    },
  })
  expect((await ask({}))[0]).toBe(200)
  expect((await ask({ host: authority, ':authority': authority }))[0]).toBe(200)
  expect((await ask({ host: 'evil.example', ':authority': authority }))[0]).toBe(400)
  expect(hosts).toEqual([authority, authority])
  const open = await http2Session()
  expect((await open.ask({ ':authority': 'evil.example' }))[0]).toBe(403)
  for (const path of ['/x/../api/chat', '/api/%2e/chat', '/api\\chat', '//api/chat'])
    expect([path, (await open.ask({ ':path': path }))[0]]).toEqual([path, 404])
})

test('HTTP/2: a client that is gone ends its run', async () => {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream })
  onTestFinished(() => gateway.close())
  const server = http2.createServer(toNodeListener(gateway)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = http2.connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  const stream = session.request({ ':method': 'POST', ':path': '/api/chat' })
  stream.end(JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] }))
  const reply = await upstream.next()
  reply.send('Hello')
  await once(stream, 'data')
  stream.close(http2.constants.NGHTTP2_CANCEL)
  await reply.left
  expect(reply.signal.aborted).toBe(true)
})
