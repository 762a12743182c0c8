import type { Transport, TransportHead, TransportRequest } from '../../src/upstream/http/transport.ts'

/** An answer that is pulled. Leaving the loop over its body closes the socket; a body that is cut short throws. */
export interface Answer extends TransportHead {
  readonly body: AsyncIterable<Uint8Array>
}

/** Asks, and gives the answer as one that is pulled. Rejects when there is none. */
export function answerOf(transport: Transport, request: TransportRequest): Promise<Answer> {
  const left = new AbortController()
  const waiting: Uint8Array[] = []
  let over: { readonly error?: unknown } | undefined
  let wake = (): void => {}
  let makeRoom = (): void => {}
  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const bytes = waiting.shift()
        if (bytes) yield bytes
        else if (over) {
          if ('error' in over) throw over.error
          return
        } else {
          makeRoom()
          await new Promise<void>((resolve) => (wake = resolve))
        }
      }
    } finally {
      if (!over) left.abort()
    }
  }
  return new Promise((resolve, reject) => {
    transport(
      { ...request, signal: AbortSignal.any([request.signal, left.signal]) },
      {
        head: (head) => resolve({ ...head, body: body() }),
        data(bytes) {
          waiting.push(bytes)
          wake()
          return new Promise((room) => (makeRoom = room))
        },
        end() {
          over = {}
          wake()
        },
        error(error) {
          over = { error }
          reject(error)
          wake()
        },
      },
    )
  })
}

/** A transport whose answers are pulled, as one that pushes. */
export function pushing(ask: (request: TransportRequest) => Promise<Answer>): Transport {
  return (request, sink) => {
    const read = async (): Promise<void> => {
      const { body, ...head } = await ask(request)
      sink.head(head)
      for await (const bytes of body) {
        if (request.signal.aborted) return
        const full = sink.data(bytes)
        if (full) await full
      }
    }
    read().then(
      () => (request.signal.aborted ? sink.error(request.signal.reason) : sink.end()),
      (error: unknown) => sink.error(error),
    )
  }
}
