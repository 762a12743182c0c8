import { nextDue } from './pace.ts'

/** One generation that takes turns: `next` does one small step of its work. */
export interface Turn {
  /** `token`: the next one waits for its time. `work`: go on as soon as it is its turn. `end`: it left. */
  next(now: number): 'token' | 'work' | 'end'
}

/** A fair rotation of generations, each with a pace of its own. It owns no timer: time is a parameter. */
export interface Turns {
  add(id: number, turn: Turn): void
  /** Takes a generation out; it is never asked again. */
  remove(id: number): boolean
  /**
   * Runs one step of the generation that is due and has waited longest.
   * @returns When it next wants to be asked, ms, at most `now` for at once; null when nothing is left to do.
   */
  step(now: number): number | null
}

/** Makes an empty rotation. */
export function createTurns(intervalMs: number): Turns {
  // A Map keeps insertion order: whoever had a turn goes to its end.
  const waiting = new Map<number, { readonly turn: Turn; readonly due: number | null }>()
  const wantedAt = (): number | null => {
    let first: number | null = null
    for (const { due } of waiting.values()) first = Math.min(first ?? Infinity, due ?? -Infinity)
    return first
  }
  return {
    add: (id, turn) => void waiting.set(id, { turn, due: null }),
    remove: (id) => waiting.delete(id),
    step(now) {
      for (const [id, { turn, due }] of waiting) {
        if (due !== null && due > now) continue
        waiting.delete(id)
        const outcome = turn.next(now)
        if (outcome !== 'end') waiting.set(id, { turn, due: outcome === 'token' ? nextDue(due, now, intervalMs) : due })
        break
      }
      return wantedAt()
    },
  }
}
