import type { InterruptedBy } from '../wire/events.ts'
import { isSameConversation, type Digest } from './digest.ts'

/** How a session's last run ended: enough to know its partial again, not the text itself. */
export interface LastRun {
  readonly runId: string
  readonly interruptedBy: InterruptedBy | null
  /** Hash of the reply it left. */
  readonly reply: string
}

/** What the gateway remembers of a conversation. */
export interface Session {
  readonly id: string
  /** Who may touch it; undefined when the gateway does not ask. */
  readonly owner: string | undefined
  readonly createdAt: number
  readonly usedAt: number
  /** Runs started so far. */
  readonly runs: number
  /** At most one run is active. */
  readonly activeRunId: string | null
  readonly lastRun: LastRun | null
  readonly digest: Digest
}

/** A request to start a run in a session. */
export interface Claim {
  readonly now: number
  readonly owner: string | undefined
  readonly runId: string
  /** Undefined when the request leaves out the opening: it is taken for the same conversation. */
  readonly digest: Digest | undefined
  /** The id asked for, or one made for a request that names none. */
  readonly sessionId: string
  /** The id of the new session, should this be another conversation under an old id. */
  readonly forkId: string
  readonly interrupts: { readonly run_id: string; readonly position?: number } | undefined
  readonly whenBusy: 'interrupt' | 'reject'
}

/** What a claim does: the session with its new run, and the run that ends in the same step. */
export type Claimed =
  | { readonly busy: string }
  | {
      readonly session: Session
      readonly ends: { readonly runId: string; readonly position: number | undefined } | null
    }

/**
 * Claims a session for a new run, in one step: whether it forks, what it ends, and that it is taken now.
 * A stale `interrupts` (a run that is not the active one) ends nothing in a session that goes on.
 * @param session - The session under the id asked for; undefined adopts the id.
 */
export function claimSession(session: Session | undefined, claim: Claim): Claimed {
  const { now, runId, digest, interrupts } = claim
  const named = interrupts && { runId: interrupts.run_id, position: interrupts.position }
  if (!session || (digest && !isSameConversation(session.digest, digest))) {
    return { session: newSession(session ? claim.forkId : claim.sessionId, claim), ends: named ?? null }
  }
  const claimed = {
    ...session,
    usedAt: now,
    runs: session.runs + 1,
    activeRunId: runId,
    digest: digest ?? session.digest,
  }
  const active = session.activeRunId
  if (active === null) return { session: claimed, ends: null }
  if (active === named?.runId) return { session: claimed, ends: named }
  if (claim.whenBusy === 'reject') return { busy: active }
  return { session: claimed, ends: { runId: active, position: undefined } }
}

function newSession(id: string, { now, owner, runId, digest = [] }: Claim): Session {
  return { id, owner, createdAt: now, usedAt: now, runs: 1, activeRunId: runId, lastRun: null, digest }
}

/** A run of the session has ended. A run that has been superseded leaves the newer one alone. */
export function releaseSession(session: Session, lastRun: LastRun, now: number): Session {
  const activeRunId = session.activeRunId === lastRun.runId ? null : session.activeRunId
  return { ...session, usedAt: now, activeRunId, lastRun }
}
