/** Longer than any paint takes to come, ms. */
const hiddenMs = 500

/**
 * Publishes with the next paint of a visible page. A hidden page paints nothing and a program has no page: there, text
 * is published as soon as the read that brought it is done.
 */
export function nextPaint(publish: () => void): void {
  if (!globalThis.requestAnimationFrame || isHidden()) return queueMicrotask(publish)
  const run = (): void => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    publish()
  }
  const frame = requestAnimationFrame(run)
  // A page that is hidden before its paint has none: nothing may wait for it forever.
  const timer = setTimeout(run, hiddenMs)
}

/** A hidden tab may show less than the person has seen elsewhere. */
export function isHidden(): boolean {
  return typeof document !== 'undefined' && document.hidden
}
