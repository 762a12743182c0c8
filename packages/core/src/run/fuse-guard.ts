import type { Clock } from '../clock.ts'
import { driveFuse } from './drive-fuse.ts'
import { fuseDueAt, stepFuse, type FuseInput, type FusePolicy, type FuseState } from './fuse.ts'
import type { ChatError } from '../wire/errors.ts'

/** A fuse that has not blown. */
export type Intact = Extract<FuseState, { phase: 'intact' }>

/** The fuse of one attempt, with its timer. */
export interface FuseGuard {
  /** The reply grows. @param bytes - By how much, UTF-8. */
  delta(bytes: number, now: number): void
  /** Anything else that a fuse is to know of. */
  step(input: FuseInput): void
  /** What it knows; as it was before it blew. */
  state(): Intact
  /** Ends the timer. */
  stop(): void
}

/**
 * Deltas are only added up, as each of them puts the next tick off: the machine steps where one may be the last that it bears,
 * for ticks, and for whatever else comes.
 * @param blow - Called once. It has to stop the guard.
 */
export function createFuseGuard(
  clock: Clock,
  policy: FusePolicy,
  start: Intact,
  blow: (error: ChatError) => void,
): FuseGuard {
  let fuse = start
  /** Deltas that the machine does not know of. */
  let added = 0
  let addedAt: number | undefined

  const step = (input: FuseInput): void => {
    const next = stepFuse(fuse, input, policy)
    if (next.phase === 'intact') fuse = next
    else blow(next.error)
  }
  const settle = (): void => {
    if (addedAt === undefined) return
    const input = { type: 'delta', now: addedAt, bytes: added } as const
    addedAt = undefined
    added = 0
    step(input)
  }
  const driver = driveFuse(
    clock,
    () => {
      settle()
      return fuseDueAt(fuse, policy)
    },
    (now) => step({ type: 'tick', now }),
  )
  const stepNow = (input: FuseInput): void => {
    settle()
    step(input)
    driver.look()
  }
  return {
    delta(bytes, now) {
      if (fuse.deltaAt === null || fuse.bytes + added + bytes > policy.maxBytes)
        return stepNow({ type: 'delta', now, bytes })
      added += bytes
      addedAt = now
    },
    step: stepNow,
    state() {
      settle()
      return fuse
    },
    stop: driver.stop,
  }
}
