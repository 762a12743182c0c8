import { ChatError } from '../wire/errors.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import type { UpstreamEvent } from '../upstream/upstream.ts'
import { utf8Bytes } from '../wire/utf8-bytes.ts'

/** @public */
export interface FuseOptions {
  /** Malformed upstream frames in a row that blow it. @defaultValue 3 */
  readonly malformed?: number | undefined
  /** Longest silence tolerated once deltas flow, ms: not even a comment, a ping or an empty delta. @defaultValue 30000 */
  readonly stallMs?: number | undefined
  /** The same when the request offers tools, as some servers hold back a call until it is whole, ms. @defaultValue 60000 */
  readonly toolStallMs?: number | undefined
  /**
   * Longest time without a delta once deltas flow, ms, while comments, pings or empty deltas show that the server is alive. A
   * value below `stallMs` counts as `stallMs`. @defaultValue 120000
   */
  readonly progressMs?: number | undefined
  /** Longest wait for the first delta, ms: a cold model sends nothing while it loads. @defaultValue 300000 */
  readonly firstDeltaMs?: number | undefined
  /** Largest reply, UTF-8 bytes of text and thinking. @defaultValue 4194304 */
  readonly maxBytes?: number | undefined
  /** Longest run, ms. @defaultValue 3600000 */
  readonly maxRunMs?: number | undefined
}

/** Resolved options of a fuse. @public */
export type FusePolicy = { readonly [Name in keyof FuseOptions]-?: number }

/** @public */
export const fuseDefaults: FusePolicy = /* @__PURE__ */ Object.freeze({
  malformed: 3,
  stallMs: 30_000,
  toolStallMs: 60_000,
  progressMs: 120_000,
  firstDeltaMs: 300_000,
  maxBytes: 4_194_304,
  maxRunMs: 3_600_000,
})

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveFuse(options?: FuseOptions): FusePolicy {
  return resolveNumbers('fuse', options, fuseDefaults, '> 0')
}

/** What a fuse knows. It ends one run, once: `blown` absorbs everything. @public */
export type FuseState =
  | {
      readonly phase: 'intact'
      readonly startedAt: number
      /** Since when the first delta of this attempt is waited for; Infinity between two attempts. */
      readonly askedAt: number
      /** When the last delta came; null before the first. */
      readonly deltaAt: number | null
      /** When a comment, a ping or an empty delta last showed that the server is alive: another clock than that of deltas. */
      readonly aliveAt: number
      /** Malformed frames in a row. */
      readonly malformed: number
      readonly bytes: number
    }
  | { readonly phase: 'blown'; readonly error: ChatError }

/** @public */
export type FuseInput =
  /** Something that grows the reply; its size in UTF-8 bytes. */
  | { readonly type: 'delta'; readonly now: number; readonly bytes: number }
  /** An event of the app's own: it has a size, but says nothing of the model. */
  | { readonly type: 'data'; readonly bytes: number }
  /** A valid frame without progress: an empty delta, a role, a count. */
  | { readonly type: 'alive'; readonly now: number }
  /** The server has come further with what comes before the next delta. */
  | { readonly type: 'progress'; readonly now: number }
  | { readonly type: 'malformed' }
  /** The server is asked, for the first time or again: the wait for a first delta begins. */
  | { readonly type: 'ask'; readonly now: number }
  /** An attempt has failed: until the next one, silence is no fault. */
  | { readonly type: 'rest' }
  /** `held`: nobody reads, so the silence is not the upstream's. */
  | { readonly type: 'tick'; readonly now: number; readonly held?: boolean }

/** @public */
export function startFuse(now: number): FuseState {
  return { phase: 'intact', startedAt: now, askedAt: now, deltaAt: null, aliveAt: now, malformed: 0, bytes: 0 }
}

