import { resolveNumbers } from '../resolve-numbers.ts'

/** @public */
export interface CoalesceOptions {
  /** At most one text frame in this time, ms; 0 sends every delta by itself. @defaultValue 100 */
  readonly windowMs?: number | undefined
}

/** @public */
export const coalesceDefaults: Readonly<{ windowMs: number }> = /* @__PURE__ */ Object.freeze({ windowMs: 100 })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveCoalesce(options?: CoalesceOptions): typeof coalesceDefaults {
  return resolveNumbers('coalesce', options, coalesceDefaults, '>= 0')
}

/** When text may be sent again. The machine decides when a reader reads; it holds no text. @public */
export interface CoalesceState {
  readonly opensAt: number
}

/** Before the first text, which goes at once. @public */
export const coalesceStart: CoalesceState = /* @__PURE__ */ Object.freeze({ opensAt: -Infinity })

/** When what waits may go: text when the window opens, anything else now, and the text before it with it. @public */
export function coalesceDueAt(state: CoalesceState, waiting: 'text' | 'other'): number {
  return waiting === 'text' ? state.opensAt : -Infinity
}

/** Text was sent: the next one waits for a window. @public */
export function coalesceSent(now: number, policy: typeof coalesceDefaults): CoalesceState {
  return { opensAt: now + policy.windowMs }
}
