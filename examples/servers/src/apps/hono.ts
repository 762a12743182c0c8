import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Server } from 'node:http'
import { mount } from '../hono.ts'

/** An app with something in front of every request, and a route of its own. */
export function start(port: number): Server {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.header('X-App', 'hono')
  })
  app.get('/', (context) => context.json({ app: 'hono' }))
  mount(app)
  return serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }) as Server
}
