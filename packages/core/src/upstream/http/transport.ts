/** One request to a model server. @public */
export interface TransportRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /**
   * Longest wait for a connection, ms, where another server can answer: shorter than the transport's own. The head of the answer may
   * take longer: a transport that cannot tell the two apart, as `fetchTransport`, leaves it.
   */
  readonly connectMs?: number | undefined
  /** Aborting closes the socket in every phase: connecting, waiting for the head, reading the body. */
  readonly signal: AbortSignal
}

/** The head of an answer. @public */
export interface TransportHead {
  readonly status: number
  /** A response header by its lower-case name. */
  header(name: string): string | undefined
}

/** Takes an answer as it comes. After an abort nothing of it counts. @public */
export interface TransportSink {
  head(head: TransportHead): void
  /** Bytes of the body as they are read. A promise asks for a pause: nothing more is read until it resolves. */
  data(bytes: Uint8Array): void | Promise<void>
  /** The body is whole. Nothing follows. */
  end(): void
  /** There is no answer, or its body was cut short: the platform's own error, as it is. Nothing follows. */
  error(cause: unknown): void
}

/**
 * How bytes come from a model server.
 * No transport may limit the time of an answer: a server that loads a model is silent for minutes, and the fuse decides. Only the
 * connection has to be there within seconds.
 * @public
 */
export type Transport = (request: TransportRequest, sink: TransportSink) => void
