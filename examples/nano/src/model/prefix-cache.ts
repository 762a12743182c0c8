/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
import type { Memory } from './model.ts'

/** Keeps the memories of the last few conversations, so that a follow-up does not read its whole prompt again. */
export interface PrefixCache {
  /** Gives a memory for a prompt, cut back to what it shares with that prompt; the caller owns it until `put`. */
  take(prompt: readonly number[]): Memory
  put(memory: Memory): void
}

/**
 * Makes a prefix cache. Reading on from a cached beginning gives the same bits as reading all of it.
 * @param size - Idle memories to keep, 5 MB each; the one that was used longest ago is evicted.
 */
export function createPrefixCache(createMemory: () => Memory, size: number): PrefixCache {
  const idle: Memory[] = [] // the last used one last
  return {
    take(prompt) {
      let best = -1
      let bestShared = 0
      for (let i = 0; i < idle.length; i++) {
        const shared = sharedLength(idle[i]!.tokens, prompt)
        if (shared <= bestShared) continue
        best = i
        bestShared = shared
      }
      // A short beginning is common to strangers ("Tell me …"): taking it would throw another conversation out.
      if (bestShared * 2 < prompt.length) return createMemory()
      const [memory] = idle.splice(best, 1)
      // The last token is always fed anew: its logits are what comes next.
      memory!.tokens.length = Math.min(bestShared, prompt.length - 1)
      return memory!
    },
    put(memory) {
      idle.push(memory)
      if (idle.length > size) idle.shift()
    },
  }
}

function sharedLength(a: readonly number[], b: readonly number[]): number {
  let i = 0
  while (i < a.length && i < b.length && a[i] === b[i]) i++
  return i
}
