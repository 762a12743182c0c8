import type { Transport, TransportRequest, TransportSink } from './transport.ts'

/** @public */
export interface FetchTransportOptions {
  /** What asks the model server, e.g. through a proxy. @defaultValue the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/**
 * A transport on `fetch`: the default everywhere but on Node, whose `fetch` (undici) gives up after 300 s without
 * headers or between two reads. On Node the default is `nodeTransport`, which has no such limit and costs less CPU.
 *
 * `connectMs` of a request has no effect here: `fetch` tells nothing until the head of the answer is there, and a server that loads a
 * model sends none for minutes. The platform limits the time of a connection (10 s in Node's `fetch`). A refused connection fails at
 * once everywhere.
 * @public
 */
export function fetchTransport(options: FetchTransportOptions = {}): Transport {
  return (request, sink) => {
    const send = options.fetch ?? globalThis.fetch
    ask(send, request, sink).then(
      () => sink.end(),
      (cause: unknown) => sink.error(cause),
    )
  }
}

async function ask(
  send: typeof globalThis.fetch,
  { url, method, headers, body, signal }: TransportRequest,
  sink: TransportSink,
): Promise<void> {
  const response = await send(url, {
    method,
    headers,
    signal,
    redirect: 'error',
    ...(body === undefined ? {} : { body }),
  })
  sink.head({ status: response.status, header: (name) => response.headers.get(name) ?? undefined })
  if (!response.body) return
  // Not `for await` over the stream itself, which some platforms lack.
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const full = sink.data(value)
      if (full) await full
    }
  } finally {
    // Releasing the lock alone would leave the response open. What cancel says no longer matters to anybody.
    await reader.cancel().catch(() => undefined)
  }
}

/** The transport of this platform. */
export const defaultTransport: Transport = fetchTransport()
