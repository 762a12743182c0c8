import { Router } from '@koa/router'
import Koa from 'koa'
import type { Server } from 'node:http'
import { mount } from '../koa.ts'

/** An app with something in front of every request, and a route of its own. */
export function start(port: number): Server {
  const app = new Koa()
  const router = new Router()
  app.use((context, next) => {
    context.set('X-App', 'koa')
    return next()
  })
  router.get('/', (context) => void (context.body = { app: 'koa' }))
  mount(router)
  app.use(router.routes())
  return app.listen(port, '127.0.0.1')
}
