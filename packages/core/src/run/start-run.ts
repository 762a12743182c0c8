import { createGeneration, type GenerationOptions } from './generation.ts'
import { prepareRun, type Preparation } from './prepare-run.ts'
import { createRun, type Run, type RunOptions } from './run.ts'

/** What a run is started with. */
export interface StartRunOptions extends Omit<RunOptions, 'successor'> {
  /** Is given the run before its upstream is asked: whoever keeps it has to know it before it can end. */
  readonly onStart?: ((run: Run) => void) | undefined
}

/**
 * Starts a run. Its upstream writes the log at the model's own speed; no reader slows it.
 * @param how - How its reply is made, or what has to be done before that is known: readers, heartbeats and interrupts work meanwhile.
 */
export function startRun(options: StartRunOptions, how: GenerationOptions | Preparation): Run {
  const own = createRun({ ...options, successor: 'prepare' in how ? undefined : how.failover?.successor })
  if ('prepare' in how) {
    options.onStart?.(own.run)
    prepareRun(own, options.clock, how, (generation) => createGeneration(own, generation).start())
    return own.run
  }
  const generation = createGeneration(own, how)
  options.onStart?.(own.run)
  generation.start()
  return own.run
}
