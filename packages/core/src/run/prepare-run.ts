import type { Clock } from '../clock.ts'
import type { Successor } from '../pool/failover.ts'
import { isChatError } from '../wire/errors.ts'
import type { GenerationOptions } from './generation.ts'
import type { OwnRun } from './run.ts'

/** A run whose reply begins once the app has prepared it. */
export interface Preparation {
  /**
   * Prepares. What it throws ends the run.
   * @param signal - Aborts when the run has ended.
   * @returns How the reply is made, to be asked for in the step in which it begins.
   */
  readonly prepare: (signal: AbortSignal) => Promise<() => PreparedReply>
  /** How long it may take, ms. */
  readonly prepareMs: number
}

export interface PreparedReply extends GenerationOptions {
  /** The model that was chosen. */
  readonly model: string
  /** Who answers, when it is not what readers were told. */
  readonly successor: Successor | undefined
}

/** Waits for the app, at most so long, and then begins the reply, unless the run has ended. Nothing of it rejects. */
export function prepareRun(
  own: OwnRun,
  clock: Clock,
  { prepare, prepareMs }: Preparation,
  begin: (generation: GenerationOptions) => void,
): void {
  const abort = new AbortController()
  const end = (): void => {
    disarm()
    abort.abort(new DOMException('The run has ended.', 'AbortError'))
  }
  const fail = (error: unknown): void => {
    if (own.hasEnded()) return
    own.fail(error, isChatError(error) && error.retryable)
  }
  const disarm = clock.after(prepareMs, () =>
    fail(new Error(`prepare has taken longer than ${prepareMs} ms: the run was ended.`)),
  )
  own.writtenBy({ usage: () => undefined, end })
  const go = (made: () => PreparedReply): void => {
    if (own.hasEnded()) return
    const { model, successor, ...generation } = made()
    disarm()
    own.answeredBy(model, successor)
    begin(generation)
    own.wake(clock.now())
  }
  // A function of the app may throw before it gives a promise.
  void (async () => go(await prepare(abort.signal)))().catch(fail)
}
