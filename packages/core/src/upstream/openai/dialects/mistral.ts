import type { Dialect } from '../dialect.ts'
import { effort } from './common.ts'

export const mistral: Dialect = {
  url: 'https://api.mistral.ai/v1',
  apiKeyVariable: 'MISTRAL_API_KEY',
  // Nothing about thinking: most models refuse the field.
  continuation: { message: { prefix: true } },
  echo: 'always',
  // Usage comes unasked, and unknown fields are refused.
  send: {},
  think: { ...effort, on: { reasoning_effort: 'high' } },
  history: { systemFirst: true, userFirst: true, replyAfterTool: true, callIdChars: 9 },
  listsModels: true,
}
