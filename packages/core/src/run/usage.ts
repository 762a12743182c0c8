import type { Usage } from '../wire/events.ts'

/** What is counted of a run's tokens: those of attempts that failed, too, as they were made. */
export interface UsageMeter {
  /** One delta of the upstream; its size in UTF-8 bytes. */
  delta(bytes: number): void
  /** The server's own count of this attempt so far. */
  said(usage: Usage): void
  /** The server is asked again: what it counts begins anew. `kept`: the reply goes on from what there is of it. */
  next(kept: boolean): void
  /** Tokens of attempts whose reply was kept, as many as are certain: a delta is one at least. */
  spent(): number
  /** Everything so far; undefined when nothing is known. */
  total(): Usage | undefined
  /** The same at a finish: what the server says there is the whole attempt, and only a server that counts is believed. */
  finished(usage: Usage | undefined): Usage | undefined
}

/** Of most languages and tokenizers; the deltas of most servers are tokens, so they are no fewer than these. */
const bytesPerToken = 4

export function createUsageMeter(): UsageMeter {
  let past: Usage | undefined
  let said: Usage | undefined
  let deltas = 0
  let bytes = 0
  let spent = 0

  const attempt = (): Usage | undefined => {
    const since = Math.max(deltas, Math.ceil(bytes / bytesPerToken))
    if (since === 0) return said
    return { ...said, completion_tokens: (said?.completion_tokens ?? 0) + since, estimated: true }
  }
  return {
    delta(size) {
      deltas += 1
      bytes += size
    },
    said(usage) {
      said = { ...said, ...usage }
      if (usage.completion_tokens === undefined) return
      deltas = 0
      bytes = 0
    },
    next(kept) {
      spent = kept ? spent + (said?.completion_tokens ?? 0) + deltas : 0
      past = sum(past, attempt())
      said = undefined
      deltas = 0
      bytes = 0
    },
    spent: () => spent,
    total: () => sum(past, attempt()),
    finished: (usage) => sum(past, usage ?? (past || said ? attempt() : undefined)),
  }
}

function sum(a: Usage | undefined, b: Usage | undefined): Usage | undefined {
  if (!a || !b) return a ?? b
  const added = (name: 'prompt_tokens' | 'completion_tokens'): Usage =>
    a[name] === undefined && b[name] === undefined ? {} : { [name]: (a[name] ?? 0) + (b[name] ?? 0) }
  const estimated = a.estimated || b.estimated ? { estimated: true as const } : {}
  return { ...added('prompt_tokens'), ...added('completion_tokens'), ...estimated }
}
