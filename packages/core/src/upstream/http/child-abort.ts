/** An abort of one's own that follows a signal which lives no longer: one listener, where `AbortSignal.any` keeps weak references both ways. */
export function childAbort(signal: AbortSignal): AbortController {
  const child = new AbortController()
  const follow = (): void => child.abort(signal.reason)
  if (signal.aborted) follow()
  else signal.addEventListener('abort', follow, { once: true })
  return child
}
