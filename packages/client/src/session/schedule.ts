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
    tell(
      () => schedule(run),
      (error) => {
        report(error)
        run()
      },
    )
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

/**
 * Calls a function of the app's. One that throws or rejects costs nobody else anything.
 * @param failed - Hears of its error. Default: the platform reports it.
 */
export function tell(listener: () => unknown, failed: (error: unknown) => void = report): void {
  try {
    void Promise.resolve(listener()).catch(failed)
  } catch (error) {
    failed(error)
  }
}

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}
