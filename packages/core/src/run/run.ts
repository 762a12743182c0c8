import type { Clock } from '../clock.ts'
import type { FusePolicy } from '../transforms/fuse.ts'
import type { UpstreamEvent } from '../upstream/upstream.ts'
import type { ChatError } from '../wire/errors.ts'
import type { InterruptedBy, Progress, StartEvent, TerminalEvent, Usage } from '../wire/events.ts'
import type { RandomBytes } from '../wire/ids.ts'
import type { RecoveryPolicy } from './recovery.ts'
import type { Partial, RunLog } from './run-log.ts'
import type { RunState, Successor } from './run-state.ts'

/** What a run has to know of the model servers that stand by, and they of it. @public */
export interface Failover {
  /** Who answers from the start, when it is not who should. */
  readonly successor: Successor | undefined
  /** The first delta of an attempt has come. */
  delta(): void
  /** True when other runs have found that the model server is not to be had: nobody need wait for it. */
  readonly isOpen: boolean
  /** Gives the model server up for another one, which the next `generate` asks. Null when there is none: it stays. */
  next(error: ChatError): Successor | null
  /** Calls back when `isOpen` becomes true. Returns how to leave. */
  onOpen(listener: () => void): () => void
}

/** @public */
export interface RunOptions {
  /** Names the run, for good. */
  readonly runId: string
  /** The conversation that it belongs to. */
  readonly sessionId: string
  /** As its readers are told. */
  readonly model: string
  /**
   * Asks the upstream, right after the step that makes the run and once more for each retry.
   * @param prefill - The reply so far, to be continued from exactly its end; empty for a reply from the start.
   * @param spent - Tokens that the prefill took this run, thinking included: as many as are certain.
   */
  readonly generate: (signal: AbortSignal, prefill: string, spent: number) => AsyncIterable<readonly UpstreamEvent[]>
  /** Time and timers. */
  readonly clock: Clock
  /** When the run is ended because its upstream misbehaves. */
  readonly fuse: FusePolicy
  /** When to ask again after a failure; without it, the first failure ends the run. */
  readonly recovery?: RecoveryPolicy | undefined
  /** Who goes on when the model server is given up; without it, nobody. */
  readonly failover?: Failover | undefined
  /** Jitter of the waits between attempts. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
  /** The message that this run grows, and how much of its text stays; for the first event of every reader. */
  readonly continues?: StartEvent['continues'] | undefined
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
  /** Of a continuation: what the partial is appended to. */
  readonly continues?: StartEvent['continues'] | undefined
}

/** One generation of one reply: its log, its state, its readers. @public */
export interface Run {
  readonly runId: string
  readonly sessionId: string
  readonly model: string
  readonly continues: StartEvent['continues'] | undefined
  readonly log: RunLog
  readonly state: RunState
  readonly startedAt: number
  /** When the first delta came; undefined before. */
  readonly firstDeltaAt: number | undefined
  /** When the run ended; undefined while it goes on. */
  readonly endedAt: number | undefined
  /** How often a model server was asked again. */
  readonly retries: number
  /** Whether the one that was asked last has answered: with `retries`, that a recovery went well. */
  readonly answered: boolean
  /** What the model server is at, while it says nothing else and tells. */
  readonly progress: Progress | undefined
  /** Who answers, or answered, when it is not who was asked. */
  readonly successor: Successor | undefined
  /** Tokens so far, those of failed attempts with them. */
  readonly usage: Usage | undefined
  /** Why it failed, with the `cause` that must not travel. */
  readonly error: unknown
  readonly readers: number
  /** Settles, never rejects, when the run has ended. */
  readonly ended: Promise<TerminalEvent>
  /**
   * Ends the run at a position in this very step, and tells the upstream to stop. An ended run is left as it is.
   * @param position - Where the log is cut. Default: its end.
   */
  interrupt(by: InterruptedBy, position?: number): InterruptOutcome
  /** Adds a reader: `wake` is called when there may be something new. Returns how it leaves; leaving twice is harmless. */
  attach(wake: () => void): () => void
}
