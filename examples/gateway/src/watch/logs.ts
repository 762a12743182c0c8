import type { Run } from '@midstream/core/gateway'
import { isChatError } from '@midstream/core'
import pino from 'pino'
import type { Config } from '../config/config.ts'

/** Where the program says what happens: a line of JSON each. */
export type Log = pino.Logger

/** Logs to a file descriptor, written at once: nothing is lost when the process ends. */
export function createLog({ level }: Config['logging'], fd: number): Log {
  const destination = pino.destination({ fd, sync: true })
  // A disk that is full must not end the chats. A reader that has gone, pino itself takes for the end of the log.
  destination.on('error', () => undefined)
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

/** One line for a run that has ended. Its text is in none of them, and why a server failed, in its own words, only at `debug`. */
export function logRun(log: Log, run: Run, upstream: string): void {
  const { state, startedAt, endedAt = startedAt, firstDeltaAt } = run
  if (state.phase !== 'ended') return
  const { terminal } = state
  const usage = ('usage' in terminal ? terminal.usage : undefined) ?? run.usage
  const line = {
    run_id: run.runId,
    session_id: run.sessionId,
    model: run.model,
    upstream,
    ...(run.successor && { upstream_model: run.successor.model }),
    reason: terminal.reason,
    ...(terminal.reason === 'interrupted' && { by: terminal.by }),
    ...(terminal.reason === 'error' && { code: terminal.error.code, error: terminal.error.message }),
    ...(run.continues && { continues: run.continues.run_id ?? true }),
    first_delta_ms: firstDeltaAt === undefined ? null : Math.round(firstDeltaAt - startedAt),
    duration_ms: Math.round(endedAt - startedAt),
    units: run.log.length,
    readers: run.readers,
    retries: run.retries,
    ...(usage && { usage }),
  }
  log[terminal.reason === 'error' ? 'warn' : 'info'](line, 'run')
  if (!log.isLevelEnabled('debug') || run.error === undefined) return
  const cause = isChatError(run.error) ? run.error.cause : run.error
  log.debug({ run_id: run.runId, cause: inWords(cause) }, 'why the run failed')
}

function inWords(cause: unknown): string {
  const words = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return words.slice(0, 8_192)
}