/** When the fuse next wants a tick. @public */
export function fuseDueAt(state: FuseState, policy: FusePolicy): number {
  if (state.phase === 'blown') return Infinity
  const { startedAt, askedAt, deltaAt } = state
  return Math.min(
    startedAt + policy.maxRunMs,
    deltaAt === null ? askedAt + policy.firstDeltaMs : stalledAt(state, policy),
  )
}

/** When silence, or life without progress, has lasted too long. */
function stalledAt({ deltaAt, aliveAt }: FuseState & { readonly phase: 'intact' }, policy: FusePolicy): number {
  const { stallMs, progressMs } = policy
  const last = deltaAt ?? Infinity
  return Math.min(Math.max(last, aliveAt) + stallMs, last + Math.max(progressMs, stallMs))
}

/** One step. Returns the same object when nothing changed. @public */
export function stepFuse(state: FuseState, input: FuseInput, policy: FusePolicy): FuseState {
  if (state.phase === 'blown') return state
  switch (input.type) {
    case 'delta':
    case 'data': {
      const bytes = state.bytes + input.bytes
      if (bytes > policy.maxBytes) return blown('overflow', `The reply is longer than ${policy.maxBytes} bytes.`)
      return { ...state, deltaAt: input.type === 'delta' ? input.now : state.deltaAt, malformed: 0, bytes }
    }
    case 'alive':
      if (state.malformed === 0 && (state.deltaAt === null || state.aliveAt === input.now)) return state
      return { ...state, aliveAt: input.now, malformed: 0 }
    case 'progress':
      return state.deltaAt === null
        ? { ...state, askedAt: input.now, malformed: 0 }
        : { ...state, deltaAt: input.now, malformed: 0 }
    case 'ask':
      return { ...state, askedAt: input.now, deltaAt: null, malformed: 0 }
    case 'rest':
      return { ...state, askedAt: Infinity, deltaAt: null }
    case 'malformed': {
      const malformed = state.malformed + 1
      if (malformed < policy.malformed) return { ...state, malformed }
      return blown('upstream_malformed', `The model server sent ${malformed} unreadable frames in a row.`, true)
    }
    case 'tick': {
      if (input.now < fuseDueAt(state, policy)) return state
      if (input.now >= state.startedAt + policy.maxRunMs)
        return blown('run_too_long', `The run took longer than ${policy.maxRunMs} ms.`)
      if (state.deltaAt === null)
        return blown('upstream_silent', `The model server sent nothing for ${policy.firstDeltaMs} ms.`, true)
      if (input.held) return { ...state, deltaAt: input.now }
      const isSilent = Math.max(state.deltaAt, state.aliveAt) + policy.stallMs <= input.now
      return blown(
        'upstream_stalled',
        isSilent
          ? `The model server fell silent for ${policy.stallMs} ms.`
          : `The model server was alive, but made no progress for ${policy.progressMs} ms.`,
        true,
      )
    }
  }
}

function blown(code: ChatError['code'], message: string, retryable = false): FuseState {
  return { phase: 'blown', error: new ChatError(code, message, { retryable }) }
}

/** What an upstream event means to a fuse. @public */
export function fuseInput(event: UpstreamEvent, now: number): FuseInput {
  if ('message' in event) return textInput(event.message, now)
  if ('thinking' in event) return textInput(event.thinking, now)
  if ('malformed' in event) return { type: 'malformed' }
  if ('alive' in event || 'usage' in event || 'error' in event) return { type: 'alive', now }
  // A call in the making is the reply growing, though nothing of it is in the log before it is whole.
  if ('progress' in event)
    return event.progress.stage === 'tool_call' ? { type: 'delta', now, bytes: 0 } : { type: 'progress', now }
  // Rare, and of any size.
  const bytes = utf8Bytes(JSON.stringify(event))
  return 'data' in event ? { type: 'data', bytes } : { type: 'delta', now, bytes }
}

function textInput(text: string, now: number): FuseInput {
  return text === '' ? { type: 'alive', now } : { type: 'delta', now, bytes: utf8Bytes(text) }
}
