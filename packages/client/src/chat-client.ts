import type { RequestLimits } from '@midstream/core'
import type { ChatSession } from './chat-session.ts'

/** @public */
export type ContinuationWay = 'native' | 'instruction'

/** How the gateway and its model server are. @public */
export interface GatewayStatus {
  readonly model: string
  readonly upstream: {
    readonly name: string
    readonly state: 'ready' | 'idle' | 'unreachable' | 'unauthorized' | 'model_missing'
    readonly version?: string
    /** How a reply that was cut off is gone on with: by the server's own means, or asked for in words. */
    readonly continuation?: { readonly plain: ContinuationWay; readonly thinking: ContinuationWay }
    /** `open`: it failed several times and is left alone for a while. */
    readonly breaker?: 'closed' | 'open' | 'half_open'
  }
  /** How much the gateway takes in one request. */
  readonly limits: RequestLimits
  /** The gateway's version. */
  readonly version: string
}

/** @public */
export interface ChatClient {
  /**
   * The conversation under a name of the app's own: the same object each time.
   * @param name - Which one. Default: the client's main conversation.
   */
  session(name?: string): ChatSession
  /**
   * Asks the gateway how it is.
   * @param signal - Gives up waiting. Default: none.
   * @throws {ChatError} `network`, or what the gateway answered.
   */
  status(signal?: AbortSignal): Promise<GatewayStatus>
  /** Closes every conversation. `session()` returns closed ones from then on. */
  close(): void
  [Symbol.dispose](): void
}
