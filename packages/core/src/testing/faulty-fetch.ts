import { aborted, startFault, type Fault } from './fault.ts'
import { swapFrames } from './swap-frames.ts'

/** What goes wrong with one request. Everything that is set happens; nothing set is a request that goes well. @public */
export interface FetchFault extends Fault {
  /**
   * `refused`: rejects, and the gateway never hears of the request. `lost`: rejects after the gateway has handled it.
   * `never`: the gateway handles it, and nothing comes back until the request is aborted.
   */
  readonly answer?: 'refused' | 'lost' | 'never' | undefined
  /** Frames that are sent twice, by their number in this body, from 0. Only frames with an `id` count. */
  readonly repeat?: readonly number[] | undefined
  /** Frames that come after the one that follows them, by number. */
  readonly swap?: readonly number[] | undefined
  /** A reconnect is answered from so many units before the position that it names. */
  readonly rewind?: number | undefined
}

/** What a plan is told of a request. @public */
export interface FaultyRequest {
  readonly method: string
  /** As it was given to `fetch`. */
  readonly url: string
}

/** Decides what goes wrong with a request, by its number from 0. @public */
export type FetchFaultPlan = (index: number, request: FaultyRequest) => FetchFault | undefined

/**
 * A `fetch` over a bad network: around `gatewayFetch(gateway)` in one process, or around the real one.
 *
 * @example
 * // The first answer breaks off after 300 bytes, the second request is not answered at all.
 * const fetch = faultyFetch(gatewayFetch(gateway), (index) => [{ cutAt: 300 }, { answer: 'never' as const }][index])
 * const client = createChatClient({ url: '/api/chat', fetch })
 * @param plan - Asked once for each request; {@link randomFetchFaults} draws one from a seed.
 * @returns Rejects, and breaks bodies off, with a `TypeError`, as every `fetch` does; a fault that makes no sense is a
 * `RangeError`.
 * @public
 */
export function faultyFetch(fetch: typeof globalThis.fetch, plan: FetchFaultPlan): typeof globalThis.fetch {
  let index = 0
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    const signal = init?.signal ?? request?.signal
    const method = init?.method ?? request?.method ?? 'GET'
    const fault = plan(index++, { method, url: input instanceof Request ? input.url : input.toString() })
    if (!fault) return fetch(input, init)
    signal?.throwIfAborted()
    if (fault.answer === 'refused') throw new TypeError('fetch failed')

    const response = await fetch(input, fault.rewind ? rewound(fault.rewind, init, request) : init)
    try {
      if (fault.answer === 'lost') throw new TypeError('fetch failed')
      if (fault.answer === 'never') await aborted(signal)
      return response.body ? new Response(faultyBody(response.body, fault, signal), response) : response
    } catch (error) {
      giveUp(response.body)
      throw error
    }
  }
}

function faultyBody(
  body: ReadableStream<Uint8Array>,
  fault: FetchFault,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const state = startFault(fault)
  const frames = swapFrames(fault)
  const reader = body.getReader()
  let waiting: Uint8Array = new Uint8Array()
  let hasEnded = false

  /** The next piece; none where the body ends. */
  const next = async (): Promise<Uint8Array | undefined> => {
    while (waiting.length === 0 && state.left > 0 && !hasEnded) {
      const { done, value } = await reader.read()
      hasEnded = done
      waiting = value ? frames.push(value) : frames.end()
    }
    const piece = waiting.subarray(0, Math.min(state.left, state.nextSize()))
    waiting = waiting.subarray(piece.length)
    state.left -= piece.length
    return piece.length > 0 ? piece : undefined
  }
  return new ReadableStream<Uint8Array>(
    {
      start(out) {
        aborted(signal).catch((reason: unknown) => {
          out.error(reason)
          giveUp(reader)
        })
      },
      async pull(out) {
        const piece = await next()
        if (signal?.aborted) return
        if (piece) return out.enqueue(piece)
        const ending = state.isCut() ? state.ending : 'close'
        // Never settles: it can be cancelled and aborted all the same. The sender goes on thinking that it is read.
        if (ending === 'stall') return new Promise(() => {})
        giveUp(reader)
        if (ending === 'close') out.close()
        else out.error(new TypeError('terminated'))
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** The same request, but from an earlier position. */
function rewound(units: number, init: RequestInit | undefined, request: Request | undefined): RequestInit {
  const headers = new Headers(init?.headers ?? request?.headers)
  const position = headers.get('last-event-id')
  if (position !== null) headers.set('last-event-id', String(Math.max(0, Number(position) - units)))
  return { ...init, headers }
}

/** Gives a body up; one that has failed already says so once more, to nobody. */
function giveUp(body: { cancel(): Promise<void> } | null): void {
  body?.cancel().catch(() => undefined)
}
