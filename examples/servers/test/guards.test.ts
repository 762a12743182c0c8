import { serve } from '@hono/node-server'
import { Router } from '@koa/router'
import { createGateway, type Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { scriptedUpstream } from '@midstream/core/testing'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'

// A check that stands in front of the gateway's paths in each framework, and requests that try to get past it.

const isKnown = (authorization: string | undefined): boolean => authorization === 'Bearer good'

/** Apps whose check names the gateway's path, and whose gateway is asked for every path. */
const apps: Readonly<Record<string, (gateway: Gateway) => Promise<Server>>> = {
  async express(gateway) {
    const app = express()
    app.use('/api/chat', (request, response, next) => {
      if (isKnown(request.headers.authorization)) next()
      else response.status(401).end()
    })
    app.use(toNodeListener(gateway))
    return listening(app.listen(0, '127.0.0.1'))
  },
  async fastify(gateway) {
    const app = fastify({ forceCloseConnections: true })
    const listener = toNodeListener(gateway)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const path of ['/api/chat', '/api/chat/*', '*'])
      app.all(path, {
        onRequest: (request, reply, done) => {
          if (path === '*' || isKnown(request.headers.authorization)) done()
          else void reply.code(401).send()
        },
        handler: (request, reply) => {
          reply.hijack()
          listener(request.raw, reply.raw)
        },
      })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  async hono(gateway) {
    const app = new Hono()
    app.use('/api/chat/*', async (context, next) => {
      if (!isKnown(context.req.header('authorization'))) return context.body(null, 401)
      await next()
      return undefined
    })
    app.all('*', (context) => gateway(context.req.raw))
    return listening(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server)
  },
  async koa(gateway) {
    const app = new Koa()
    const router = new Router()
    const listener = toNodeListener(gateway)
    router.all(['/api/chat', '/api/chat/*rest'], (context, next) => {
      if (isKnown(context.get('authorization'))) return next()
      context.status = 401
      return undefined
    })
    app.use(router.routes())
    app.use((context) => {
      context.respond = false
      listener(context.req, context.res)
    })
    return listening(app.listen(0, '127.0.0.1'))
  },
}
async function listening(server: Server): Promise<Server> {
  if (!server.listening) await once(server, 'listening')
  return server
}

const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })

/** The status of a request whose every byte is the test's own. */
async function send(port: number, target: string, host = `127.0.0.1:${port}`, more = ''): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    `POST ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  return Number((await text(socket)).slice(9, 12))
}

const targets = [
  '/api/./chat',
  '/api/chat/.',
  '/x/../api/chat',
  '/x/..%2fapi/chat',
  '/api/%2e/chat',
  '/x/%2e%2e/api/chat',
  '/x/.%2E/api/chat',
  '/api\\chat',
  '\\api\\chat',
  '/x/..\\..\\api\\chat',
  '/api%2fchat',
  '/api%5cchat',
  '/%61pi/chat',
  '/api/%63hat',
  '/api/chat%2f',
  '/API/chat',
  '//api/chat',
  '/api//chat',
  '/api/chat;x',
  '/;/api/chat',
  '/api/chat#x',
  '/#/../api/chat',
  '/?/api/chat',
  '/x/?/../../api/chat',
  '//evil.example/api/chat',
  'http://evil.example/api/chat',
  'http://x/../api/chat',
  'api/chat',
  '@h/api/chat',
  '*',
  '?/api/chat',
  '/api/chat/?',
  '/api/chat/',
  '/api/chat//',
  '/api/chat%00',
  '/api/ch\u00e4t',
  '/api\t/chat',
  '/\t/../api/chat',
]
const hosts: readonly (readonly [target: string, host: string])[] = [
  ...[
    'x/api/chat?',
    'x/api/chat#',
    'x/api/chat',
    'a@b/api/chat?',
    'x\\api\\chat?',
    'x:80/api/chat?',
    '[::1]/api/chat?',
    'x\t/api/chat?',
    '',
  ].flatMap(
    (host) =>
      [
        ['/', host],
        ['/x', host],
        ['/../api/chat', host],
        ['/chat', host],
      ] as const,
  ),
  ['/chat', 'x/api'],
]

test.for(Object.entries(apps))(
  'guards: a check of %s is not got past by any way of writing the path or the host',
  async ([, mount]) => {
    const upstream = scriptedUpstream({ script: (reply) => reply.finish() })
    const gateway = createGateway({ upstream })
    const server = await mount(gateway)
    onTestFinished(async () => {
      await gateway.close()
      server.close()
      server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    for (const [target, host] of [...targets.map((target) => [target] as const), ...hosts])
      for (const more of [
        '',
        'X-Original-URL: /api/chat\r\n',
        'X-Forwarded-Host: x/api/chat\r\n',
        'X-HTTP-Method-Override: POST\r\n',
      ]) {
        const status = await send(port, target, host, more)
        expect([target, host, more, status >= 400, upstream.replies.length]).toEqual([target, host, more, true, 0])
      }
    expect(await send(port, '/api/chat', undefined, 'Authorization: Bearer good\r\n')).toBe(200)
    expect(upstream.replies).toHaveLength(1)
  },
)
