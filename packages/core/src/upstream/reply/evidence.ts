import type { Learnt } from './learnt.ts'
import { unprovenReply } from './reply-errors.ts'
import type { UpstreamEvent, UpstreamRequest } from '../upstream.ts'

/** What one reply has shown of how its server ends a reply. */
export interface Evidence {
  heard(events: readonly UpstreamEvent[]): void
  /** The body has ended by itself: gives the error, if the run must not ask again. */
  end(): UpstreamEvent[]
}

/**
 * Tells a body that was cut from the replies of a server that never gives a finish reason: such a reply is whole, as far as
 * anybody can know, and asking again writes it again. An end without evidence is a cut, to be recovered, only where a reply of
 * this model has ended by evidence within the last hour; a continuation that ends so, too, takes that back.
 */
export function createEvidence({ model, prefill }: UpstreamRequest, learnt: Learnt): Evidence {
  let hasGrown = false
  let isOver = false
  return {
    heard(events) {
      for (const event of events) {
        if ('message' in event) {
          hasGrown = true
          continue
        }
        hasGrown ||= 'progress' in event && event.progress.stage === 'tool_call'
        isOver ||= 'error' in event || 'finish' in event
        if ('finish' in event) learnt.learn(model, 'finishes')
      }
    },
    end() {
      if (isOver || !hasGrown) return []
      const isCut = learnt.knows(model, 'finishes')
      if (prefill !== '') learnt.forget(model, 'finishes')
      return isCut ? [] : [{ error: unprovenReply('The body ended without a finish reason.') }]
    },
  }
}
