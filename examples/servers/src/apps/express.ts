import express from 'express'
import type { Server } from 'node:http'
import { mount } from '../express.ts'

/** An app with something in front of every request, and a route of its own. */
export function start(port: number): Server {
  const app = express()
  app.use((_request, response, next) => {
    response.set('X-App', 'express')
    next()
  })
  app.get('/', (_request, response) => void response.json({ app: 'express' }))
  mount(app)
  return app.listen(port, '127.0.0.1')
}
