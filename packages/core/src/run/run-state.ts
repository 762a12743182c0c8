import type { Successor } from '../pool/failover.ts'
import type { ErrorBody } from '../wire/errors.ts'
import type { FinishReason, InterruptedBy, TerminalEvent, Usage } from '../wire/events.ts'

/** Where a run stands. `ended` absorbs everything: a late chunk cannot touch it. @public */
export type RunState =
  | {
      readonly phase: 'waiting' | 'generating' | 'recovering'
      readonly retry?: Retry
      /** Who goes on, when it is not who began. */
      readonly successor?: Successor
    }
  | { readonly phase: 'ended'; readonly terminal: TerminalEvent }

/** The next attempt, after one has failed. @public */
export interface Retry {
  /** From 1. */
  readonly attempt: number
  /** When, on the run's clock, ms. */
  readonly at: number
}

/** What may happen to a run. */
export type RunInput =
  | { readonly type: 'delta' }
  /** An attempt has failed, and another one follows. */
  | {
      readonly type: 'retry'
      readonly retry: Retry
      readonly hasText: boolean
      readonly successor?: Successor | undefined
    }
  /** Before the first attempt: somebody else answers than readers were told. */
  | { readonly type: 'successor'; readonly successor: Successor }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly usage?: Usage | undefined }
  | {
      readonly type: 'interrupt'
      readonly by: InterruptedBy
      readonly position: number
      readonly usage?: Usage | undefined
    }
  | { readonly type: 'fail'; readonly error: ErrorBody; readonly position: number }

export const runStart: RunState = /* @__PURE__ */ Object.freeze({ phase: 'waiting' })
const generating: RunState = /* @__PURE__ */ Object.freeze({ phase: 'generating' })

/** One step of a run. Returns the same object when nothing changed. */
export function stepRun(state: RunState, input: RunInput): RunState {
  if (state.phase === 'ended') return state
  switch (input.type) {
    case 'delta':
      if (state.phase === 'generating') return state
      return state.successor ? { phase: 'generating', successor: state.successor } : generating
    case 'retry': {
      const successor = input.successor ?? state.successor
      const phase = input.hasText ? 'recovering' : 'waiting'
      return { phase, retry: input.retry, ...(successor && { successor }) }
    }
    case 'successor':
      return { ...state, successor: input.successor }
    case 'finish': {
      const { reason, usage } = input
      return { phase: 'ended', terminal: { done: true, reason, ...(usage && { usage }) } }
    }
    case 'interrupt': {
      const { by, position, usage } = input
      return {
        phase: 'ended',
        terminal: { done: true, reason: 'interrupted', by, position, ...(usage && { usage }) },
      }
    }
    case 'fail':
      return { phase: 'ended', terminal: { done: true, reason: 'error', error: input.error, position: input.position } }
  }
}
