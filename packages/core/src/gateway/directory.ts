import { createOwnerShares } from '../owner-shares.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import { runBytes, stringBytes } from '../run/held-bytes.ts'
import type { Run } from '../run/run.ts'
import { ChatError } from '../wire/errors.ts'
import { isId } from '../wire/ids.ts'
import { notFound, owned, type Owner } from './owner.ts'

/** @public */
export interface KeepOptions {
  /** How long an ended run stays readable, ms. @defaultValue 300000 */
  readonly keepRunMs?: number | undefined
  /** Most ended runs kept. @defaultValue 1000 */
  readonly maxRuns?: number | undefined
  /** Most that ended runs take together in memory, bytes, about. Whoever has the most of them loses one first. @defaultValue 67108864 */
  readonly maxBytes?: number | undefined
}

/** @public */
export const keepDefaults: Readonly<{ keepRunMs: number; maxRuns: number; maxBytes: number }> =
  /* @__PURE__ */ Object.freeze({
    keepRunMs: 300_000,
    maxRuns: 1_000,
    maxBytes: 67_108_864,
  })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveKeep(options?: KeepOptions): typeof keepDefaults {
  return resolveNumbers('keep', options, keepDefaults, '>= 0')
}

/** A run and what the gateway must know to let somebody at it. */
export interface KeptRun {
  readonly run: Run
  readonly owner: Owner
  /** Hash of the body that started it: the same id with the same body attaches. */
  readonly body: string
  /** Whose runs are counted together; undefined counts nobody's. */
  readonly client?: string | undefined
}

/** What a kept run takes in memory, bytes, about. */
export const keptBytes = ({ run }: KeptRun): number => runBytes + run.log.bytes() + stringBytes(run.begun)

/** Ids of forgotten and barred runs that are remembered, to say 410 instead of 404. Whoever has the most of them loses one first. */
const maxExpired = 10_000

/**
 * The runs of a gateway by their ids: active ones, and ended ones for a while, bounded in time, number and bytes. Needs no timer.
 * An id that is barred before its run was ever seen is one that has expired: an interrupt may overtake the request that it ends.
 */
export interface Directory {
  /** The run; `expired` for one that was there; undefined for an id never seen. */
  get(runId: string, now: number): KeptRun | 'expired' | undefined
  /**
   * The run, for its owner; undefined for an id never seen.
   * @throws {ChatError} `not_found` for somebody else's, `expired`.
   */
  find(runId: string, owner: Owner, now: number): KeptRun | undefined
  /** A run that somebody wants ended: one that is not there yet must not start, and one that is not theirs goes on. */
  stoppable(runId: string, owner: Owner, now: number): KeptRun | undefined
  add(kept: KeptRun): void
  /** To be called when a run has ended: from now on it can be forgotten. */
  end(runId: string, now: number): KeptRun | undefined
  /** Sees to it that a run that was never seen is not started any more: it counts as expired. */
  bar(runId: string, owner: Owner): void
  /** Forgets the ended runs of a session at once. */
  forget(sessionId: string): void
  /** Runs that have not ended. */
  active(): Iterable<KeptRun>
  readonly activeCount: number
}

export function createDirectory(policy: typeof keepDefaults): Directory {
  const active = new Map<string, KeptRun>()
  // In the order in which they ended.
  const ended = new Map<string, KeptRun>()
  /** Owners by run id. */
  const expired = new Map<string, Owner>()
  const expiredShares = createOwnerShares()
  const weights = new Map<string, number>()
  const shares = createOwnerShares()
  let bytes = 0

  const bar = (runId: string, owner: Owner): void => {
    if (!isId('run', runId)) return
    if (expired.has(runId)) expiredShares.delete(expired.get(runId), runId)
    expired.set(runId, owner)
    expiredShares.add(owner, runId, 1)
    if (expired.size <= maxExpired) return
    const one = expiredShares.next!
    expiredShares.delete(expired.get(one), one)
    expired.delete(one)
  }
  const expire = (runId: string, { owner }: KeptRun): void => {
    bytes -= weights.get(runId) ?? 0
    weights.delete(runId)
    ended.delete(runId)
    shares.delete(owner, runId)
    bar(runId, owner)
  }
  const sweep = (now: number): void => {
    for (const [runId, kept] of ended) {
      if (now - (kept.run.endedAt ?? now) < policy.keepRunMs) break
      expire(runId, kept)
    }
    while (ended.size > policy.maxRuns || bytes > policy.maxBytes) {
      const runId = shares.next!
      expire(runId, ended.get(runId)!)
    }
  }
  const get = (runId: string, now: number): KeptRun | 'expired' | undefined => {
    sweep(now)
    return active.get(runId) ?? ended.get(runId) ?? (expired.has(runId) ? 'expired' : undefined)
  }
  return {
    get,
    find(runId, owner, now) {
      const found = get(runId, now)
      if (found !== 'expired') return owned(found, owner, 'run')
      if (expired.get(runId) !== owner) throw notFound('run')
      throw new ChatError('expired', 'The run has ended and is no longer kept.')
    },
    stoppable(runId, owner, now) {
      const found = get(runId, now)
      if (!found) bar(runId, owner)
      if (!found || found === 'expired' || found.owner !== owner) return undefined
      return found.run.state.phase === 'ended' ? undefined : found
    },
    add(kept) {
      active.set(kept.run.runId, kept)
    },
    end(runId, now) {
      const kept = active.get(runId)
      if (!kept) return undefined
      active.delete(runId)
      kept.run.log.close()
      const weight = keptBytes(kept)
      ended.set(runId, kept)
      weights.set(runId, weight)
      shares.add(kept.owner, runId, weight)
      bytes += weight
      sweep(now)
      return kept
    },
    bar,
    forget(sessionId) {
      for (const [runId, kept] of ended) if (kept.run.sessionId === sessionId) expire(runId, kept)
    },
    active: () => active.values(),
    get activeCount() {
      return active.size
    },
  }
}
