import { backoffMs, type Clock, type InterruptOutcome, type RandomBytes } from '@midstream/core'
import { pause } from './page.ts'
import { asWait, droppedError, isPassing } from './refusal.ts'
import { answerMs, isLate, requestJson, type Endpoint } from './request.ts'
import type { Interrupts } from '../state/reply.ts'

export interface Telling {
  readonly options: Endpoint
  readonly clock: Clock
  readonly random: RandomBytes
  readonly maxMs: number
  /** Aborts when nobody is there any more who would ask again; what is on its way goes on. */
  readonly closing: AbortSignal
}

/**
 * Tells the gateway to end a run, until it has answered. Twice is harmless.
 * @param late - As in {@link tellUntilAnswered}.
 * @returns What became of the run; `gone` if the gateway does not know it, or not any more; nothing if it was not reached for
 * `maxMs`, or refuses.
 */
export async function tellInterrupt(
  telling: Telling,
  { run_id: runId, position }: Interrupts,
  late?: () => void,
): Promise<InterruptOutcome | 'gone' | undefined> {
  const json = { position }
  const answer = await tellUntilAnswered<InterruptOutcome>(telling, `/runs/${runId}/interrupt`, { json }, late)
  // Somebody else's answer, though it is JSON: the run may go on.
  return answer === 'gone' || isOutcome(answer) ? answer : undefined
}

/**
 * Sends what ends a run, again and again until the gateway has answered.
 * @param late - Called once if two tries failed, or 10 s have passed without an answer.
 * @returns The answer; `gone` if there is nothing to end; nothing if the gateway was not reached for `maxMs`, or refuses.
 */
export async function tellUntilAnswered<Answer>(
  { options, clock, random, maxMs, closing }: Telling,
  path: string,
  parts: Parameters<typeof requestJson>[2],
  late?: () => void,
): Promise<Answer | 'gone' | undefined> {
  let isSaid = false
  const say = (): void => {
    if (!isSaid) late?.()
    isSaid = true
  }
  // A first try may fail late, and a second one takes as long again.
  const disarm = clock.after(answerMs, say)
  const lastAt = clock.now() + maxMs
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        return await requestJson<Answer>({ ...options, clock }, path, { ...parts, isUrgent: true })
      } catch (cause) {
        const error = droppedError(cause)
        if (error.code === 'not_found' || error.code === 'expired') return 'gone'
        if (!error.retryable && !isPassing(error)) return undefined
        // The model runs on meanwhile: a gateway that is to be left alone for an hour is asked sooner.
        const refusedMs = Math.min(asWait(error.retryAfterMs) ?? 0, answerMs)
        // A connection that the server has just closed, or a balancer that has just lost a gateway, fails once.
        const isFirst = attempt === 0 && !isLate(error)
        if (isFirst && refusedMs === 0) continue
        if (!isFirst) say()
        // One that waited in vain for a free connection is asked again at once: another request would get the next one.
        const waitMs = Math.max(refusedMs, isFirst || isLate(error) ? 0 : backoffMs(attempt, random))
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await pause(clock, waitMs, closing, refusedMs > 0)
        if (closing.aborted || clock.now() >= lastAt) return undefined
      }
    }
  } finally {
    disarm()
  }
}

function isOutcome(answer: Partial<InterruptOutcome> | undefined): answer is InterruptOutcome {
  const { outcome, reason, position, partial } = answer ?? {}
  return (
    (outcome === 'interrupted' || outcome === 'already_done') &&
    typeof reason === 'string' &&
    Number.isSafeInteger(position) &&
    typeof partial?.content === 'string'
  )
}
