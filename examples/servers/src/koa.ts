import { toNodeListener } from '@midstream/core/node'
import type { Router } from '@koa/router'
import { gateway } from './gateway.ts'

const listener = toNodeListener(gateway)
/** What stands in front gets control back when the answer is over, or its reader gone. */
export function mount(router: Router): void {
  router.all(['/api/chat', '/api/chat/*rest'], async (context) => {
    context.respond = false
    await new Promise((resolve) => listener(context.req, context.res.once('close', resolve)))
  })
}
