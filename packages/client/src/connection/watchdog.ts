import type { Clock } from '@midstream/core'

/** Silence of so many heartbeats is a drop. */
export const silentHeartbeats = 3

/** Until the gateway has said how often its heart beats, ms. */
export const presumedHeartbeatMs = 5_000

/** Calls `bark` after a silence. A timer that fires late gives waiting bytes a turn before it does. */
export function watch(clock: Clock, silentMs: () => number, bark: () => void): { feed(): void; stop(): void } {
  let disarm = (): void => {}
  const feed = (): void => {
    disarm()
    disarm = clock.after(silentMs(), () => (disarm = clock.after(0, bark)))
  }
  feed()
  return { feed, stop: () => disarm() }
}
