import type { Clock, IdKind, RandomBytes } from '@midstream/core'
import type { ChatClientOptions } from '../options.ts'
import type { GatewayLimits } from './limits.ts'
import type { Store } from './store.ts'

/** What the parts of a session share. */
export interface Shared {
  readonly options: ChatClientOptions
  readonly store: Store
  readonly limits: GatewayLimits
  readonly clock: Clock
  readonly random: RandomBytes
  /** `reconnect.maxMs`. */
  readonly maxMs: number
  /** Aborts when the session is closed. */
  readonly closing: AbortSignal
  newId(kind: IdKind): string
  /**
   * The version of what a person does now: beyond all that is known, and not before the time of day, so that pages that know nothing
   * of each other agree on what came first. A clock that is wrong changes the order and nothing else. In steps of uneven width, two
   * that act at once have two versions.
   */
  versionNow(): number
  /** Counts work as under way: meanwhile the session is not at rest. */
  during<Value>(work: Promise<Value>): Promise<Value>
  /** Tells the client whether the session is at rest. */
  lookAtRest(): void
}
