import type { PingEvent } from '../wire/events.ts'
import { resolveNumbers } from '../resolve-numbers.ts'

/** @public */
export interface HeartbeatOptions {
  /** A ping is sent when a reader got nothing for this long, ms. @defaultValue 5000 */
  readonly intervalMs?: number | undefined
}

/** @public */
export const heartbeatDefaults: Readonly<{ intervalMs: number }> = /* @__PURE__ */ Object.freeze({ intervalMs: 5_000 })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveHeartbeat(options?: HeartbeatOptions): typeof heartbeatDefaults {
  return resolveNumbers('heartbeat', options, heartbeatDefaults, '> 0')
}

/** The heartbeat of every reader. A data frame, as SDK parsers drop comments. @public */
export const ping: PingEvent = /* @__PURE__ */ Object.freeze({ ping: 'keepalive' })

/** When the next ping is due, given when the reader last got anything. @public */
export function heartbeatDueAt(sentAt: number, policy: typeof heartbeatDefaults): number {
  return sentAt + policy.intervalMs
}
