import type { Learnt } from '../upstream/learnt.ts'
import { unprovenReply } from '../upstream/reply/reply-errors.ts'
import type { UpstreamEvent, UpstreamRequest, UpstreamSink } from '../upstream/upstream.ts'

/**
 * Tells a body that was cut from the replies of a server that never gives a finish reason: such a reply is whole, as far as
 * anybody can know, and asking again writes it again. An end without evidence is a cut, to be recovered, only where a reply of
 * this model has ended by evidence within the last hour; a continuation that ends so, too, takes that back.
 * @param learnt - What is known of the model server that is asked.
 */
export function withEvidence(sink: UpstreamSink, { model, prefill }: UpstreamRequest, learnt: Learnt): UpstreamSink {
  let hasGrown = false
  return {
    push(events) {
      for (const event of events) {
        hasGrown ||= isGrowth(event)
        if ('finish' in event) learnt.learn(model, finishes)
      }
      return sink.push(events)
    },
    end(error) {
      if (error !== undefined || !hasGrown) return sink.end(error)
      const isCut = learnt.knows(model, finishes)
      if (prefill !== '') learnt.forget(model, finishes)
      sink.end(isCut ? undefined : unprovenReply('The body ended without a finish reason.'))
    },
  }
}

/** What is learnt: the model's replies end by a finish reason. */
const finishes = 'finishes'

/** Thinking is text as well: it would be shown, and written, once more each time. */
function isGrowth(event: UpstreamEvent): boolean {
  return 'message' in event || 'thinking' in event || ('progress' in event && event.progress.stage === 'tool_call')
}
