import type { Clock } from '../clock.ts'

/** A clock that stands still until it is told otherwise. @public */
export interface ManualClock extends Clock {
  /** Lets time pass: timers fire in their order, each at its own time, also those that are set meanwhile. */
  advance(ms: number): void
  /** Lets time pass without firing anything, as while a machine sleeps: what was due fires late, at the next `advance`. */
  sleep(ms: number): void
  /** Timers that are set. */
  readonly timers: number
  /** When the first of them is due; `Infinity` when none is set. `advance(dueAt - now())` goes just so far. */
  readonly dueAt: number
}

/**
 * Makes a clock that a test holds still.
 * @param startAt - What `now()` says at first, ms. Default: `0`.
 * @public
 */
export function manualClock(startAt = 0): ManualClock {
  let now = startAt
  let timers: { readonly at: number; readonly fire: () => void }[] = []

  /** The timer that is due first; of two at one time, the one that was set first. */
  const take = (until: number): { at: number; fire: () => void } | undefined => {
    const next = timers.reduce<(typeof timers)[number] | undefined>(
      (first, timer) => (first && first.at <= timer.at ? first : timer),
      undefined,
    )
    if (!next || next.at > until) return undefined
    timers = timers.filter((timer) => timer !== next)
    return next
  }
  return {
    now: () => now,
    after(ms, fire) {
      const timer = { at: now + Math.max(0, ms), fire }
      timers.push(timer)
      return () => (timers = timers.filter((other) => other !== timer))
    },
    advance(ms) {
      const until = now + ms
      for (let next = take(until); next; next = take(until)) {
        now = Math.max(now, next.at)
        next.fire()
      }
      now = until
    },
    sleep(ms) {
      now += ms
    },
    get timers() {
      return timers.length
    },
    get dueAt() {
      return Math.min(...timers.map(({ at }) => at))
    },
  }
}
