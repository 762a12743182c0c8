import { Router } from '@koa/router'
import { createGateway, type Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { ollama } from '@midstream/core/upstream'
import Koa from 'koa'
import type { Server } from 'node:http'
import { finished } from 'node:stream/promises'

// The app as it was: something in front of every request, and a route of its own.
const app = new Koa()
const router = new Router()
app.use((context, next) => {
  context.set('X-App', 'koa')
  return next()
})
router.get('/', (context) => void (context.body = { app: 'koa' }))

// The gateway, at /api/chat and below. What stands in front gets control back when the answer is over, or its reader gone.
const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
export const gateway: Gateway = createGateway({ upstream })
const listener = toNodeListener(gateway)
router.all(['/api/chat', '/api/chat/*rest'], async (context) => {
  context.respond = false
  listener(context.req, context.res)
  await finished(context.res).catch(() => undefined)
})

app.use(router.routes())
export const server: Server = app.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1')
