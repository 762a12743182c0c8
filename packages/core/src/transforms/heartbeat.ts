import { systemClock, type StageOptions } from '../clock.ts'
import type { ChatEvent, PingEvent } from '../wire/events.ts'

/** @public */
export interface HeartbeatOptions {
  /** A ping is sent when a reader got nothing for this long, ms. @defaultValue 5000 */
  readonly intervalMs?: number | undefined
}

/** @public */
export const heartbeatDefaults: Readonly<{ intervalMs: number }> = /* @__PURE__ */ Object.freeze({ intervalMs: 5_000 })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveHeartbeat(options: HeartbeatOptions = {}): typeof heartbeatDefaults {
  const { intervalMs = heartbeatDefaults.intervalMs } = options
  if (!(intervalMs > 0)) throw new RangeError(`intervalMs must be > 0, got ${intervalMs}`)
  return { intervalMs }
}

/** The heartbeat of every reader. A data frame, as SDK parsers drop comments. @public */
export const ping: PingEvent = /* @__PURE__ */ Object.freeze({ ping: 'keepalive' })

/** When the next ping is due, given when the reader last got anything. @public */
export function heartbeatDueAt(sentAt: number, policy: typeof heartbeatDefaults): number {
  return sentAt + policy.intervalMs
}

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
