import type { Clock } from '@midstream/core'

/** A hidden tab may show less than the person has seen elsewhere. */
export function isHidden(): boolean {
  return typeof document !== 'undefined' && document.hidden
}

/**
 * Waits, but no longer than until the page is online or visible again. An abort ends it, too.
 * @param isFirm - Whether the page has no say: a server has named the time.
 */
export function pause(clock: Clock, ms: number, signal: AbortSignal, isFirm = false): Promise<void> {
  return new Promise((resolve) => {
    const undos: (() => void)[] = []
    const done = (): void => {
      for (const undo of undos) undo()
      resolve()
    }
    // Not every platform's listeners take a signal, and React Native has no events of a page.
    const on = (target: EventTarget | undefined, type: string, heard = done): void => {
      target?.addEventListener?.(type, heard)
      undos.push(() => target?.removeEventListener?.(type, heard))
    }
    on(signal, 'abort')
    if (!isFirm) {
      on(globalThis, 'online')
      on(globalThis.document, 'visibilitychange', () => isHidden() || done())
    }
    undos.push(clock.after(ms, done))
    if (signal.aborted) done()
  })
}
