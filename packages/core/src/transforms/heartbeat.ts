import { systemClock, type StageOptions } from '../clock.ts'
import { heartbeatDueAt, ping, resolveHeartbeat, type HeartbeatOptions } from '../read/heartbeat.ts'
import type { ChatEvent } from '../wire/events.ts'

/**
 * The heartbeat as a stage for custom servers: events pass through, and a ping is added after a silence. A reader that
 * does not read finds one at most. The timer ends when the source ends or fails and when the reader cancels.
 * @public
 */
export function heartbeat(options: HeartbeatOptions & StageOptions = {}): TransformStream<ChatEvent, ChatEvent> {
  const policy = resolveHeartbeat(options)
  const clock = options.clock ?? systemClock
  let sentAt = clock.now()
  let disarm = (): void => {}

  // One timer that looks at the clock, not one per event: most events come long before a ping is due.
  const arm = (out: TransformStreamDefaultController<ChatEvent>): void => {
    disarm = clock.after(Math.max(0, heartbeatDueAt(sentAt, policy) - clock.now()), () => {
      if (clock.now() >= heartbeatDueAt(sentAt, policy)) {
        // A full queue means a slow reader, not an idle link: do not add to the backlog.
        if ((out.desiredSize ?? 0) > 0) out.enqueue(ping)
        sentAt = clock.now()
      }
      arm(out)
    })
  }
  const transformer: Transformer<ChatEvent, ChatEvent> & { cancel(): void } = {
    start: arm,
    transform(event, out) {
      out.enqueue(event)
      sentAt = clock.now()
    },
    flush: () => disarm(),
    cancel: () => disarm(),
  }
  return new TransformStream(transformer, { highWaterMark: 1 }, { highWaterMark: 1 })
}
