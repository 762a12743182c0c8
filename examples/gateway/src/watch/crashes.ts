import type { ErrorListener } from '@midstream/core/gateway'
import type { Log } from './logs.ts'

/** Is told of what failed and what no client is told of. */
export interface Crashes {
  /** The gateway's own listener. */
  readonly onError: ErrorListener
  /** Keeps the process alive when something fails that nobody waits for: one run must not take the others with it. */
  survive(): void
}

/** @param count - Called for each. */
export function createCrashes(log: Log, count: () => void): Crashes {
  const tell = (error: unknown, about: Readonly<Record<string, unknown>>, words: string): void => {
    count()
    const { name, stack = '' } = error instanceof Error ? error : { name: typeof error }
    // What it says may be what somebody wrote; where it was thrown is enough to find it.
    const at = stack.split('\n').filter((line) => line.startsWith('    at '))
    log.error({ ...about, name, at: at.map((line) => line.trim()) }, words)
    log.debug({ error: String(error) }, 'what it said')
  }
  return {
    onError: (error, { request, run }) =>
      tell(
        error,
        { origin: 'gateway', method: request?.method, run_id: run?.runId },
        'something failed in the gateway',
      ),
    survive() {
      const words = 'something failed that nobody waited for'
      process.on('unhandledRejection', (reason) => tell(reason, { origin: 'rejection' }, words))
      process.on('uncaughtException', (error) => tell(error, { origin: 'exception' }, words))
    },
  }
}
