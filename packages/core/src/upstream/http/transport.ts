/** One request to a model server. @public */
export interface TransportRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
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
 * No transport may set time-outs of its own: a server that loads a model is silent for minutes, and the fuse decides.
 * @public
 */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>
