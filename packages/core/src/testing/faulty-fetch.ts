import { swapFrames } from './swap-frames.ts'

/** How a body ends: as a broken connection, as if it were whole, or not at all until somebody gives it up. @public */
export type Ending = 'error' | 'close' | 'stall'

/** What goes wrong with one request. Everything that is set happens; nothing set is a request that goes well. @public */
export interface FetchFault {
  /**
   * `refused`: rejects, and the gateway never hears of the request. `lost`: rejects after the gateway has handled it.
   * `never`: the gateway handles it, and nothing comes back until the request is aborted.
   */
  readonly answer?: 'refused' | 'lost' | 'never' | undefined
  /** The body ends after so many bytes. */
  readonly cutAt?: number | undefined
  /**
   * How the body ends at `cutAt`; without `cutAt`, what happens at its own end: `stall` is a server that closes late.
   * @defaultValue 'error' with `cutAt`, else 'close'
   */
  readonly ending?: Ending | undefined
  /** Sizes of the pieces that the bytes come in, over and over: `[1]` is every byte by itself. */
  readonly split?: readonly number[] | undefined
  /** Frames that are sent twice, by their number in this body. Only frames with an `id` count, from 0. */
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
 * const fetch = faultyFetch(gatewayFetch(gateway), (index) => [{ cutAt: 300 }, { answer: 'never' }][index])
 * const client = createChatClient({ url: '/api/chat', fetch })
 * @param plan - Asked once for each request; {@link randomFetchFaults} draws one from a seed.
 * @returns Rejects, and breaks bodies off, with a `TypeError`, as every `fetch` does.
 * @throws {RangeError} From the request whose fault makes no sense.
 * @public
 */
export function faultyFetch(fetch: typeof globalThis.fetch, plan: FetchFaultPlan): typeof globalThis.fetch {
  let index = 0
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    const signal = init?.signal ?? request?.signal
    const fault = plan(index, {
      method: init?.method ?? request?.method ?? 'GET',
      url: request?.url ?? input.toString(),
    })
    index += 1
    if (!fault) return fetch(input, init)
    check(fault)
    signal?.throwIfAborted()
    if (fault.answer === 'refused') throw new TypeError('fetch failed')

    const response = await fetch(input, fault.rewind ? rewound(fault.rewind, init, request) : init)
    try {
      if (fault.answer === 'lost') throw new TypeError('fetch failed')
      if (fault.answer === 'never') await aborted(signal)
    } catch (error) {
      void giveUp(response.body)
      throw error
    }
    return response.body ? new Response(faultyBody(response.body, fault, signal), response) : response
  }
}

function faultyBody(
  body: ReadableStream<Uint8Array>,
  fault: FetchFault,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const { cutAt, ending = cutAt === undefined ? 'close' : 'error' } = fault
  const reader = body.getReader()
  const frames = swapFrames(fault)
  const nextSize = sizes(fault.split)
  let left = cutAt ?? Infinity
  let waiting = new Uint8Array()
  let hasEnded = false

  /** The next piece; null where the body ends. */
  const next = async (): Promise<Uint8Array | null> => {
    while (waiting.length === 0 && left > 0 && !hasEnded) {
      const { done, value } = await reader.read()
      hasEnded = done
      waiting = new Uint8Array(done ? frames.end() : frames.push(value))
    }
    if (waiting.length === 0 || left === 0) return null
    const piece = waiting.subarray(0, Math.min(left, nextSize()))
    waiting = waiting.subarray(piece.length)
    left -= piece.length
    return piece
  }
  return new ReadableStream<Uint8Array>(
    {
      start(out) {
        const abort = (): void => {
          out.error(signal?.reason)
          void giveUp(reader)
        }
        signal?.addEventListener('abort', abort)
      },
      async pull(out) {
        const piece = await next()
        if (signal?.aborted) return
        if (piece) return out.enqueue(piece)
        // A body that is shorter than `cutAt` ends as it is.
        const how = left === 0 || cutAt === undefined ? ending : 'close'
        // Never settles: cancelling and aborting end it all the same. Whoever sends goes on thinking it is read.
        if (how === 'stall') return new Promise(() => {})
        void giveUp(reader)
        if (how === 'close') out.close()
        else out.error(new TypeError('terminated'))
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** The same request from an earlier position. */
function rewound(units: number, init: RequestInit | undefined, request: Request | undefined): RequestInit {
  const headers = new Headers(init?.headers ?? request?.headers)
  const position = headers.get('last-event-id')
  if (position !== null) headers.set('last-event-id', String(Math.max(0, Number(position) - units)))
  return { ...init, headers }
}

/** Gives a body up; one that has failed already has nothing to say about it. */
function giveUp(body: { cancel(): Promise<void> } | null): Promise<void> | undefined {
  return body?.cancel().catch(() => undefined)
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason as Error)
    signal?.addEventListener('abort', () => reject(signal.reason as Error))
  })
}

/** Gives one size after the other, over and over; without any, no limit. */
export function sizes(split: readonly number[] = []): () => number {
  let index = 0
  return () => (split.length === 0 ? Infinity : split[index++ % split.length]!)
}

/** @throws {RangeError} When a count is negative, or a size is no size. */
export function check({ cutAt = 0, split = [], rewind = 0 }: FetchFault): void {
  if (!(cutAt >= 0)) throw new RangeError(`cutAt must be >= 0, got ${cutAt}`)
  if (!(rewind >= 0)) throw new RangeError(`rewind must be >= 0, got ${rewind}`)
  for (const size of split) if (!(size >= 1)) throw new RangeError(`split must hold sizes >= 1, got ${size}`)
}
