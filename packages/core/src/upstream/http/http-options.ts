import type { Clock } from '../../clock.ts'
import type { RandomBytes } from '../../wire/ids.ts'
import type { Transport } from './transport.ts'

/** Options of every model server that is asked over HTTP. */
export interface HttpUpstreamOptions {
  /** The model that is used when a request names none, as the server calls it. */
  readonly model: string
  /** Headers of every request, e.g. an `authorization` or an organisation. Nothing of a client's headers goes up. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Asks for the rest of a reply where the server, or its model, cannot continue one by itself. @defaultValue continueInstruction */
  readonly instruction?: string | undefined
  /** How bytes come from the server. @defaultValue `nodeTransport()` on Node, `fetchTransport()` elsewhere */
  readonly transport?: Transport | undefined
  /** Longest frame, or line, of an answer, UTF-16 code units. @defaultValue 1048576 */
  readonly maxLineChars?: number | undefined
  /** Makes ids for tool calls that come without one. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
  /**
   * Times the questions about a model that is loading, and what is learnt of continuations; tells how long a date in `Retry-After` is
   * away. @defaultValue systemClock
   */
  readonly clock?: Clock | undefined
}
