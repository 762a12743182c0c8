import type { Hono } from 'hono'
import { gateway } from './gateway.ts'

/** The gateway is a handler as it is; `*` stands for nothing, too. */
export function mount(app: Hono): void {
  app.all('/api/chat/*', (context) => gateway(context.req.raw))
}
