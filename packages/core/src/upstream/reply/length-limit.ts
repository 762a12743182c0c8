import type { Json } from '../../wire/json.ts'

/**
 * What servers call the most tokens that a reply may have, and the least that are to be asked for; to what each may be
 * lowered: a server that is asked for no tokens at all refuses, or takes that for no limit.
 */
const limits: Readonly<Record<string, number>> = {
  max_tokens: 1,
  max_completion_tokens: 1,
  num_predict: 1,
  n_predict: 1,
  min_tokens: 0,
  min_new_tokens: 0,
}

/** The fields of a request for the rest of a reply: a limit of its length counts what there is of it, tokens. */
export function withinLength(fields: Json, spent = 0): Json {
  if (spent === 0) return fields
  const lowered = Object.entries(fields).map(([name, value]) => {
    const least = Object.hasOwn(limits, name) ? limits[name] : undefined
    // Ollama's -1 and -2 are no limits.
    const isLimit = least !== undefined && typeof value === 'number' && value > 0
    return [name, isLimit ? Math.max(least, value - spent) : value]
  })
  return Object.fromEntries(lowered) as Json
}
