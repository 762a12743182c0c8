/**
 * The only source of time and timers. Machines take `now`; drivers take a clock, so tests can hold it still.
 * @public
 */
export interface Clock {
  /** Milliseconds, never going backwards. */
  now(): number
  /** Calls `fire` once, `ms` from now or later. Returns a function that disarms it; disarming twice is harmless. */
  after(ms: number, fire: () => void): () => void
}

/** What every stage takes besides options of its own. @public */
export interface StageOptions {
  /** Time and timers; a test holds them still with `manualClock()`. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** A longer delay makes `setTimeout` fire at once, so it is capped: drivers look at the clock when they wake. */
const longestTimeout = 2_147_483_647

/**
 * The clock of the platform: epoch milliseconds that do not jump when the wall clock is set.
 * @public
 */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(ms, fire) {
    const timer = setTimeout(fire, Math.min(Math.max(ms, 0), longestTimeout))
    return () => clearTimeout(timer)
  },
}
