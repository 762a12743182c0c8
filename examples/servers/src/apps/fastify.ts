import fastify from 'fastify'
import type { Server } from 'node:http'
import { mount } from '../fastify.ts'

/** An app with something in front of every request, and a route of its own. */
export async function start(port: number): Promise<Server> {
  const app = fastify()
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-app', 'fastify'))
  app.get('/', async () => ({ app: 'fastify' }))
  app.register(mount)
  await app.listen({ port, host: '127.0.0.1' })
  return app.server
}
