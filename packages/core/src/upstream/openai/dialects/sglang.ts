import type { Dialect } from '../dialect.ts'
import { countsUsage, template } from './common.ts'

export const sglang: Dialect = {
  url: 'http://127.0.0.1:30000/v1',
  // Without it a trailing reply silently becomes the user's, and a model that thinks takes it for thoughts without the other.
  continuation: { body: { continue_final_message: true, ...template.off } },
  echo: 'never',
  send: countsUsage,
  think: template,
  history: { systemFirst: true, userFirst: true },
  listsModels: true,
}
