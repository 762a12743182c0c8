import type { Clock } from '../clock.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import { hasNoAnswer } from '../upstream/http/no-answer.ts'
import type { ChatError, ChatErrorCode } from '../wire/errors.ts'

/** @public */
export interface BreakerOptions {
  /** Runs in a row that failed in spite of recovery, before it opens; where a request may itself be why, those of one client, of one owner, and of one request count once. Where nothing tells users apart, those of one public address do. @defaultValue 5 */
  readonly failures?: number | undefined
  /** How long it stays open before one run may try, ms. @defaultValue 10000 */
  readonly probeMs?: number | undefined
}

/** Resolved options of a breaker. @public */
export type BreakerPolicy = { readonly [Name in keyof BreakerOptions]-?: number }

/** @public */
export const breakerDefaults: BreakerPolicy = /* @__PURE__ */ Object.freeze({ failures: 5, probeMs: 10_000 })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveBreaker(options?: BreakerOptions): BreakerPolicy {
  return resolveNumbers('breaker', options, breakerDefaults, { failures: '>= 1', probeMs: '> 0' })
}

/** What is known of a model server by the runs that it answered or failed. @public */
export interface BreakerState {
  /** Runs in a row that failed. */
  readonly failures: number
  /** Since when it has been open, from when a run may try: ms; null while it is closed. */
  readonly probeAt: number | null
  /** A run is trying; the others wait for what becomes of it. */
  readonly probing: boolean
  /** Whose failures have counted already, and of which requests. */
  readonly failedBy: readonly string[]
}

/** @public */
export type BreakerInput =
  /** A run begins. Only while {@link breakerWaitMs} says 0. */
  | { readonly type: 'begin' }
  /** The first delta of an attempt has come. */
  | { readonly type: 'delta' }
  | { readonly type: 'success' }
  | {
      readonly type: 'failure'
      readonly now: number
      readonly isProbe: boolean
      /**
       * Who asked, and what, where the request itself may be why it failed: of one client, and of one request, the first failure
       * counts, so that nobody can close a server for all others. Absent: it counts, whoever asked.
       */
      readonly by?: readonly string[] | undefined
    }
  /** The run ended in a way that says nothing of the server: a person interrupted it, say. */
  | { readonly type: 'leave'; readonly isProbe: boolean }

/** @public */
export const breakerStart: BreakerState = /* @__PURE__ */ Object.freeze({
  failures: 0,
  probeAt: null,
  probing: false,
  failedBy: [],
})

/** Most names in `failedBy`: a server that stays down for hours collects them. */
const maxFailedBy = 1_000

/** How long no run may begin, ms; 0 when one may. @public */
export function breakerWaitMs({ probeAt, probing }: BreakerState, now: number, { probeMs }: BreakerPolicy): number {
  if (probeAt === null) return 0
  return probing ? probeMs : Math.max(0, probeAt - now)
}

/** One step. Returns the same object when nothing changed. @public */
export function stepBreaker(state: BreakerState, input: BreakerInput, policy: BreakerPolicy): BreakerState {
  const { failures, probeAt, probing, failedBy } = state
  switch (input.type) {
    case 'begin':
      return probeAt === null || probing ? state : { ...state, probing: true }
    case 'delta':
      // It answers again: others need not wait for the end of a long reply. But it is on trial.
      return probeAt === null ? state : { ...state, failures: policy.failures - 1, probeAt: null, probing: false }
    case 'success':
      return failures === 0 && probeAt === null ? state : breakerStart
    case 'failure': {
      const { by = [] } = input
      if (by.some((one) => failedBy.includes(one)))
        return input.isProbe && probing ? { ...state, probing: false } : state
      const opens = probeAt === null ? failures + 1 >= policy.failures : input.isProbe
      return {
        failures: failures + 1,
        probeAt: opens ? input.now + policy.probeMs : probeAt,
        probing: input.isProbe ? false : probing,
        failedBy: [...failedBy, ...by].slice(-maxFailedBy),
      }
    }
    case 'leave':
      return input.isProbe && probing ? { ...state, probing: false } : state
  }
}

/** Failures that are the server's, and not the request's or a person's. */
const serverFaults: ReadonlySet<ChatErrorCode> = /* @__PURE__ */ new Set<ChatErrorCode>([
  'upstream_unreachable',
  'upstream_busy',
  'upstream_crashed',
  'upstream_failed',
  'upstream_incomplete',
  'upstream_malformed',
  'upstream_silent',
])

/**
 * Whether an error says that the server does not work. A stall does not: a model that pauses has answered, and so has a server
 * that gives whole replies without a finish reason that is known, or with a frame that could not be read, which are
 * `upstream_incomplete` and `upstream_malformed` and not retryable.
 */
export function isServerFault({ code, retryable }: Pick<ChatError, 'code' | 'retryable'>): boolean {
  return serverFaults.has(code) && (retryable || (code !== 'upstream_incomplete' && code !== 'upstream_malformed'))
}

/**
 * Whether a request may itself be why its server failed: some say 500 to an option that they cannot read, a prompt can crash one,
 * or take longer than a proxy waits (504, 524), and a rate may be that of one user (429). Only that nobody is there is no
 * request's doing.
 */
export function mayBeOfRequest(error: Pick<ChatError, 'code' | 'cause'>): boolean {
  return !hasNoAnswer(error)
}

/** Whether another server might do better: one that works, goes on, has the model, or takes its key. */
export function isElsewhereBetter(error: Pick<ChatError, 'code' | 'retryable'>): boolean {
  const { code } = error
  return (
    isServerFault(error) ||
    code === 'upstream_stalled' ||
    code === 'upstream_model_missing' ||
    code === 'upstream_unauthorized'
  )
}

/** One run's way through a breaker. Once it has ended, nothing it says counts. */
interface BreakerPass {
  /** The first delta of an attempt has come. */
  delta(): void
  /** @param by - Of a failure that may be of the request: who asked, and what. */
  end(outcome: 'success' | 'failure' | 'leave', by?: readonly string[]): void
}

/** Guards one model server for all runs. */
export interface Breaker {
  /** As it is called everywhere: `half_open` while one run tries. */
  readonly phase: 'closed' | 'open' | 'half_open'
  /** How long no run may begin, ms; 0 when one may. */
  readonly waitMs: number
  /** A run begins. */
  begin(): BreakerPass
  /** Calls back each time it opens. Returns how to leave. */
  onOpen(listener: () => void): () => void
}

export function createBreaker(clock: Clock, policy: BreakerPolicy): Breaker {
  let state = breakerStart
  const listeners = new Set<() => void>()
  const step = (input: BreakerInput): void => {
    const wasOpen = state.probeAt !== null
    state = stepBreaker(state, input, policy)
    if (!wasOpen && state.probeAt !== null) for (const listener of listeners) listener()
  }
  return {
    get phase() {
      return state.probeAt === null ? 'closed' : state.probing ? 'half_open' : 'open'
    },
    get waitMs() {
      return breakerWaitMs(state, clock.now(), policy)
    },
    begin() {
      const isProbe = state.probeAt !== null && !state.probing
      step({ type: 'begin' })
      let hasEnded = false
      return {
        delta: () => step({ type: 'delta' }),
        end(outcome, by) {
          if (hasEnded) return
          hasEnded = true
          if (outcome === 'success') step({ type: 'success' })
          else if (outcome === 'leave') step({ type: 'leave', isProbe })
          else step({ type: 'failure', now: clock.now(), isProbe, by })
        },
      }
    },
    onOpen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
