import type { Clock } from '../../clock.ts'
import { isChatError } from '../../wire/errors.ts'
import { childAbort } from '../http/child-abort.ts'
import { inOwnNames, withToldNames, type CallNames } from '../history/call-names.ts'
import { plainHistory, refusesRoles } from '../history/plain-history.ts'
import { wantsThinking } from '../history/thinking-wanted.ts'
import { createLearnt } from '../learnt.ts'
import { ownFault, written } from './reply-errors.ts'
import { createRedaction } from './redaction.ts'
import { withoutThinking, withoutThinkTags } from './think-tags.ts'
import type { Continuation, UpstreamEvent, UpstreamRequest, UpstreamSink } from '../upstream.ts'

/** How the server is asked to go on with a reply that has begun: by its own means, or in words. */
export type ContinuationWay = 'native' | 'instruction'

/** A request, and what was learnt of how its history has to go up. */
export interface AskedRequest extends UpstreamRequest {
  /** The server refused turns with tool calls that came without their thinking. */
  readonly wantsThinking?: true
  /** Names of tools that are told in a form that the server takes. */
  readonly told?: CallNames | undefined
}

/** One request to the server. `way` counts only where the reply has begun, which is where the prefill is not blank. */
export type AskOneWay = (request: AskedRequest, way: ContinuationWay, sink: UpstreamSink, signal: AbortSignal) => void

export interface WaysOptions {
  /** The upstream's default model, which `continuation` tells of. */
  readonly model: string
  /** What every request has: keys in it are taken out of all errors. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Whether the server has means of its own for this model, by all that is known before it is asked. */
  isNative(model: string, thinking: boolean): boolean
  readonly clock: Clock
  /** Whether thinking can go back up with tool calls, and does not yet. @defaultValue false */
  readonly canReturnThinking?: boolean | undefined
  /** Whether a tool may have any name. @defaultValue letters, digits, `_` and `-`, 64 of them at most */
  readonly takesAnyName?: boolean | undefined
  /**
   * Whether the server's words mean that it does not continue that way.
   * @param isRejected - It refused the request; else it failed.
   */
  isRefusal(said: string, isRejected: boolean): boolean
  /**
   * Finds out before the first native continuation of a model whether it would be one. Throws the reason of `signal`,
   * or `internal` where our own code fails; undefined: not known this time, so it is tried, and asked again before the next one.
   * @defaultValue always true
   */
  readonly probe?: Probe | undefined
}

type Probe = (request: UpstreamRequest, signal: AbortSignal) => Promise<boolean | undefined>

type Failure = Extract<UpstreamEvent, { error: unknown }>
const isFailure = (event: UpstreamEvent): event is Failure => 'error' in event
/** A loop, as it runs for every token. */
function hasFailure(events: readonly UpstreamEvent[]): boolean {
  for (const event of events) if ('error' in event) return true
  return false
}
const isGrowth = (event: UpstreamEvent): boolean => 'message' in event || 'thinking' in event || 'tool_call' in event

/** What was learnt of one server's continuations, and what it is asked by. */
export interface Ways {
  /**
   * Asks once; a native continuation that is refused before the reply has grown is asked for again, in words, and if that
   * is answered, it is learnt. What it pushes holds no keys.
   */
  open(request: UpstreamRequest, sink: UpstreamSink, signal: AbortSignal): void
  /** How replies of the default model are continued, by what is known so far. */
  continuation(): Continuation
}

/** One way to ask, and what is learnt once it is answered. */
interface Asking {
  readonly request: AskedRequest
  readonly way: ContinuationWay
  readonly lessons: readonly string[]
}

