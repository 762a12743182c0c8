import type { Usage } from '../../wire/events.ts'

/** A figure as servers write it, some of them as a text; undefined for what is none. */
export function figure(given: unknown): number | undefined {
  const value = typeof given === 'string' && /^\s*\d{1,12}\s*$/.test(given) ? Number(given) : given
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

/**
 * What a server has counted; whatever is no figure was not.
 * @param before - What it had counted before: figures only grow, and some servers say 0 at the end. The same object where they have not.
 */
export function countedUsage(prompt: unknown, completion: unknown, before?: Usage): Usage | undefined {
  const read = larger(figure(prompt), before?.prompt_tokens)
  const written = larger(figure(completion), before?.completion_tokens)
  if (before && before.prompt_tokens === read && before.completion_tokens === written) return before
  if (read === undefined && written === undefined) return undefined
  return {
    ...(read === undefined ? {} : { prompt_tokens: read }),
    ...(written === undefined ? {} : { completion_tokens: written }),
  }
}

export function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
