import type { Json } from '../../../wire/json.ts'
import type { ThinkSwitch } from '../dialect.ts'

/** Fields of many servers. */
export const countsUsage: Json = { stream_options: { include_usage: true } }
export const effort: ThinkSwitch = {
  on: { reasoning_effort: 'medium' },
  off: { reasoning_effort: 'none' },
  level: ['reasoning_effort'],
}
/** Of servers that render a chat template themselves. A template that knows no such word ignores it. */
export const template: ThinkSwitch = {
  on: { chat_template_kwargs: { enable_thinking: true } },
  off: { chat_template_kwargs: { enable_thinking: false } },
  level: ['chat_template_kwargs', 'reasoning_effort'],
}
