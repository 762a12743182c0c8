import type { GenerationOptions } from '../../src/run/generation.ts'
import type { Run } from '../../src/run/run.ts'
import { startRun as start, type StartRunOptions } from '../../src/run/start-run.ts'
import { pump } from '../../src/upstream/from-iterable.ts'
import type { UpstreamEvent } from '../../src/upstream/upstream.ts'

/** Options of a run whose upstream is pushed, or an async iterable. */
export interface TestRunOptions extends StartRunOptions, Omit<GenerationOptions, 'open'> {
  readonly open?: GenerationOptions['open']
  readonly generate?: (signal: AbortSignal, prefill: string, spent: number) => AsyncIterable<readonly UpstreamEvent[]>
}

/** Starts a run; `generate` goes before `open`. */
export function startRun({ generate, open, ...options }: TestRunOptions): Run {
  return start(options, {
    ...options,
    open: generate
      ? ({ prefill, spent }, sink, signal) => pump(() => generate(signal, prefill, spent), sink, signal)
      : open!,
  })
}
