import { serve } from '@hono/node-server'
import { createGateway, type Gateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { Hono } from 'hono'
import type { Server } from 'node:http'

// The app as it was: something in front of every request, and a route of its own.
const app = new Hono()
app.use(async (context, next) => {
  await next()
  context.header('X-App', 'hono')
})
app.get('/', (context) => context.json({ app: 'hono' }))

// The gateway, at /api/chat and below: it is a handler as it is.
const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
export const gateway: Gateway = createGateway({ upstream })
app.all('/api/chat/*', (context) => gateway(context.req.raw))

const port = Number(process.env['PORT'] ?? 8080)
export const server: Server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }) as Server
