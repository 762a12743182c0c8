import type { Clock } from '../../clock.ts'
import { isChatError } from '../../wire/errors.ts'
import { createRedaction } from './redaction.ts'
import type { Continuation, UpstreamEvent, UpstreamRequest } from '../upstream.ts'

/** How long what was learnt holds, ms: servers are updated, and models change behind a name. */
const learntMs = 3_600_000

/** How the server is asked to go on with a reply that has begun: by its own means, or in words. */
export type ContinuationWay = 'native' | 'instruction'

/** One request to the server. `way` counts only where the reply has begun, which is where the prefill is not blank. */
export type AskOneWay = (
  request: UpstreamRequest,
  way: ContinuationWay,
  signal: AbortSignal,
) => AsyncIterable<UpstreamEvent[]>

export interface WaysOptions {
  /** The upstream's default model, which `continuation` tells of. */
  readonly model: string
  /** What every request has: keys in it are taken out of all errors. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Whether the server has means of its own for this model, by all that is known before it is asked. */
  isNative(model: string, thinking: boolean): boolean
  readonly clock: Clock
  /**
   * Whether the server's words mean that it does not continue that way.
   * @param isRejected - It refused the request; else it failed.
   */
  isRefusal(said: string, isRejected: boolean): boolean
  /**
   * Finds out before the first native continuation of a model whether it would be one. Must throw nothing but the reason
   * of `signal`; undefined: not known this time, so it is tried, and asked again before the next one.
   * @defaultValue always true
   */
  readonly probe?: ((request: UpstreamRequest, signal: AbortSignal) => Promise<boolean | undefined>) | undefined
}

type Failure = Extract<UpstreamEvent, { error: unknown }>
const isFailure = (event: UpstreamEvent): event is Failure => 'error' in event
const isGrowth = (event: UpstreamEvent): boolean => 'message' in event || 'thinking' in event || 'tool_call' in event

/** What was learnt of one server's continuations, and what it is asked by. */
export interface Ways {
  /**
   * Asks once; a native continuation that is refused before the reply has grown is asked for again, in words, and if that
   * is answered, it is learnt. What it throws and yields holds no keys.
   */
  generate(request: UpstreamRequest, signal: AbortSignal): AsyncGenerator<UpstreamEvent[], void, undefined>
  /** How replies of the default model are continued, by what is known so far. */
  continuation(): Continuation
}

/** Learns, per model and thinking, which replies a server does not continue by its own means, and asks accordingly. */
export function createWays(options: WaysOptions, ask: AskOneWay): Ways {
  const redact = createRedaction(options.fields)
  const { clock } = options
  /** What was refused with and without thinking, and which models were looked at; until when it holds. */
  const learnt = new Map<string, number>()
  const keyOf = (model: string, of: boolean | 'probed'): string => `${model} ${of}`
  const learn = (model: string, of: boolean | 'probed'): unknown => learnt.set(keyOf(model, of), clock.now() + learntMs)
  const isLearnt = (model: string, of: boolean | 'probed'): boolean => (learnt.get(keyOf(model, of)) ?? 0) > clock.now()
  const wayOf = (model: string, thinking: boolean): ContinuationWay =>
    options.isNative(model, thinking) && !isLearnt(model, thinking) ? 'native' : 'instruction'

  /** What it tells of a model holds with and without thinking: a native continuation never thinks. */
  const probe = async (request: UpstreamRequest, signal: AbortSignal): Promise<ContinuationWay> => {
    const { model } = request
    if (options.probe === undefined || isLearnt(model, 'probed')) return 'native'
    const isNative = await options.probe(request, signal)
    if (isNative !== undefined) learn(model, 'probed')
    if (isNative !== false) return 'native'
    learn(model, false)
    learn(model, true)
    return 'instruction'
  }
  /** A server that is busy, restarts or cannot be reached is asked the same way again. */
  const isRefusal = (error: unknown): boolean =>
    isChatError(error) &&
    (error.code === 'upstream_rejected' || error.code === 'upstream_failed') &&
    typeof error.cause === 'string' &&
    options.isRefusal(error.cause, error.code === 'upstream_rejected')
  const safe = (events: UpstreamEvent[]): UpstreamEvent[] =>
    events.some(isFailure) ? events.map((event) => (isFailure(event) ? { error: redact(event.error) } : event)) : events

  async function* generate(
    request: UpstreamRequest,
    signal: AbortSignal,
  ): AsyncGenerator<UpstreamEvent[], void, undefined> {
    const thinking = Boolean(request.think)
    let way: ContinuationWay = 'instruction'
    if (request.prefill.trim() !== '') way = wayOf(request.model, thinking)
    if (way === 'native') way = await probe(request, signal)
    // Only a native continuation that is refused before the reply has grown is asked for again.
    let isOpen = way === 'native'
    try {
      for await (const events of ask(request, way, signal)) {
        if (isOpen) {
          const failed = events.find(isFailure)
          // Also where the head had gone out before the template was looked at.
          if (failed && isRefusal(failed.error)) throw failed.error
          isOpen = !events.some(isGrowth)
        }
        yield safe(events)
      }
      return
    } catch (error) {
      if (!isOpen || !isRefusal(error)) throw redact(error)
    }
    try {
      for await (const events of ask(request, 'instruction', signal)) {
        // What it refuses in words, too, was no matter of the way.
        if (isOpen && events.some(isGrowth)) {
          isOpen = false
          learn(request.model, thinking)
        }
        yield safe(events)
      }
    } catch (error) {
      throw redact(error)
    }
  }
  return {
    generate,
    continuation: () => ({ plain: wayOf(options.model, false), thinking: wayOf(options.model, true) }),
  }
}
