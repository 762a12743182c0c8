import { systemClock, type Clock } from '@midstream/core'
import { isHidden } from '../connection/page.ts'

/** Longest time that a `schedule` of the app's own may take, ms: text that it does not publish must not stand still. */
const lateMs = 1_000

/** Longer than any paint takes to come, ms. A page that is hidden before its paint has none. */
const hiddenMs = 500

/** A `schedule` that may publish at once, twice, late or never, and may throw. */
export function guarded(
  schedule: (publish: () => void) => unknown,
  clock: Clock,
  withinMs: number = lateMs,
): (publish: () => void) => void {
  return (publish) => {
    let isOver = false
    const run = (): void => {
      if (isOver) return
      isOver = true
      disarm()
      publish()
    }
    const disarm = clock.after(withinMs, run)
    const fail = (error: unknown): void => {
      report(error)
      run()
    }
    try {
      void Promise.resolve(schedule(run)).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

/**
 * Publishes with the next paint of a visible page. A hidden page paints nothing and a program has no page: there, text
 * is published as soon as the read that brought it is done.
 */
export function nextPaint(publish: () => void): void {
  if (!globalThis.requestAnimationFrame || isHidden()) return queueMicrotask(publish)
  guarded((run) => void requestAnimationFrame(run), systemClock, hiddenMs)(publish)
}

/** Calls a listener of the app's. One that throws costs nobody else anything; the platform reports its error. */
export function tell(listener: () => unknown): void {
  try {
    void Promise.resolve(listener()).catch(report)
  } catch (error) {
    report(error)
  }
}

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}
