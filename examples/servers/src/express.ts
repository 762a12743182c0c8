import { createGateway, type Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { ollama } from '@midstream/core/upstream'
import express from 'express'
import type { Server } from 'node:http'

// The app as it was: something in front of every request, and a route of its own.
const app = express()
app.use((_request, response, next) => {
  response.set('X-App', 'express')
  next()
})
app.get('/', (_request, response) => void response.json({ app: 'express' }))

// The gateway, at /api/chat: after what checks and logs, before what reads bodies.
const upstream = ollama({ url: process.env['OLLAMA_URL'], model: process.env['MODEL'] ?? 'qwen3:32b' })
export const gateway: Gateway = createGateway({ upstream })
app.use(toNodeListener(gateway))

export const server: Server = app.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1')
