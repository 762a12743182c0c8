import type { Source } from '../pool/targets.ts'
import type { Run } from '../run/run.ts'
import { releaseSession, type LastRun } from '../session/claim.ts'
import type { SessionCache } from '../session/session-cache.ts'
import { isChatError, type ChatError } from '../wire/errors.ts'
import { hash64 } from '../wire/hash64.ts'
import { ownFault } from './app-errors.ts'
import type { Directory } from './directory.ts'
import type { GatewayPolicy } from './options.ts'
import type { Saves } from './saves.ts'

/** What the end of a run has to know of its start. */
export interface Begun {
  /** Who answers it; undefined where nobody has been asked. */
  source?: Source | undefined
  readonly client: string | undefined
  readonly metadata: unknown
  readonly context: unknown
}

/** What happens when a run ends, in this order, and how many runs each client has until then. */
export interface RunEnds {
  /** A run of a client has begun. */
  count(client: string | undefined): void
  /** How many a client has. */
  of(client: string): number
  /**
   * How one run ends. Made here, and not where the run is: what a kept run holds on to must not hold the history.
   */
  end(begun: Begun): (run: Run) => void
}

export function createRunEnds(
  { appErrors, clock, onRunEnd }: GatewayPolicy,
  directory: Directory,
  sessions: SessionCache,
  saves: Saves,
): RunEnds {
  const clients = new Map<string, number>()
  const add = (client: string, added: number): void => {
    const left = (clients.get(client) ?? 0) + added
    if (left > 0) clients.set(client, left)
    else clients.delete(client)
  }
  return {
    count(client) {
      if (client !== undefined) add(client, 1)
    },
    of: (client) => clients.get(client) ?? 0,
    end: (begun) => (run) => {
      const { client, metadata, context, source } = begun
      void appErrors.guard(() => source?.end(outcomeOf(run)), { run, context })
      if (client !== undefined) add(client, -1)
      const now = clock.now()
      directory.end(run.runId, now)
      const session = sessions.get(run.sessionId, now)
      if (session) sessions.put(releaseSession(session, lastRunOf(run), now), now)
      const fault = ownFault(run)
      if (fault !== undefined) appErrors.report(fault, { run, context })
      // An app's log must not be able to break a run.
      if (onRunEnd) saves.begin({ run, context }, () => onRunEnd({ run, metadata, context }))
    },
  }
}

/** How a run ended, for the model server that answered it last. What is no error of ours says nothing of it. */
function outcomeOf({ state, error }: Run): 'success' | 'leave' | ChatError {
  if (state.phase !== 'ended' || state.terminal.reason === 'interrupted') return 'leave'
  if (state.terminal.reason !== 'error') return 'success'
  return isChatError(error) ? error : 'leave'
}

function lastRunOf(run: Run): LastRun {
  const terminal = run.state.phase === 'ended' ? run.state.terminal : undefined
  return {
    runId: run.runId,
    interruptedBy: terminal?.reason === 'interrupted' ? terminal.by : null,
    reply: hash64(run.message().content),
  }
}
