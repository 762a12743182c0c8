import type { Clock } from '../clock.ts'

/** Gives a fuse its ticks. */
export interface FuseDriver {
  /** To be called after a step: the next tick may be due earlier than before. */
  look(): void
  /** Ends the timer, for good. */
  stop(): void
}

/**
 * Ticks when the fuse wants it. A timer that fires late (sleep, a stopped process) may find bytes waiting in the
 * socket, so a due tick is given only on a second look, after input had its turn.
 */
export function driveFuse(clock: Clock, dueAt: () => number, tick: (now: number) => void): FuseDriver {
  let armedFor = Infinity
  let disarm = (): void => {}
  const arm = (at: number, onDue: () => void): void => {
    disarm()
    armedFor = at
    if (at === Infinity) return
    disarm = clock.after(Math.max(0, at - clock.now()), () => {
      armedFor = Infinity
      if (clock.now() < dueAt()) return look()
      onDue()
    })
  }
  const second = (): void => {
    tick(clock.now())
    look()
  }
  const look = (): void => {
    const at = dueAt()
    if (at < armedFor) arm(at, () => arm(clock.now(), second))
  }
  look()
  const stop = (): void => {
    disarm()
    armedFor = -Infinity // whoever looks again, say at the end of a batch, arms nothing
  }
  return { look, stop }
}
