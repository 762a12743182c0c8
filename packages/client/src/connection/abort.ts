/**
 * Aborts with a reason, on platforms whose `AbortSignal` knows no more than `aborted` and its listeners: the polyfill of React
 * Native has no `reason` and no `throwIfAborted`, and its listeners take no options.
 */

/** Reasons of signals that carry none. */
const reasons = new WeakMap<AbortSignal, unknown>()

/** Aborts; a second abort changes nothing. */
export function abortWith(controller: AbortController, reason: unknown): void {
  // Before the abort: its listeners ask for the reason.
  if (!controller.signal.aborted) reasons.set(controller.signal, reason)
  controller.abort(reason)
}

/** Why a signal is aborted: its own reason, the one of {@link abortWith}, or an `AbortError`. */
export function reasonOf(signal: AbortSignal): unknown {
  const reason: unknown = signal.reason === undefined ? reasons.get(signal) : signal.reason
  return reason === undefined ? Object.assign(new Error('This operation was aborted'), { name: 'AbortError' }) : reason
}

/** Throws the reason of a signal that is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw reasonOf(signal)
}

/** A controller that aborts with another one's signal; platforms lack `AbortSignal.any`. Abort it to let go of that signal. */
export function follow(signal: AbortSignal | undefined): AbortController {
  const controller = new AbortController()
  const abort = (): void => abortWith(controller, reasonOf(signal!))
  signal?.addEventListener('abort', abort)
  controller.signal.addEventListener('abort', () => signal?.removeEventListener('abort', abort))
  if (signal?.aborted) abort()
  return controller
}

/** Waits for something that may never settle, or may not know of the signal, no longer than until the signal aborts. */
export function abortable<Value>(value: Value | PromiseLike<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (!signal) return Promise.resolve(value)
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(reasonOf(signal))
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    void Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
