import type { LogEntry, LogView } from '../../run/log-view.ts'
import type { RunState } from '../../run/run-state.ts'
import type { Progress } from '../../wire/events.ts'

/** How a reader's events are worded: a pure encoder. Whatever it returns goes out as it is, in one write. */
export interface Output {
  /**
   * The first frame of a reader.
   * @param position - Where it begins to read.
   */
  start(view: LogView, position: number, heartbeatMs: number): string
  /** Something of the log, with the position after it. */
  entry(entry: LogEntry): string
  /** Where the run stands, or how it has ended. */
  state(state: RunState, progress: Progress | undefined, now: number): string
  /** Says that the connection is alive. */
  readonly ping: string
}
