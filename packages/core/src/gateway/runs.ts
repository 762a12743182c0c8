import type { InterruptOutcome, Run } from '../run/run.ts'
import type { Session } from '../session/claim.ts'
import { createSessionCache } from '../session/session-cache.ts'
import { createDirectory } from './directory.ts'
import type { GatewayPolicy } from './options.ts'
import { notFound, owned, type Owner } from './owner.ts'
import { createSaves } from './saves.ts'
import { createStartRun, type StartRun } from './start-run.ts'

/** The runs and sessions of one gateway. Every method does what it does in one synchronous step. */
export interface Runs {
  readonly start: StartRun
  /** @throws {ChatError} `not_found` for an unknown run and for somebody else's, `expired`. */
  find(runId: string, owner: Owner): Run
  /**
   * Ends a run as `person`. An id never seen is barred: an interrupt may overtake the request that it ends.
   * @returns What it did, and when what the run left is stored, or `saveMs` have passed.
   * @throws {ChatError} `not_found`, `expired`.
   */
  interrupt(
    runId: string,
    owner: Owner,
    position: number | undefined,
  ): { readonly outcome: InterruptOutcome; readonly stored: Promise<void> }
  /** @throws {ChatError} `not_found`. */
  session(sessionId: string, owner: Owner): Session
  /** Ends the session's run and forgets both. @returns When what it left is stored. @throws {ChatError} `not_found`. */
  deleteSession(sessionId: string, owner: Owner): Promise<void>
  /** Runs that have not ended. */
  active(): Run[]
  /** Ends every run. */
  close(): void
}

export function createRuns(policy: GatewayPolicy): Runs {
  const { clock } = policy
  const directory = createDirectory(policy.keep)
  const sessions = createSessionCache(policy.sessions)
  const saves = createSaves(policy)

  return {
    start: createStartRun(policy, { directory, sessions, saves }),

    interrupt(runId, owner, position) {
      const found = directory.find(runId, owner, clock.now())
      if (found) {
        const outcome = found.run.interrupt('person', position)
        return { outcome, stored: saves.settled(found.run.sessionId) }
      }
      directory.bar(runId, owner)
      throw notFound('run')
    },

    find(runId, owner) {
      const found = directory.find(runId, owner, clock.now())
      if (!found) throw notFound('run')
      return found.run
    },

    session(sessionId, owner) {
      const session = owned(sessions.get(sessionId, clock.now()), owner, 'session')
      if (!session) throw notFound('session')
      return session
    },

    deleteSession(sessionId, owner) {
      const { activeRunId } = this.session(sessionId, owner)
      if (activeRunId !== null) directory.stoppable(activeRunId, owner, clock.now())?.run.interrupt('deleted')
      sessions.delete(sessionId)
      directory.forget(sessionId)
      return saves.settled(sessionId)
    },

    active: () => Array.from(directory.active(), ({ run }) => run),

    close() {
      for (const { run } of directory.active()) run.interrupt('shutdown')
    },
  }
}
