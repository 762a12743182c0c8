import type { Dialect } from '../dialect.ts'
import { countsUsage, effort } from './common.ts'

export const lmstudio: Dialect = {
  url: 'http://127.0.0.1:1234/v1',
  continuation: null,
  echo: 'never',
  send: countsUsage,
  think: effort,
  history: { systemFirst: true, userFirst: true },
  listsModels: true,
  residency: 'lmstudio',
}
