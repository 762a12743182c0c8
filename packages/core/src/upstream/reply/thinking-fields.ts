import type { Json } from '../../wire/json.ts'
import { thoughts } from './said.ts'

/** Servers call it differently, and some say it under two names at once, or in parts. */
const names = [
  'reasoning_content',
  'reasoning',
  'thinking',
  'reasoning_text',
  'reasoningContent',
  'thinking_content',
  'thinkingContent',
  'thought',
  'thoughts',
  'chain_of_thought',
  'analysis',
  'reasoning_details',
  'thinking_blocks',
] as const

/**
 * The thinking of a delta or a message: that of the first field which says something.
 * @param own - Fields that the dialect knows, which go before the others.
 */
export function thinkingIn(place: Json, own: readonly string[] = []): string {
  for (const name of [...own, ...names]) {
    const value = place[name]
    const said = value === undefined ? '' : thoughts(value)
    if (said !== '') return said
  }
  return ''
}

/** The same of a choice or a frame, where an object is what was asked for. */
export function thinkingBeside(place: Json, own: readonly string[] = []): string {
  for (const name of [...own, ...names]) {
    const said = place[name]
    if (typeof said === 'string' && said !== '') return said
  }
  return ''
}
