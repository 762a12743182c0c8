import type { Upstream, UpstreamEvent, UpstreamRequest } from './upstream.ts'

/**
 * One reply as an async iterable of batches, the events of one read of the socket each. A slow loop slows the server; leaving
 * it before the end closes the request, and leaving it after a finish lets the connection be used again.
 * @throws {ChatError} With an `upstream_…` code, when the reply fails without an error event; the reason of `signal`, when it aborts.
 * @public
 */
export async function* eventsOf(
  upstream: Upstream,
  request: UpstreamRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly UpstreamEvent[], void, undefined> {
  const left = new AbortController()
  const either = AbortSignal.any([signal, left.signal])
  const batches: (readonly UpstreamEvent[])[] = []
  let ended: { readonly error?: unknown } | undefined
  /** A finish has come: the request is not aborted any more. */
  let isWhole = false
  let isOver = false
  let wake = (): void => {}
  let makeRoom = (): void => {}
  const onAbort = (): void => wake()
  signal.addEventListener('abort', onAbort)
  upstream.open(
    request,
    {
      push(events) {
        isWhole ||= events.some((event) => 'finish' in event)
        isOver ||= isWhole || events.some((event) => 'error' in event)
        batches.push(events)
        wake()
        // What follows a finish is read whether or not anybody reads this: then the connection is free.
        return isWhole ? undefined : new Promise((resolve) => (makeRoom = resolve))
      },
      end(error) {
        ended = { error }
        wake()
      },
    },
    either,
  )
  try {
    for (;;) {
      const batch = batches.shift()
      if (signal.aborted) throw signal.reason
      if (batch) yield batch
      else if (ended?.error !== undefined) throw ended.error
      else if (ended || isOver) return
      else {
        makeRoom()
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!isWhole) left.abort()
    makeRoom()
  }
}
