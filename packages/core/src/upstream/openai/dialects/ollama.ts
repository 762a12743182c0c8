import type { Dialect } from '../dialect.ts'
import { countsUsage, effort } from './common.ts'

export const ollama: Dialect = {
  url: 'http://127.0.0.1:11434/v1',
  // Templates that close a trailing reply begin a new one, silently; only `/api/chat`, which `ollama()` speaks, can be asked.
  continuation: null,
  echo: 'never',
  send: countsUsage,
  think: effort,
  history: {},
  listsModels: true,
  residency: 'ollama',
}
