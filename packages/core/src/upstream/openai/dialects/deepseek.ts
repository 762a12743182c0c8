import type { Dialect } from '../dialect.ts'
import { countsUsage } from './common.ts'

export const deepseek: Dialect = {
  url: 'https://api.deepseek.com/v1',
  apiKeyVariable: 'DEEPSEEK_API_KEY',
  // Newer models think unless they are told not to.
  continuation: { message: { prefix: true }, body: { thinking: { type: 'disabled' } }, path: '/beta' },
  echo: 'never',
  send: countsUsage,
  think: { on: { thinking: { type: 'enabled' } }, off: { thinking: { type: 'disabled' } } },
  history: { thinkingOfTools: 'reasoning_content' },
  listsModels: true,
}
