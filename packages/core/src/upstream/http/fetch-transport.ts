import type { Transport } from './transport.ts'

/** @public */
export interface FetchTransportOptions {
  /** What asks the model server, e.g. through a proxy. @defaultValue the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/**
 * A transport on `fetch`: the default everywhere but on Node, whose `fetch` (undici) gives up after 300 s without
 * headers or between two reads. On Node the default is `nodeTransport`, which has no such limit and costs less CPU.
 * How long a connection may take is the platform's to say (10 s on Node).
 * @public
 */
export function fetchTransport(options: FetchTransportOptions = {}): Transport {
  return async ({ url, method, headers, body, signal }) => {
    const send = options.fetch ?? globalThis.fetch
    const response = await send(url, {
      method,
      headers,
      signal,
      redirect: 'error',
      ...(body === undefined ? {} : { body }),
    })
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: read(response.body),
    }
  }
}

/** Not `for await` over the stream itself, which some platforms lack. */
async function* read(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array, void, undefined> {
  if (!body) return
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // Releasing the lock alone would leave the response open. What cancel says no longer matters to anybody.
    await reader.cancel().catch(() => undefined)
  }
}

/** The transport of this platform. */
export const defaultTransport: Transport = fetchTransport()
