import type { LogView } from '../run/log-view.ts'
import type { TerminalEvent } from '../wire/events.ts'

/**
 * Waits for the end of a run, and counts as its reader until then.
 * @param onLeave - Called once, when it counts no more.
 * @returns null when `signal` aborts first.
 */
export function readWhole(view: LogView, signal: AbortSignal, onLeave: () => void): Promise<TerminalEvent | null> {
  return new Promise((resolve) => {
    let hasLeft = false
    const leave = (terminal: TerminalEvent | null): void => {
      if (hasLeft) return
      hasLeft = true
      signal.removeEventListener('abort', abort)
      detach()
      onLeave()
      resolve(terminal)
    }
    const abort = (): void => leave(null)
    const look = (): void => {
      if (view.state.phase === 'ended') leave(view.state.terminal)
    }
    const detach = view.attach(look)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    else look()
  })
}
