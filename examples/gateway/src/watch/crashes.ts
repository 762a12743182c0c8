import type { Log } from './logs.ts'

/**
 * Keeps the process alive when something fails that nobody waits for: one run must not take the others with it.
 * @param count - Called for each.
 */
export function surviveCrashes(log: Log, count: () => void): void {
  const survive = (error: unknown, origin: string): void => {
    count()
    const { name, stack = '' } = error instanceof Error ? error : { name: typeof error }
    // What it says may be what somebody wrote; where it was thrown is enough to find it.
    const at = stack.split('\n').filter((line) => line.startsWith('    at '))
    log.error({ origin, name, at: at.map((line) => line.trim()) }, 'something failed that nobody waited for')
    log.debug({ error: String(error) }, 'what it said')
  }
  process.on('unhandledRejection', (reason) => survive(reason, 'rejection'))
  process.on('uncaughtException', (error) => survive(error, 'exception'))
}
