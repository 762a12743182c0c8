import type { Upstream, UpstreamEvent, UpstreamRequest } from '../upstream/upstream.ts'
import { ChatError } from '../wire/errors.ts'
import { check, sizes, type Ending } from './faulty-fetch.ts'

/** What goes wrong with one reply of a model server. Everything that is set happens. @public */
export interface UpstreamFault {
  /** The reply ends after so many events; with 0 the server is never asked. */
  readonly cutAt?: number | undefined
  /**
   * How it ends at `cutAt`: by `error`, without evidence, or not at all until the gateway hangs up. Without `cutAt`, what
   * happens at its own end: `stall` is a server that closes late.
   * @defaultValue 'error' with `cutAt`, else 'close'
   */
  readonly ending?: Ending | undefined
  /** @defaultValue `upstream_unreachable` when `cutAt` is 0, else `upstream_crashed` */
  readonly error?: ChatError | undefined
  /** Sizes of the batches that the events come in, over and over: `[1]` is every event by itself. */
  readonly split?: readonly number[] | undefined
}

/** Decides what goes wrong with a reply, by its number from 0. @public */
export type UpstreamFaultPlan = (index: number, request: UpstreamRequest) => UpstreamFault | undefined

/**
 * A model server that dies, hangs and comes back: around a {@link scriptedUpstream}, or around a real one.
 *
 * @example
 * // Not there for the first two requests, then dies after 20 events, then well.
 * const upstream = faultyUpstream(ollama({ model }), (index) => [{ cutAt: 0 }, { cutAt: 0 }, { cutAt: 20 }][index])
 * @param plan - Asked once for each reply; {@link randomUpstreamFaults} draws one from a seed.
 * @throws {RangeError} From the reply whose fault makes no sense.
 * @public
 */
export function faultyUpstream(upstream: Upstream, plan: UpstreamFaultPlan): Upstream {
  let index = 0
  return {
    name: upstream.name,
    model: upstream.model,
    generate(request, signal) {
      const fault = plan(index, request)
      index += 1
      if (!fault) return upstream.generate(request, signal)
      check(fault)
      return faultyReply((ask) => upstream.generate(request, ask), fault, signal)
    },
    ...(upstream.status && { status: (signal) => upstream.status!(signal) }),
  }
}

async function* faultyReply(
  generate: (signal: AbortSignal) => AsyncIterable<readonly UpstreamEvent[]>,
  fault: UpstreamFault,
  signal: AbortSignal,
): AsyncGenerator<readonly UpstreamEvent[], void, undefined> {
  const { cutAt, ending = cutAt === undefined ? 'close' : 'error' } = fault
  const nextSize = sizes(fault.split)
  let left = cutAt ?? Infinity
  const end = async (): Promise<void> => {
    if (ending === 'stall') await aborted(signal)
    if (ending === 'error') throw fault.error ?? defaultError(cutAt)
  }
  if (left > 0) {
    for await (const events of generate(signal)) {
      const some = events.slice(0, left)
      for (let at = 0; at < some.length; ) {
        const size = nextSize()
        yield some.slice(at, at + size)
        at += size
      }
      left -= some.length
      // Within the loop: the server goes on thinking that it is read until this ends.
      if (left === 0) return await end()
    }
  }
  // A reply that is shorter than `cutAt` ends as it is.
  if (left === 0 || cutAt === undefined) await end()
}

function defaultError(cutAt: number | undefined): ChatError {
  return cutAt === 0
    ? new ChatError('upstream_unreachable', 'The model server cannot be reached.', { retryable: true })
    : new ChatError('upstream_crashed', 'The model server crashed.', { retryable: true })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error))
  })
}
