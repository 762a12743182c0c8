/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
import { tokenIds } from './encoder.ts'

/** How the next token is chosen. */
export interface Sampling {
  /** 0 takes the best token every time. */
  readonly temperature: number
  /** Draw from this many of the best tokens; 0 means from all. */
  readonly topK: number
  readonly random: () => number
}

/**
 * Chooses the next token from its logits. Of the special tokens only the end may be chosen.
 * @param allowed - Narrows the choice; null allows every token.
 */
export function sample(
  logits: Float32Array,
  { temperature, topK, random }: Sampling,
  allowed: ((token: number) => boolean) | null,
): number {
  const width = temperature > 0 ? topK || logits.length : 1
  const best: number[] = [] // the most likely one first
  for (let id = tokenIds.end; id < logits.length; id++) {
    if (id === tokenIds.user || id === tokenIds.assistant) continue
    if (best.length === width && logits[id]! <= logits[best[width - 1]!]!) continue
    if (allowed !== null && !allowed(id)) continue
    let i = Math.min(best.length, width - 1)
    for (; i > 0 && logits[best[i - 1]!]! < logits[id]!; i--) best[i] = best[i - 1]!
    best[i] = id
  }
  if (width === 1) return best[0]!
  const odds = best.map((id) => Math.exp((logits[id]! - logits[best[0]!]!) / temperature))
  let rest = random() * odds.reduce((a, b) => a + b)
  for (let i = 0; i < best.length; i++) if ((rest -= odds[i]!) <= 0) return best[i]!
  return best[0]!
}

/** Makes a repeatable source of numbers in [0, 1) (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
