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
 * Tells the gateway to end a run, again and again until it has answered. Twice is harmless.
 * @param late - Called once if two tries failed, or 10 s have passed without an answer.
 * @returns What became of the run; `gone` if the gateway does not know it, or not any more; nothing if it was not reached for
 * `maxMs`, or refuses.
 */
export async function tellInterrupt(
  telling: Telling,
  ends: Interrupts,
  late: () => void = () => {},
): Promise<InterruptOutcome | 'gone' | undefined> {
  let isSaid = false
  const say = (): void => {
    if (!isSaid) late()
    isSaid = true
  }
  // A first try may fail late, and a second one takes as long again.
  const disarm = telling.clock.after(answerMs, say)
  try {
    return await tellUntilAnswered(telling, ends, say)
  } finally {
    disarm()
  }
}

async function tellUntilAnswered(
  { options, clock, random, maxMs, closing }: Telling,
  { run_id: runId, position }: Interrupts,
  late: () => void,
): Promise<InterruptOutcome | 'gone' | undefined> {
  const lastAt = clock.now() + maxMs
  for (let attempt = 0; ; attempt += 1) {
    try {
      const json = { position }
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await requestJson<InterruptOutcome>({ ...options, clock }, `/runs/${runId}/interrupt`, {
        json,
        isUrgent: true,
      })
      // Somebody else's answer, though it is JSON: the run may go on.
      return isOutcome(answer) ? answer : undefined
    } catch (cause) {
      const error = droppedError(cause)
      if (error.code === 'not_found' || error.code === 'expired') return 'gone'
      if (!error.retryable && !isPassing(error)) return undefined
      // The model runs on meanwhile: a gateway that is to be left alone for an hour is asked sooner.
      const refusedMs = Math.min(asWait(error.retryAfterMs) ?? 0, answerMs)
      // A connection that the server has just closed, or a balancer that has just lost a gateway, fails once.
      const isFirst = attempt === 0 && !isLate(error)
      if (isFirst && refusedMs === 0) continue
      if (!isFirst) late()
      // One that waited in vain for a free connection is asked again at once: another request would get the next one.
      const waitMs = Math.max(refusedMs, isFirst || isLate(error) ? 0 : backoffMs(attempt, random))
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await pause(clock, waitMs, closing, refusedMs > 0)
      if (closing.aborted || clock.now() >= lastAt) return undefined
    }
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
