import type { Dialect } from '../dialect.ts'
import { template } from './common.ts'

export const vllm: Dialect = {
  url: 'http://127.0.0.1:8000/v1',
  // Without the second one it stays true, and the template fails; Qwen's opens a place for thoughts without the third.
  continuation: { body: { continue_final_message: true, add_generation_prompt: false, ...template.off } },
  echo: 'never',
  // With every chunk: an interrupted reply has no last one.
  send: { stream_options: { include_usage: true, continuous_usage_stats: true } },
  think: template,
  history: { systemFirst: true, userFirst: true },
  listsModels: true,
}
