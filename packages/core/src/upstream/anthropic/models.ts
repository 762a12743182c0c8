import { record, type Json } from '../../wire/json.ts'
import { isClaudeFrom } from '../reply/claude-versions.ts'

/** The smallest budget that the API takes, tokens. */
const minBudget = 1_024
/** What of `max_tokens` goes into thinking, where a level has to become a budget. */
const shares: Readonly<Record<string, number>> = { minimal: 0.1, low: 0.25, medium: 0.5, high: 0.75 }

/**
 * The request's fields for thinking. Since 4.6 a model decides itself how much it thinks, and 4.7 refuses a budget; before
 * it wants one, below `max_tokens`. What other servers know is the budget.
 * @param asked - The request without them.
 * @see https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting
 */
export function thinkFields(model: string, think: boolean | string | undefined, asked: Json): Json {
  if (think === undefined) return {}
  if (think === false) return offFields(model)
  if (isClaudeFrom(model, 4, 6) ?? model.includes('claude-')) {
    // Without it newer models say nothing of what they think.
    const thinking = { type: 'adaptive', display: 'summarized' }
    if (typeof think !== 'string') return { thinking }
    return { thinking, output_config: { ...record(asked['output_config']), effort: think } }
  }
  const maxTokens = Number(asked['max_tokens'])
  const share = (typeof think === 'string' ? shares[think] : undefined) ?? 0.5
  const budget = Math.max(minBudget, Math.floor(maxTokens * share))
  return budget < maxTokens ? { thinking: { type: 'enabled', budget_tokens: budget } } : {}
}

/** Up to 4.8 nobody thinks unasked. Some of the newer ones cannot but think, and refuse to be told not to. */
function offFields(model: string): Json {
  if (/claude-sonnet-5[-.]5/.test(model)) return { thinking: { type: 'between_tools' } }
  return /claude-(?:haiku-5|(?:opus|sonnet)-5(?![-.]\d{1,2}(?!\d)))/.test(model)
    ? { thinking: { type: 'disabled' } }
    : {}
}
