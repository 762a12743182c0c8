import type { LogEvent, Progress, StartEvent, ToolCall } from '../wire/events.ts'
import type { RunState } from './run-state.ts'

/** Some events of a log, text merged, with the position after each. @public */
export interface LogEntry {
  readonly event: LogEvent
  readonly position: number
}

/** The reply of an unfinished run. @public */
export interface Partial {
  readonly content: string
  readonly thinking?: string
  readonly tool_calls?: readonly ToolCall[]
}

/** What a reader may see of a log. @public */
export interface ReadLog {
  /** The position of the end. */
  readonly length: number
  /** The position after the last event that is no text: a reader that is behind it reads at once. */
  readonly urgentTo: number
  /**
   * What stands between two positions; neighbouring text of one kind is one event, up to some length.
   * @param to - Where it stops. Default: the end of the log.
   */
  read(from: number, to?: number): LogEntry[]
  /** Makes a position from outside usable: absent is the end, larger is clamped, inside a surrogate pair moves before it. */
  place(position: number | undefined): number
  /**
   * The reply up to a position.
   * @param to - Where it stops. Default: the end of the log.
   */
  partial(to?: number): Partial
}

/** What a reader may see of a run, wherever its log is. @public */
export interface LogView {
  readonly runId: string
  readonly sessionId: string
  readonly model: string
  /** When it began, on the run's clock, ms. */
  readonly startedAt: number
  readonly continues: StartEvent['continues'] | undefined
  readonly log: ReadLog
  readonly state: RunState
  /** Counts the changes of `state`: a reader that was told of fewer is told anew. */
  readonly changes: number
  /** What the model server is at, while it says nothing else and tells. */
  readonly progress: Progress | undefined
  /**
   * Adds a reader: `wake` is called when there may be something new. Returns how it leaves; leaving twice is harmless.
   * @param awayMs - How much longer than `orphanMs` it may be away once it has left, ms. @defaultValue 0
   */
  attach(wake: (now: number) => void, awayMs?: number): () => void
}
