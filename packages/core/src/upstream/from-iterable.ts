import type { Upstream, UpstreamEvent, UpstreamRequest, UpstreamSink } from './upstream.ts'

/** A model server whose replies are async iterables. @public */
export interface IterableUpstream extends Pick<Upstream, 'name' | 'model' | 'status'> {
  /**
   * Asks for one reply. Yields batches of events and returns after a finish or an error event, or when the reply ended without
   * them: whether that is a cut, to be continued, the gateway learns per model. When `signal` aborts, the request must be closed.
   * @throws {ChatError} With an `upstream_…` code; anything else becomes `upstream_failed`.
   */
  generate(request: UpstreamRequest, signal: AbortSignal): AsyncIterable<readonly UpstreamEvent[]>
}

/**
 * Makes an upstream of async iterables: the shortest way to write one, an async generator.
 * @public
 */
export function fromIterable(source: IterableUpstream): Upstream {
  const { name, model } = source
  return {
    name,
    model,
    open: (request, sink, signal) => pump(() => source.generate(request, signal), sink, signal),
    ...(source.status && { status: (signal) => source.status!(signal) }),
  }
}

/**
 * Reads batches of events into a sink. After a finish or an error the iterator is left by its `return`; when `signal` aborts,
 * nothing more is pushed, and an iterator that goes on all the same is left at its next batch.
 */
export function pump(
  generate: () => AsyncIterable<readonly UpstreamEvent[]>,
  sink: UpstreamSink,
  signal: AbortSignal,
): void {
  const read = async (): Promise<void> => {
    for await (const events of generate()) {
      if (signal.aborted) return
      const full = sink.push(events)
      if (full) await full
      if (signal.aborted || events.some((event) => 'finish' in event || 'error' in event)) return
    }
  }
  read().then(
    () => sink.end(),
    (error: unknown) => sink.end(error),
  )
}
