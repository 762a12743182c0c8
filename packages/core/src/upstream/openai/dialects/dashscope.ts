import type { Dialect } from '../dialect.ts'
import { countsUsage } from './common.ts'

export const dashscope: Dialect = {
  url: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
  apiKeyVariable: 'DASHSCOPE_API_KEY',
  // Its documents: not in thinking mode.
  continuation: { message: { partial: true }, body: { enable_thinking: false } },
  echo: 'never',
  send: countsUsage,
  think: { on: { enable_thinking: true }, off: { enable_thinking: false } },
  history: { systemFirst: true },
  listsModels: false,
}
