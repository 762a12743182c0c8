import type { Clock } from '../clock.ts'

/** Waits for something, but not for longer. @returns Whether that was enough. */
export async function within(clock: Clock, ms: number, done: Promise<unknown>): Promise<boolean> {
  let disarm = (): void => {}
  const late = new Promise<boolean>((resolve) => (disarm = clock.after(ms, () => resolve(false))))
  const isInTime = await Promise.race([done.then(() => true), late])
  disarm()
  return isInTime
}
