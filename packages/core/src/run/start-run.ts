import { createGeneration, type GenerationOptions } from './generation.ts'
import { createRun, type Run, type RunOptions } from './run.ts'

/** What a run is started with. */
export interface StartRunOptions extends Omit<RunOptions, 'successor'>, GenerationOptions {
  /** Is given the run before its upstream is asked: whoever keeps it has to know it before it can end. */
  readonly onStart?: ((run: Run) => void) | undefined
}

/** Starts a run. Its upstream writes the log at the model's own speed; no reader slows it. */
export function startRun(options: StartRunOptions): Run {
  const own = createRun({ ...options, successor: options.failover?.successor })
  const generation = createGeneration(own, options)
  options.onStart?.(own.run)
  generation.start()
  return own.run
}
