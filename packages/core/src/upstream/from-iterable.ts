import type { UpstreamEvent, UpstreamSink } from './upstream.ts'

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
