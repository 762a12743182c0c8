import { toNodeListener } from '@midstream/core/node'
import type { Express } from 'express'
import { gateway } from './gateway.ts'

/** After what checks and logs, before what reads bodies. */
export function mount(app: Express): void {
  app.use(toNodeListener(gateway))
}
