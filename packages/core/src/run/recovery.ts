import { backoffMs } from './backoff.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import type { ChatError, ChatErrorCode } from '../wire/errors.ts'
import type { RandomBytes } from '../wire/ids.ts'

/** @public */
export interface RecoveryOptions {
  /** Attempts that yielded something and failed all the same, before the run fails. @defaultValue 5 */
  readonly maxAttempts?: number | undefined
  /** How long the model server may be unreachable before the run fails, ms. @defaultValue 60000 */
  readonly maxWaitMs?: number | undefined
  /**
   * How long it may be unreachable where a `route` has another one that can go on, ms. A connection has to be there in this time, too,
   * with `nodeTransport`; with `fetchTransport` the platform limits it. @defaultValue 3000
   */
  readonly failoverMs?: number | undefined
}

/** Resolved options of recovery. @public */
export type RecoveryPolicy = { readonly [Name in keyof RecoveryOptions]-?: number }

/** @public */
export const recoveryDefaults: RecoveryPolicy = /* @__PURE__ */ Object.freeze({
  maxAttempts: 5,
  maxWaitMs: 60_000,
  failoverMs: 3_000,
})

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveRecovery(options?: RecoveryOptions): RecoveryPolicy {
  return resolveNumbers('recovery', options, recoveryDefaults, {
    maxAttempts: '>= 1',
    maxWaitMs: '>= 0',
    failoverMs: '>= 0',
  })
}

/** What is known of a run's failed attempts. @public */
export interface RecoveryState {
  /** Failures in a row: which retry is next, from 1. */
  readonly attempt: number
  /** Attempts that yielded something and failed. */
  readonly fruitful: number
  /** Since when nothing has come, ms; null while something does. */
  readonly lostAt: number | null
}

/** @public */
export const recoveryStart: RecoveryState = /* @__PURE__ */ Object.freeze({ attempt: 0, fruitful: 0, lostAt: null })

/** What a failure means: the state to go on with, and how long to wait; null when the run has to fail. @public */
export interface RecoveryStep {
  readonly state: RecoveryState
  readonly retryInMs: number | null
}

/** What may be gone again in a while. Of what a fuse judges only a stall: the server had answered, as before a drop. */
const passing: ReadonlySet<ChatErrorCode> = /* @__PURE__ */ new Set([
  'upstream_unreachable',
  'upstream_busy',
  'upstream_crashed',
  'upstream_incomplete',
  'upstream_stalled',
])

/** An attempt has yielded something: the server is there. @public */
export function recoverySeen(state: RecoveryState): RecoveryState {
  return state.lostAt === null ? state : { ...state, attempt: 0, lostAt: null }
}

/** Another model server can go on. @public */
export interface Standby {
  /** When this attempt began, ms: the time that it took to fail is part of the wait. */
  readonly askedAt: number
}

/**
 * An attempt has failed. A server that is not there is waited for until `maxWaitMs`; one that answers and fails again
 * is asked `maxAttempts` times. Where another one stands by, it is waited for until `failoverMs`.
 * @param hasYielded - Whether this attempt grew the reply.
 * @public
 */
export function stepRecovery(
  state: RecoveryState,
  input: {
    readonly now: number
    readonly error: ChatError
    readonly hasYielded: boolean
    readonly standby?: Standby | undefined
  },
  policy: RecoveryPolicy,
  random: RandomBytes,
): RecoveryStep {
  const lostAt = state.lostAt ?? input.now
  const attempt = state.attempt + 1
  const fruitful = state.fruitful + (input.hasYielded ? 1 : 0)
  const next = { attempt, fruitful, lostAt }
  const maxWaitMs = input.standby ? Math.min(policy.failoverMs, policy.maxWaitMs) : policy.maxWaitMs
  const waitedSince = input.standby && !input.hasYielded ? Math.min(lostAt, input.standby.askedAt) : lostAt
  const left = waitedSince + maxWaitMs - input.now
  // Who says when to come back is not asked earlier; later than anybody waits is never.
  const askedMs = input.error.retryAfterMs ?? 0
  if (
    !input.error.retryable ||
    !passing.has(input.error.code) ||
    fruitful >= policy.maxAttempts ||
    left <= 0 ||
    askedMs > left
  )
    return { state: next, retryInMs: null }
  return { state: next, retryInMs: Math.max(askedMs, Math.min(left, backoffMs(attempt, random))) }
}