/** Learns, per model, what a server refuses, and asks accordingly. */
export function createWays(options: WaysOptions, ask: AskOneWay): Ways {
  const redact = createRedaction(options.fields)
  const learnt = createLearnt(options.clock)
  const inWords = (thinking: boolean): string => (thinking ? 'in words, thinking' : 'in words')
  const wayOf = (model: string, thinking: boolean): ContinuationWay =>
    options.isNative(model, thinking) && !learnt.knows(model, inWords(thinking)) ? 'native' : 'instruction'

  /** What it tells of a model holds with and without thinking: a native continuation never thinks. */
  const probe = async (look: Probe, request: UpstreamRequest, signal: AbortSignal): Promise<ContinuationWay> => {
    const { model } = request
    const isNative = await look(request, signal)
    if (isNative !== undefined) learnt.learn(model, 'probed')
    if (isNative !== false) return 'native'
    learnt.learn(model, inWords(false))
    learnt.learn(model, inWords(true))
    return 'instruction'
  }
  /** @throws {ChatError} `internal`: what fails here is our own code, or the app's, and no server's. */
  const prepared = (request: UpstreamRequest): Asking =>
    written(() => {
      const { messages, prefill } = request
      const clean = { ...request, messages: withoutThinkTags(messages), prefill: withoutThinking(prefill) }
      const named: AskedRequest = options.takesAnyName ? clean : withToldNames(clean)
      const plain = learnt.knows(request.model, 'plain') ? inPlainRoles(named) : named
      const asked = learnt.knows(request.model, 'thinking back') ? withThinking(plain) : plain
      const way = asked.prefill.trim() === '' ? 'instruction' : wayOf(asked.model, Boolean(asked.think))
      return { request: asked, way, lessons: [] }
    })
  /** Begins, in this very call where the server need not be looked at first. */
  const begin = (
    asking: Asking,
    signal: AbortSignal,
    ask: (asking: Asking) => void,
    fail: (error: unknown) => void,
  ): void => {
    const { request, way } = asking
    if (way === 'instruction' || !options.probe || learnt.knows(request.model, 'probed')) return ask(asking)
    void probe(options.probe, request, signal).then(
      (found) => ask({ ...asking, way: found }),
      (error: unknown) => {
        // Nobody waits any more, or our own code failed.
        if (!signal.aborted) fail(ownFault(error))
      },
    )
  }
  /** How to ask for what was refused. A server that is busy, restarts or cannot be reached is asked the same way again. */
  const another = ({ request, way, lessons }: Asking, error: unknown): Asking | undefined => {
    if (!isChatError(error) || typeof error.cause !== 'string') return undefined
    if (error.code !== 'upstream_rejected' && error.code !== 'upstream_failed') return undefined
    if (way === 'native' && options.isRefusal(error.cause, error.code === 'upstream_rejected'))
      return { request, way: 'instruction', lessons: [...lessons, inWords(Boolean(request.think))] }
    if (options.canReturnThinking && !request.wantsThinking && wantsThinking(error.cause)) {
      const hasCalls = request.messages.some(({ tool_calls: calls }) => calls !== undefined && calls.length > 0)
      if (hasCalls) return { request: withThinking(request), way, lessons: [...lessons, 'thinking back'] }
    }
    if (!refusesRoles(error.cause)) return undefined
    const plain = inPlainRoles(request)
    return plain === request ? undefined : { request: plain, way, lessons: [...lessons, 'plain'] }
  }
  const safe = (events: readonly UpstreamEvent[]): readonly UpstreamEvent[] =>
    hasFailure(events) ? events.map((event) => (isFailure(event) ? { error: redact(event.error) } : event)) : events

  const open = (request: UpstreamRequest, sink: UpstreamSink, signal: AbortSignal): void => {
    const askNow = (asking: Asking): void => {
      const left = childAbort(signal)
      const own = asking.request.told && inOwnNames(asking.request.told)
      /** Only what is refused before the reply has grown is asked for in another way. */
      let isOpen = true
      let isOver = false
      const again = (error: unknown): boolean => {
        const next = isOpen ? another(asking, error) : undefined
        if (!next) return false
        isOver = true
        left.abort(error)
        askNow(next)
        return true
      }
      const heard: UpstreamSink = {
        push(events) {
          if (isOver) return undefined
          if (isOpen) {
            // Also where the head had gone out before the template was looked at.
            const failed = events.find(isFailure)
            if (failed && again(failed.error)) return undefined
            if (events.some(isGrowth)) grown()
          }
          return sink.push(safe(own ? own(events) : events))
        },
        end(error) {
          if (isOver || (error !== undefined && again(error))) return
          isOver = true
          sink.end(error === undefined ? undefined : redact(error))
        },
      }
      const grown = (): void => {
        isOpen = false
        // What it refuses in another way, too, was no matter of the way.
        for (const lesson of asking.lessons) learnt.learn(request.model, lesson)
      }
      try {
        ask(asking.request, asking.way, heard, left.signal)
      } catch (error) {
        heard.end(ownFault(error))
      }
    }
    begin(prepared(request), signal, askNow, (error) => sink.end(redact(error)))
  }
  return {
    open,
    continuation: () => ({ plain: wayOf(options.model, false), thinking: wayOf(options.model, true) }),
  }
}

function withThinking(request: AskedRequest): AskedRequest {
  return { ...request, wantsThinking: true }
}

function inPlainRoles(request: AskedRequest): AskedRequest {
  const messages = plainHistory(request.messages)
  return messages === request.messages ? request : { ...request, messages }
}
