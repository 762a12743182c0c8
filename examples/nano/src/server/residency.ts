/** Whether the model is loaded, for whom it is being loaded, and until when it stays. */
export interface Residency {
  /**
   * Waits until the model is loaded; each success needs one `release`. Everybody who asks meanwhile shares one load, and
   * when the last of them aborts, so does the load: the next one starts it from the beginning, as in Ollama.
   * @throws {DOMException} `AbortError` when `signal` aborts first.
   */
  acquire(signal: AbortSignal): Promise<void>
  /** Ends one use; the model stays for `keepAliveMs` after it. */
  release(keepAliveMs: number): void
  unload(): void
  /** Until when the model stays loaded, ms since 1970; null when it is not loaded. */
  expiresMs(): number | null
}

/**
 * Makes the state of a model that is not loaded yet.
 * @param loadMs - How long a load takes: the real one takes no time worth showing, so this is play.
 */
export function createResidency(loadMs: number, now: () => number = Date.now): Residency {
  let load: { readonly waiters: Set<() => void>; readonly timer: NodeJS.Timeout } | null = null
  let users = 0
  let expiresMs = 0
  const isLoaded = (): boolean => users > 0 || now() < expiresMs

  const finishLoad = (): void => {
    const waiters = load?.waiters ?? []
    load = null
    for (const settle of waiters) settle()
  }
  return {
    acquire(signal) {
      signal.throwIfAborted()
      if (isLoaded() || loadMs === 0) {
        users++
        return Promise.resolve()
      }
      load ??= { waiters: new Set(), timer: setTimeout(finishLoad, loadMs) }
      const { waiters, timer } = load
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          signal.removeEventListener('abort', leave)
          users++
          resolve()
        }
        const leave = (): void => {
          waiters.delete(settle)
          if (waiters.size === 0) {
            clearTimeout(timer)
            load = null
          }
          reject(new DOMException('the client left while the model was loading', 'AbortError'))
        }
        signal.addEventListener('abort', leave, { once: true })
        waiters.add(settle)
      })
    },
    release(keepAliveMs) {
      users--
      expiresMs = now() + keepAliveMs
    },
    unload() {
      expiresMs = 0
    },
    // A model in use shows when it would go if its user left now.
    expiresMs: () => (isLoaded() ? Math.max(expiresMs, now()) : null),
  }
}
