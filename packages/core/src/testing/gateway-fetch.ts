import type { Gateway } from '../gateway/gateway.ts'
import { aborted } from './fault.ts'

/**
 * A `fetch` whose other end is a gateway in the same process: no sockets, and an abort does what it does over one: it
 * rejects what is waiting, and the gateway sees its reader leave.
 * @public
 */
export function gatewayFetch(gateway: Gateway): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input instanceof Request ? input : new URL(input, 'http://gateway.test'), init)
    const { signal } = request
    signal.throwIfAborted()
    const answer = gateway(request)
    const response = await Promise.race([answer, aborted(signal)]).catch((error: unknown) => {
      void answer.then((late) => late.body?.cancel())
      throw error
    })
    return response.body ? new Response(abortable(response.body, signal), response) : response
  }
}

function abortable(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      start(out) {
        signal.addEventListener('abort', () => {
          out.error(signal.reason)
          void reader.cancel(signal.reason)
        })
      },
      async pull(out) {
        const { done, value } = await reader.read()
        if (signal.aborted) return
        if (done) out.close()
        else out.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
