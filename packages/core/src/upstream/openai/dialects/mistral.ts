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
  options: {
    seed: 'random_seed',
    max_completion_tokens: 'max_tokens',
    num_predict: 'max_tokens',
    top_k: null,
    min_p: null,
    repeat_penalty: null,
  },
  think: { ...effort, on: { reasoning_effort: 'high' } },
  history: { systemFirst: true, userFirst: true, replyAfterTool: true, callIdChars: 9 },
  listsModels: true,
}
