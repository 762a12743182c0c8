import { isChatError, type ChatError } from '../../wire/errors.ts'
import type { SseFrame } from '../../wire/sse.ts'
import type { UpstreamEvent } from '../upstream.ts'
import type { ReplyDecoder } from './ask-reply.ts'
import type { FrameDecoder } from './sse-frames.ts'

/** What the decoder of one kind of server makes of its frames. */
export interface FrameUse {
  decode(frame: SseFrame, events: UpstreamEvent[]): void
  /** The reply has finished or failed. */
  isFinished(): boolean
  /** The reply has failed: gives its error, and is finished. */
  fail(error: ChatError): UpstreamEvent
  /** The frames of one read are over. */
  read?(events: UpstreamEvent[]): void
  /** The body is over. */
  end?(events: UpstreamEvent[]): void
}

/**
 * A decoder out of what cuts frames and what reads them. What is too long is an error event behind all that was read before it: a
 * throw would lose the text of the same read.
 */
export function decodeFrames(frames: FrameDecoder, use: FrameUse): ReplyDecoder {
  const decodeAll = (cut: () => readonly SseFrame[]): UpstreamEvent[] => {
    const events: UpstreamEvent[] = []
    try {
      for (const frame of cut()) {
        if (use.isFinished()) break
        use.decode(frame, events)
      }
    } catch (error) {
      if (!isChatError(error)) throw error
      events.push(use.fail(error))
    }
    return events
  }
  return {
    finished: use.isFinished,
    push(bytes) {
      if (use.isFinished()) return []
      const events = decodeAll(() => frames.push(bytes))
      use.read?.(events)
      return events
    },
    end(isBroken = false) {
      const events = use.isFinished() || isBroken ? [] : decodeAll(frames.end)
      use.end?.(events)
      return events
    },
  }
}
