import type { LogView } from '../../run/log-view.ts'
import type { TerminalEvent } from '../../wire/events.ts'

/** The whole answer of `stream: false` (docs/design.md §3), once the run has ended. */
export function jsonOutput({ sessionId, runId, model, continues, log }: LogView, terminal: TerminalEvent): object {
  const { done: _, ...how } = terminal
  const message = { role: 'assistant', ...log.partial() }
  const start = { session_id: sessionId, run_id: runId, model, ...(continues && { continues }), message }
  if (terminal.reason !== 'error') return { ...start, ...how }
  // Where a stream was cut concerns nobody who has read none.
  return { ...start, reason: terminal.reason, error: terminal.error }
}
