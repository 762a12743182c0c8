import { createOwnerShares } from '../owner-shares.ts'
import { isId } from '../wire/ids.ts'
import { runBytes, stringBytes } from '../run/held-bytes.ts'
import type { Run } from '../run/run.ts'

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
export function resolveKeep(options: KeepOptions = {}): typeof keepDefaults {
  const {
    keepRunMs = keepDefaults.keepRunMs,
    maxRuns = keepDefaults.maxRuns,
    maxBytes = keepDefaults.maxBytes,
  } = options
  for (const [name, value] of Object.entries({ keepRunMs, maxRuns, maxBytes })) {
    if (!(value >= 0)) throw new RangeError(`${name} must be >= 0, got ${value}`)
  }
  return { keepRunMs, maxRuns, maxBytes }
}

/** A run and what the gateway must know to let somebody at it. @public */
export interface KeptRun {
  readonly run: Run
  readonly owner: string | undefined
  /** Hash of the body that started it: the same id with the same body attaches. */
  readonly body: string
  /** Text of the message that this run grows, before it. */
  readonly begun: string
  /** Whose runs are counted together; undefined counts nobody's. */
  readonly client?: string | undefined
}

/** What a kept run takes in memory, bytes, about. */
export const keptBytes = ({ run, begun }: KeptRun): number => runBytes + run.log.bytes() + stringBytes(begun)

/** Ids of forgotten and barred runs that are remembered, to say 410 instead of 404. Whoever has the most of them loses one first. */
const maxExpired = 10_000

/**
 * The runs of a gateway: active ones, and ended ones for a while, bounded in time, number and bytes. Needs no timer.
 * @public
 */
export interface RunCache {
  /** The run; `expired` for one that was there; undefined for an id never seen. */
  get(runId: string, now: number): KeptRun | 'expired' | undefined
  add(kept: KeptRun): void
  /** To be called when a run has ended: from now on it can be forgotten. */
  end(runId: string, now: number): KeptRun | undefined
  /** Sees to it that a run that was never seen is not started any more: it counts as expired. */
  bar(runId: string, owner: string | undefined): void
  /** Who may be told that the run has expired. */
  expiredOwner(runId: string): string | undefined
  /** Forgets the ended runs of a session at once. */
  forget(sessionId: string): void
  /** Runs that have not ended. */
  active(): Iterable<KeptRun>
  readonly activeCount: number
}

/** @public */
export function createRunCache(policy: typeof keepDefaults): RunCache {
  const active = new Map<string, KeptRun>()
  // In the order in which they ended.
  const ended = new Map<string, KeptRun>()
  /** Owners by run id. */
  const expired = new Map<string, string | undefined>()
  const expiredShares = createOwnerShares()
  const weights = new Map<string, number>()
  const shares = createOwnerShares()
  let bytes = 0

  const bar = (runId: string, owner: string | undefined): void => {
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
  return {
    get(runId, now) {
      sweep(now)
      return active.get(runId) ?? ended.get(runId) ?? (expired.has(runId) ? 'expired' : undefined)
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
    expiredOwner: (runId) => expired.get(runId),
    forget(sessionId) {
      for (const [runId, kept] of ended) if (kept.run.sessionId === sessionId) expire(runId, kept)
    },
    active: () => active.values(),
    get activeCount() {
      return active.size
    },
  }
}
