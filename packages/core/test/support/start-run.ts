import type { Run } from '../../src/run/run.ts'
import { startRun as start, type StartRunOptions } from '../../src/run/start-run.ts'
import { pump } from '../../src/upstream/from-iterable.ts'
import type { UpstreamEvent } from '../../src/upstream/upstream.ts'

/** Options of a run whose upstream is an async iterable. */
export interface IterableRunOptions extends Omit<StartRunOptions, 'open'> {
  readonly generate: (signal: AbortSignal, prefill: string, spent: number) => AsyncIterable<readonly UpstreamEvent[]>
}

/** Starts a run whose upstream is an async iterable. */
export function startRun({ generate, ...options }: IterableRunOptions): Run {
  return start({
    ...options,
    open: ({ prefill, spent }, sink, signal) => pump(() => generate(signal, prefill, spent), sink, signal),
  })
}
