import type { Clock } from '../clock.ts'

/** How long what was learnt holds, ms: servers are updated, and models change behind a name. */
const learntMs = 3_600_000

/** Facts of a server that it told by what it refused, or by how it answered. */
export interface Learnt {
  learn(model: string, fact: string): void
  knows(model: string, fact: string): boolean
  forget(model: string, fact: string): void
}

export function createLearnt(clock: Clock): Learnt {
  const until = new Map<string, number>()
  const keyOf = (model: string, fact: string): string => `${fact} ${model}`
  return {
    learn: (model, fact) => void until.set(keyOf(model, fact), clock.now() + learntMs),
    knows: (model, fact) => (until.get(keyOf(model, fact)) ?? 0) > clock.now(),
    forget: (model, fact) => void until.delete(keyOf(model, fact)),
  }
}
