import type { Dialect } from '../dialect.ts'
import { countsUsage, effort } from './common.ts'

export const openai: Dialect = {
  url: 'https://api.openai.com/v1',
  apiKeyVariable: 'OPENAI_API_KEY',
  continuation: null,
  echo: 'never',
  send: countsUsage,
  think: effort,
  // Reasoning models refuse `max_tokens`, and the API refuses fields that it does not know.
  options: {
    max_tokens: 'max_completion_tokens',
    num_predict: 'max_completion_tokens',
    top_k: null,
    min_p: null,
    repeat_penalty: null,
  },
  history: {},
  listsModels: true,
}
