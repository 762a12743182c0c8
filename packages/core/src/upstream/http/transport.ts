/** One request to a model server. @public */
export interface TransportRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** Longest wait for a connection, ms, where another server can answer: shorter than the transport's own. */
  readonly connectMs?: number | undefined
  /** Aborting closes the socket in every phase: connecting, waiting for the head, reading the body. */
  readonly signal: AbortSignal
}

/** @public */
export interface TransportResponse {
  readonly status: number
  /** A response header by its lower-case name. */
  header(name: string): string | undefined
  /** The body's bytes as they are read. Leaving the loop closes the socket; a body cut short throws. */
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * How bytes come from a model server. Rejects when there is no answer, with the platform's own error as it is.
 * No transport may limit the time of an answer: a server that loads a model is silent for minutes, and the fuse decides. Only the
 * connection has to be there within seconds.
 * @public
 */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>
