import type { Usage } from '../../wire/events.ts'

/** What a server has counted; whatever is no figure was not. */
export function countedUsage(prompt: unknown, completion: unknown): Usage | undefined {
  if (typeof prompt !== 'number' && typeof completion !== 'number') return undefined
  return {
    ...(typeof prompt === 'number' ? { prompt_tokens: prompt } : {}),
    ...(typeof completion === 'number' ? { completion_tokens: completion } : {}),
  }
}
