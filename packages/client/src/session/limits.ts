import { isChatError, type Clock, type RequestLimits } from '@midstream/core'
import { requestJson, type Endpoint } from '../connection/request.ts'
import { presumedLimits } from './history.ts'

/** How long the gateway may take to say its limits, before its defaults are taken for them, ms. */
const learnMs = 3_000

/** How much the gateway takes, as far as the client knows: shared by the conversations of one client. */
export interface GatewayLimits {
  readonly now: RequestLimits
  /** Whether the gateway has been asked. */
  readonly isKnown: boolean
  /** Asks the gateway; one that does not say leaves them as they are. */
  learn(signal: AbortSignal): Promise<void>
  /** Takes the limits that the gateway named in an answer. */
  told(limits: unknown): void
  /** Learns from a refusal. @returns Whether less might be taken than was sent. */
  refused(cause: unknown): boolean
}

export function createLimits(endpoint: Endpoint, clock: Clock): GatewayLimits {
  let now = presumedLimits
  let isKnown = false
  const told = (limits: unknown): void => {
    if (!isLimits(limits)) return
    now = limits
    isKnown = true
  }
  return {
    get now() {
      return now
    },
    get isKnown() {
      return isKnown
    },
    told,
    async learn(signal) {
      try {
        told((await requestJson<{ readonly limits?: unknown }>({ ...endpoint, clock }, '', { signal }, learnMs)).limits)
      } catch {
        // Then they are what they were taken for.
      }
      // One that was not waited for may say it the next time.
      if (!signal.aborted) isKnown = true
    },
    refused(cause) {
      if (!isChatError(cause) || (cause.code !== 'too_large' && cause.code !== 'too_many_messages')) return false
      const before = now
      // A proxy does not say how much it takes.
      told(cause.limits ?? { ...now, body_bytes: Math.floor(now.body_bytes / 2) })
      return now.messages < before.messages || (now.body_bytes < before.body_bytes && now.body_bytes > minBytes)
    },
  }
}

/** No proxy takes less. */
const minBytes = 4_096

function isLimits(value: unknown): value is RequestLimits {
  const { messages, body_bytes: bytes } = (value ?? {}) as Partial<RequestLimits>
  return Number.isSafeInteger(messages) && messages! > 0 && Number.isSafeInteger(bytes) && bytes! > 0
}
