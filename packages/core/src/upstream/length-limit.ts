import type { Json } from '../wire/json.ts'

/** What servers call the most tokens that a reply may have. */
const names = /* @__PURE__ */ new Set(['max_tokens', 'max_completion_tokens', 'num_predict'])

/** The fields of a request for the rest of a reply: a limit of its length counts what there is of it, tokens. */
export function withinLength(fields: Json, spent = 0): Json {
  if (spent === 0) return fields
  const lowered = Object.entries(fields).map(([name, value]) => {
    // Ollama's -1 and -2 are no limits. A server that is asked for no tokens at all refuses, or takes that for no limit.
    const isLimit = names.has(name) && typeof value === 'number' && value > 0
    return [name, isLimit ? Math.max(1, value - spent) : value]
  })
  return Object.fromEntries(lowered) as Json
}
