import type { Json } from '../wire/json.ts'

/** What servers call the most tokens that a reply may have, and the least that are to be asked for. */
const limits: ReadonlyMap<string, number> = /* @__PURE__ */ new Map([
  // A server that is asked for no tokens at all refuses, or takes that for no limit.
  ...['max_tokens', 'max_completion_tokens', 'num_predict', 'n_predict'].map((name) => [name, 1] as const),
  ...['min_tokens', 'min_new_tokens'].map((name) => [name, 0] as const),
])

/** The fields of a request for the rest of a reply: a limit of its length counts what there is of it, tokens. */
export function withinLength(fields: Json, spent = 0): Json {
  if (spent === 0) return fields
  const lowered = Object.entries(fields).map(([name, value]) => {
    const least = limits.get(name)
    // Ollama's -1 and -2 are no limits.
    const isLimit = least !== undefined && typeof value === 'number' && value > 0
    return [name, isLimit ? Math.max(least, value - spent) : value]
  })
  return Object.fromEntries(lowered) as Json
}
