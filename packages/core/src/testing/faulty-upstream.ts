import { eventsOf } from '../upstream/events-of.ts'
import { pump } from '../upstream/from-iterable.ts'
import type { Upstream, UpstreamEvent, UpstreamRequest } from '../upstream/upstream.ts'
import { ChatError } from '../wire/errors.ts'
import { aborted, startFault, type Fault } from './fault.ts'

/** What goes wrong with one reply of a model server. Everything that is set happens. @public */
export interface UpstreamFault extends Fault {
  /**
   * What the ending `error` throws.
   * @defaultValue `upstream_unreachable` when `cutAt` is 0, else `upstream_crashed`
   */
  readonly error?: ChatError | undefined
}

/** Decides what goes wrong with a reply, by its number from 0. @public */
export type UpstreamFaultPlan = (index: number, request: UpstreamRequest) => UpstreamFault | undefined

/**
 * A model server that dies, hangs and comes back: around a {@link scriptedUpstream}, or around a real one.
 *
 * @example
 * // Not there for the first two requests, then dies after 20 events, then well.
 * const upstream = faultyUpstream(ollama({ model }), (index) => [{ cutAt: 0 }, { cutAt: 0 }, { cutAt: 20 }][index])
 * @param plan - Asked once for each reply; {@link randomUpstreamFaults} draws one from a seed. With `cutAt: 0` the server
 * itself is not asked.
 * @throws {RangeError} From the reply whose fault makes no sense.
 * @public
 */
export function faultyUpstream(upstream: Upstream, plan: UpstreamFaultPlan): Upstream {
  let index = 0
  return {
    name: upstream.name,
    model: upstream.model,
    open(request, sink, signal) {
      const fault = plan(index++, request)
      if (fault) pump(() => faultyReply(() => eventsOf(upstream, request, signal), fault, signal), sink, signal)
      else upstream.open(request, sink, signal)
    },
    ...(upstream.status && { status: (signal) => upstream.status!(signal) }),
  }
}

async function* faultyReply(
  generate: () => AsyncIterable<readonly UpstreamEvent[]>,
  fault: UpstreamFault,
  signal: AbortSignal,
): AsyncGenerator<readonly UpstreamEvent[], void, undefined> {
  const state = startFault(fault)
  const end = async (): Promise<void> => {
    if (state.ending === 'stall') await aborted(signal)
    if (state.ending === 'error') throw fault.error ?? defaultError(fault.cutAt)
  }
  if (state.left > 0) {
    for await (const events of generate()) {
      let rest = events.slice(0, state.left)
      while (rest.length > 0) {
        const batch = rest.slice(0, state.nextSize())
        yield batch
        rest = rest.slice(batch.length)
        state.left -= batch.length
      }
      // Within the loop: until this ends, the server thinks that it is read.
      if (state.left === 0) return await end()
    }
  }
  if (state.isCut()) await end()
}

function defaultError(cutAt: number | undefined): ChatError {
  return cutAt === 0
    ? new ChatError('upstream_unreachable', 'The model server cannot be reached.', { retryable: true })
    : new ChatError('upstream_crashed', 'The model server crashed.', { retryable: true })
}
