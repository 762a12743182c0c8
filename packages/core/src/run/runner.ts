import type { Clock } from '../clock.ts'
import {
  driveFuse,
  fuseDueAt,
  fuseInput,
  startFuse,
  stepFuse,
  type FuseInput,
  type FusePolicy,
} from '../transforms/fuse.ts'
import type { UpstreamEvent } from '../upstream/upstream.ts'
import { ChatError, isChatError, toErrorBody } from '../wire/errors.ts'
import type { InterruptedBy, TerminalEvent } from '../wire/events.ts'
import { createRunLog, type Partial, type RunLog } from './run-log.ts'
import { runStart, stepRun, type RunInput, type RunState } from './run-state.ts'

/** @public */
export interface RunOptions {
  readonly runId: string
  readonly sessionId: string
  readonly model: string
  /** Asks the upstream; called once, right after the step that makes the run. */
  readonly generate: (signal: AbortSignal) => AsyncIterable<readonly UpstreamEvent[]>
  readonly clock: Clock
  readonly fuse: FusePolicy
  /** How long the run goes on without a reader, ms; 0 when nobody promised to come back. */
  readonly orphanMs: number
  /** Called once, in the step that ends the run. */
  readonly onEnd?: ((run: Run) => void) | undefined
}

/** What an interrupt did. @public */
export interface InterruptOutcome {
  readonly outcome: 'interrupted' | 'already_done'
  /** How the run ended; `interrupted` also when somebody else did it earlier. */
  readonly reason: TerminalEvent['reason']
  readonly position: number
  readonly partial: Partial
}

/** One generation of one reply: its log, its state, its readers. @public */
export interface Run {
  readonly runId: string
  readonly sessionId: string
  readonly model: string
  readonly log: RunLog
  readonly state: RunState
  readonly startedAt: number
  /** When the run ended; undefined while it goes on. */
  readonly endedAt: number | undefined
  /** Why it failed, with the `cause` that must not travel. */
  readonly error: unknown
  readonly readers: number
  /** Settles, never rejects, when the run has ended. */
  readonly ended: Promise<TerminalEvent>
  /**
   * Ends the run at a position (default: the end of its log) in this very step, and tells the upstream to stop.
   * An ended run is left as it is.
   */
  interrupt(by: InterruptedBy, position?: number): InterruptOutcome
  /** Adds a reader: `wake` is called when there may be something new. Returns how it leaves; leaving twice is harmless. */
  attach(wake: () => void): () => void
}

/**
 * Starts a run. Its upstream writes the log at the model's own speed; no reader slows it.
 * @public
 */
export function startRun(options: RunOptions): Run {
  const { clock, fuse: policy, orphanMs } = options
  const log = createRunLog()
  const startedAt = clock.now()
  const abort = new AbortController()
  const wakes = new Set<() => void>()
  let state = runStart
  let fuse = startFuse(startedAt)
  let endedAt: number | undefined
  let failure: unknown
  let disarmOrphan = (): void => {}
  let settle: (terminal: TerminalEvent) => void
  const ended = new Promise<TerminalEvent>((resolve) => (settle = resolve))

  const hasEnded = (): boolean => state.phase === 'ended'
  const wake = (): void => {
    for (const reader of wakes) reader()
  }
  const step = (input: RunInput): void => {
    const before = state
    state = stepRun(state, input)
    if (state.phase !== 'ended' || before.phase === 'ended') return
    if (input.type === 'interrupt') log.cut(input.position)
    endedAt = clock.now()
    fuseDriver.stop()
    disarmOrphan()
    abort.abort(new DOMException('The run has ended.', 'AbortError'))
    options.onEnd?.(run)
    settle(state.terminal)
    wake()
  }
  const fail = (error: unknown): void => {
    // What an upstream throws when it is told to stop is no failure, and a second one is not why the run ended.
    if (hasEnded()) return
    failure = error
    step({ type: 'fail', error: toErrorBody(error), position: log.length })
  }
  const stepFuseWith = (input: FuseInput): void => {
    fuse = stepFuse(fuse, input, policy)
    if (fuse.phase === 'blown') fail(fuse.error)
  }
  const fuseDriver = driveFuse(
    clock,
    () => fuseDueAt(fuse, policy),
    (now) => stepFuseWith({ type: 'tick', now }),
  )

  /** The events of one read are one batch: readers are woken once. */
  const accept = (events: readonly UpstreamEvent[]): void => {
    const now = clock.now()
    for (const event of events) {
      if (hasEnded()) return
      if ('finish' in event) {
        step({ type: 'finish', reason: event.finish, usage: event.usage })
        continue
      }
      if ('error' in event) {
        fail(event.error)
        continue
      }
      stepFuseWith(fuseInput(event, now))
      if (fuse.phase === 'blown' || 'alive' in event || 'malformed' in event) continue
      const before = log.length
      log.append(event)
      if (log.length > before) step({ type: 'delta' })
    }
    if (hasEnded()) return
    fuseDriver.look()
    wake()
  }
  const pump = async (): Promise<void> => {
    // Not in the step that makes the run: whoever makes it has to know it before it can end.
    await Promise.resolve()
    if (hasEnded()) return
    try {
      for await (const events of options.generate(abort.signal)) {
        accept(events)
        if (hasEnded()) return
      }
      fail(
        new ChatError('upstream_incomplete', 'The model server ended its reply without finishing it.', {
          retryable: true,
        }),
      )
    } catch (error) {
      fail(
        isChatError(error)
          ? error
          : new ChatError('upstream_failed', 'The model server failed.', { cause: error, retryable: true }),
      )
    }
  }

  const run: Run = {
    runId: options.runId,
    sessionId: options.sessionId,
    model: options.model,
    log,
    startedAt,
    ended,
    get state() {
      return state
    },
    get endedAt() {
      return endedAt
    },
    get error() {
      return failure
    },
    get readers() {
      return wakes.size
    },
    interrupt(by, position) {
      const outcome = hasEnded() ? 'already_done' : 'interrupted'
      step({ type: 'interrupt', by, position: log.place(position) })
      const reason = state.phase === 'ended' ? state.terminal.reason : 'interrupted'
      return { outcome, reason, position: log.length, partial: log.partial() }
    },
    attach(reader) {
      disarmOrphan()
      wakes.add(reader)
      return () => {
        if (!wakes.delete(reader) || wakes.size > 0 || hasEnded()) return
        if (orphanMs > 0) disarmOrphan = clock.after(orphanMs, () => void run.interrupt('orphan'))
        else run.interrupt('orphan')
      }
    },
  }
  void pump()
  return run
}
