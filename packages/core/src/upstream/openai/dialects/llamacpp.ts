import type { Dialect } from '../dialect.ts'
import { countsUsage, template } from './common.ts'

export const llamacpp: Dialect = {
  url: 'http://127.0.0.1:8080/v1',
  // A trailing reply is continued without these, too, but then some builds say it again, and some refuse it with thinking.
  continuation: { body: { continue_final_message: true, add_generation_prompt: false, ...template.off } },
  echo: 'maybe',
  // A stopped server closes a silent stream only at its next ping, and its default may be 30 s.
  // Timings with every chunk: whoever is interrupted is told how many tokens it were.
  send: { ...countsUsage, return_progress: true, timings_per_token: true, sse_ping_interval: 1 },
  think: template,
  history: { systemFirst: true, userFirst: true },
  listsModels: false,
  health: '/health',
}
