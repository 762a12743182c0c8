import type { Session } from './session.ts'

/** @public */
export interface SessionOptions {
  /** Most idle sessions remembered. @defaultValue 100 */
  readonly maxIdle?: number | undefined
  /** How long an idle session is remembered after its last use, ms. @defaultValue 1800000 */
  readonly idleMs?: number | undefined
}

/** @public */
export const sessionDefaults: Readonly<{ maxIdle: number; idleMs: number }> = /* @__PURE__ */ Object.freeze({
  maxIdle: 100,
  idleMs: 1_800_000,
})

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveSessions(options: SessionOptions = {}): typeof sessionDefaults {
  const { maxIdle = sessionDefaults.maxIdle, idleMs = sessionDefaults.idleMs } = options
  if (!(maxIdle >= 0)) throw new RangeError(`maxIdle must be >= 0, got ${maxIdle}`)
  if (!(idleMs > 0)) throw new RangeError(`idleMs must be > 0, got ${idleMs}`)
  return { maxIdle, idleMs }
}

/**
 * Sessions by id: least recently used goes first, over idle ones only; one with an active run is never evicted.
 * Needs no timer: what is too old is forgotten when the cache is next used.
 * @public
 */
export interface SessionCache {
  /** The session, unless it has expired. Looking is no use: only `put` makes it recent. */
  get(id: string, now: number): Session | undefined
  /** Stores a session as the most recent one and evicts what is too much. */
  put(session: Session, now: number): void
  /** Forgets a session. */
  delete(id: string): void
  /** How many are remembered, live ones included. */
  readonly size: number
}

/** @public */
export function createSessionCache(policy: typeof sessionDefaults): SessionCache {
  const live = new Map<string, Session>()
  // In order of last use, as a Map keeps the order of insertion.
  const idle = new Map<string, Session>()

  const sweep = (now: number): void => {
    for (const [id, { usedAt }] of idle) {
      if (idle.size <= policy.maxIdle && now - usedAt < policy.idleMs) return
      idle.delete(id)
    }
  }
  return {
    get(id, now) {
      sweep(now)
      return live.get(id) ?? idle.get(id)
    },
    put(session, now) {
      live.delete(session.id)
      idle.delete(session.id)
      if (session.activeRunId === null) idle.set(session.id, session)
      else live.set(session.id, session)
      sweep(now)
    },
    delete(id) {
      live.delete(id)
      idle.delete(id)
    },
    get size() {
      return live.size + idle.size
    },
  }
}
