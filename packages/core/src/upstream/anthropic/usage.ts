import type { Usage } from '../../wire/events.ts'
import type { Json } from '../../wire/json.ts'
import { countedUsage } from '../reply/counted-usage.ts'

/** What counts of a usage. A server may well count more. */
export const figures = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const

/** What was read from the cache, or written to it, was read as well. */
export function usageOf(counts: Json): Usage | undefined {
  const { input_tokens: input, output_tokens: output } = counts
  const figure = (name: string): number => (typeof counts[name] === 'number' ? counts[name] : 0)
  const cached = figure('cache_read_input_tokens') + figure('cache_creation_input_tokens')
  return countedUsage(typeof input === 'number' ? input + cached : undefined, output)
}
