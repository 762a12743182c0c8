import { createOwnerShares } from '../owner-shares.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import type { Session } from './claim.ts'

/** @public */
export interface SessionOptions {
  /** Most idle sessions remembered. Whoever has the most of them loses one first. @defaultValue 1000 */
  readonly maxIdle?: number | undefined
  /** Most idle sessions of one owner; without `authorize` everybody is one. @defaultValue 100 */
  readonly maxIdlePerOwner?: number | undefined
  /** How long an idle session is remembered after its last use, ms. @defaultValue 1800000 */
  readonly idleMs?: number | undefined
}

/** @public */
export const sessionDefaults: { readonly [Name in keyof SessionOptions]-?: number } = /* @__PURE__ */ Object.freeze({
  maxIdle: 1_000,
  maxIdlePerOwner: 100,
  idleMs: 1_800_000,
})

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveSessions(options?: SessionOptions): typeof sessionDefaults {
  return resolveNumbers('sessions', options, sessionDefaults, {
    maxIdle: '>= 0',
    maxIdlePerOwner: '>= 0',
    idleMs: '> 0',
  })
}

/**
 * Sessions by id: least recently used goes first, over idle ones only; one with an active run is never evicted, and no owner
 * evicts those of another one who has fewer.
 * Needs no timer: what is too old is forgotten when the cache is next used.
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

export function createSessionCache(policy: typeof sessionDefaults): SessionCache {
  const live = new Map<string, Session>()
  // In order of last use, as a Map keeps the order of insertion.
  const idle = new Map<string, Session>()

  const shares = createOwnerShares()

  const forget = (id: string | undefined): void => {
    const session = id === undefined ? undefined : idle.get(id)
    if (!session) return
    idle.delete(session.id)
    shares.delete(session.owner, session.id)
  }
  const sweep = (now: number): void => {
    for (const [id, { usedAt }] of idle) {
      if (now - usedAt < policy.idleMs) break
      forget(id)
    }
    while (idle.size > policy.maxIdle) forget(shares.next)
  }
  return {
    get(id, now) {
      sweep(now)
      return live.get(id) ?? idle.get(id)
    },
    put(session, now) {
      const { id, owner } = session
      live.delete(id)
      forget(id)
      if (session.activeRunId === null) {
        idle.set(id, session)
        shares.add(owner, id, 1)
        const share = shares.of(owner)
        if (share.weight > policy.maxIdlePerOwner) forget(share.oldest)
      } else live.set(id, session)
      sweep(now)
    },
    delete(id) {
      live.delete(id)
      forget(id)
    },
    get size() {
      return live.size + idle.size
    },
  }
}
