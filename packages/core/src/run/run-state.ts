import type { ErrorBody } from '../wire/errors.ts'
import type { FinishReason, InterruptedBy, TerminalEvent, Usage } from '../wire/events.ts'

/** Where a run stands. `ended` absorbs everything: a late chunk cannot touch it. @public */
export type RunState =
  | { readonly phase: 'waiting' | 'generating' | 'recovering'; readonly retry?: Retry }
  | { readonly phase: 'ended'; readonly terminal: TerminalEvent }

/** The next attempt, after one has failed. @public */
export interface Retry {
  /** From 1. */
  readonly attempt: number
  /** When, on the run's clock, ms. */
  readonly at: number
}

/** @public */
export type RunInput =
  | { readonly type: 'delta' }
  /** An attempt has failed, and another one follows. */
  | { readonly type: 'retry'; readonly retry: Retry; readonly hasText: boolean }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly usage?: Usage | undefined }
  | { readonly type: 'interrupt'; readonly by: InterruptedBy; readonly position: number }
  | { readonly type: 'fail'; readonly error: ErrorBody; readonly position: number }

/** @public */
export const runStart: RunState = /* @__PURE__ */ Object.freeze({ phase: 'waiting' })
const generating: RunState = /* @__PURE__ */ Object.freeze({ phase: 'generating' })

/** One step of a run. Returns the same object when nothing changed. @public */
export function stepRun(state: RunState, input: RunInput): RunState {
  if (state.phase === 'ended') return state
  switch (input.type) {
    case 'delta':
      return state.phase === 'generating' ? state : generating
    case 'retry':
      return { phase: input.hasText ? 'recovering' : 'waiting', retry: input.retry }
    case 'finish': {
      const { reason, usage } = input
      return { phase: 'ended', terminal: { done: true, reason, ...(usage === undefined ? {} : { usage }) } }
    }
    case 'interrupt':
      return { phase: 'ended', terminal: { done: true, reason: 'interrupted', by: input.by, position: input.position } }
    case 'fail':
      return { phase: 'ended', terminal: { done: true, reason: 'error', error: input.error, position: input.position } }
  }
}
