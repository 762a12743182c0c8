import { createGateway, type Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { ollama } from '@midstream/core/upstream'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { Server } from 'node:http'

// The app as it was: something in front of every request, and a route of its own.
const app = fastify()
app.addHook('onRequest', async (_request, reply) => void reply.header('x-app', 'fastify'))
app.get('/', async () => ({ app: 'fastify' }))

// The gateway, at /api/chat: a route, so that every hook comes first. In a scope of its own, as it reads bodies itself.
const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
export const gateway: Gateway = createGateway({ upstream })
const listener = toNodeListener(gateway)
const chat = (request: FastifyRequest, reply: FastifyReply): void => {
  reply.hijack()
  for (const [name, value = ''] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value)
  listener(request.raw, reply.raw)
}
app.register(async (scope) => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
  scope.all('/api/chat', chat)
  scope.all('/api/chat/*', chat)
})

await app.listen({ port: Number(process.env['PORT'] ?? 8080), host: '127.0.0.1' })
export const server: Server = app.server
