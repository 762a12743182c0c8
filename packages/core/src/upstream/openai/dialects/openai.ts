import type { Dialect } from '../dialect.ts'
import { countsUsage, effort } from './common.ts'

export const openai: Dialect = {
  url: 'https://api.openai.com/v1',
  apiKeyVariable: 'OPENAI_API_KEY',
  continuation: null,
  echo: 'never',
  send: countsUsage,
  think: effort,
  history: {},
  listsModels: true,
}
