import { continuesReplies } from '../../reply/claude-versions.ts'
import type { Dialect } from '../dialect.ts'
import { countsUsage } from './common.ts'

export const openrouter: Dialect = {
  url: 'https://openrouter.ai/api/v1',
  apiKeyVariable: 'OPENROUTER_API_KEY',
  // A trailing reply is passed on as it is. Claude goes on with it, or says that it does not; others begin anew, silently.
  continuation: { models: (model) => /^~?anthropic\//.test(model) && continuesReplies(model) },
  echo: 'maybe',
  send: countsUsage,
  think: {
    on: { reasoning: { enabled: true } },
    off: { reasoning: { enabled: false } },
    level: ['reasoning', 'effort'],
  },
  history: {},
  listsModels: false,
}
