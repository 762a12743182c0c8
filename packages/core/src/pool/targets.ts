import type { Clock } from '../clock.ts'
import type { Failover, Successor } from './failover.ts'
import {
  createBreaker,
  isElsewhereBetter,
  isServerFault,
  mayBeOfRequest,
  type Breaker,
  type BreakerPolicy,
} from './breaker.ts'
import { withEvidence } from './evidence.ts'
import { isRoute, type Route } from './route.ts'
import { createLearnt, type Learnt } from '../upstream/learnt.ts'
import type { Upstream, UpstreamRequest, UpstreamSink } from '../upstream/upstream.ts'
import { ChatError } from '../wire/errors.ts'
import { onRejected } from '../rejected.ts'

/** One model server of a gateway, with the breaker that all its runs share; null when it is guarded by none. */
export interface Target {
  readonly upstream: Upstream
  readonly breaker: Breaker | null
  /** How it ends its replies, per model. */
  readonly learnt: Learnt
}

/** The model servers of a gateway. */
export interface Targets {
  /** The name that is used when a request gives none. */
  readonly model: string
  /** Who answers for that name. */
  readonly main: Target
  /** Whether the names are those of a route. */
  readonly isRoute: boolean
  readonly fallback: readonly Target[]
  /** Every one of them, once. */
  readonly all: readonly Target[]
  /** Names that a request may give, with who answers for them. */
  readonly byModel: ReadonlyMap<string, Target>
  /**
   * Chooses who answers a run, and who stands by.
   * @param by - Who asks, and what, for failures that may be of the request; called when there is one.
   * @throws {ChatError} `breaker_open` when nobody is to be had.
   */
  begin(model: string, by?: () => readonly string[]): Source
}

/** Who answers one run: one model server after another. */
export interface Source extends Failover {
  /** Who answers now. */
  named(): Successor
  open(request: Omit<UpstreamRequest, 'model'>, sink: UpstreamSink, signal: AbortSignal): void
  /**
   * To be called when the run has ended.
   * @param how - The error that it failed with, with its cause; `leave`: it says nothing of the server, as a person interrupted it.
   */
  end(how: 'success' | 'leave' | ChatError): void
  /** The run has not come about. */
  leave(): void
}

interface TargetsOptions {
  readonly clock: Clock
  readonly breaker: BreakerPolicy | null
  /** Longest wait for a connection while another one could go on, ms. */
  readonly connectMs: number
}

export function createTargets(
  upstream: Upstream | Route,
  models: readonly string[] | undefined,
  { clock, breaker: policy, connectMs }: TargetsOptions,
): Targets {
  const known = new Map<Upstream, Target>()
  const target = (one: Upstream): Target => {
    const made = known.get(one) ?? {
      upstream: one,
      breaker: policy && createBreaker(clock, policy),
      learnt: createLearnt(clock),
    }
    known.set(one, made)
    return made
  }
  const named: readonly (readonly [string, Upstream])[] = isRoute(upstream)
    ? [...upstream.models]
    : (models ?? [upstream.model]).map((name) => [name, upstream])
  const byModel = new Map(named.map(([name, one]) => [name, target(one)]))
  const fallback = isRoute(upstream) ? upstream.fallback.map(target) : []
  // An upstream's own model is always to be had, also where a request may not name it.
  const byDefault = isRoute(upstream) ? byModel.get(upstream.model)! : target(upstream)

  return {
    model: upstream.model,
    main: byDefault,
    isRoute: isRoute(upstream),
    fallback,
    all: [...known.values()],
    byModel,
    begin(model, by) {
      const chosen = byModel.get(model) ?? byDefault
      const line = [...new Set([chosen, ...fallback])]
      const at = line.findIndex(({ breaker }) => !breaker || breaker.waitMs === 0)
      if (at === -1) throw open(Math.min(...line.map(({ breaker }) => breaker?.waitMs ?? 0)))
      // A route's names are its own; a single server is asked for the very model.
      return createSource(line, at, { model: isRoute(upstream) ? undefined : model, connectMs, by })
    },
  }
}

function open(retryAfterMs: number): ChatError {
  return new ChatError('breaker_open', 'The model server has failed several times and is left alone for a while.', {
    retryable: true,
    retryAfterMs,
  })
}

function createSource(
  line: readonly Target[],
  first: number,
  {
    model,
    connectMs,
    by,
  }: {
    readonly model: string | undefined
    readonly connectMs: number
    readonly by: (() => readonly string[]) | undefined
  },
): Source {
  let at = first
  let pass = line[at]!.breaker?.begin()
  const breaker = (): Breaker | null => line[at]!.breaker
  const standby = (): number => line.findIndex((target, i) => i > at && (target.breaker?.waitMs ?? 0) === 0)
  const named = (): Successor => ({ upstream: line[at]!.upstream.name, model: line[at]!.upstream.model })
  const fail = (error: ChatError): void => {
    if (isServerFault(error)) pass?.end('failure', mayBeOfRequest(error) ? by?.() : undefined)
    else pass?.end('leave')
  }

  return {
    successor: first === 0 ? undefined : named(),
    named,
    open(request, sink, signal) {
      const { upstream, learnt } = line[at]!
      const asked = { ...request, model: model ?? upstream.model, ...(standby() !== -1 && { connectMs }) }
      const heard = withEvidence(sink, asked, learnt)
      const outcome: unknown = upstream.open(asked, heard, signal)
      onRejected(outcome, heard.end)
    },
    delta: () => pass?.delta(),
    get isOpen() {
      // Also of the run that tries it: with somebody else to ask, one failure is enough.
      return (breaker()?.phase ?? 'closed') !== 'closed' && standby() !== -1
    },
    get hasStandby() {
      return standby() !== -1
    },
    next(error) {
      if (!isElsewhereBetter(error)) return null
      const next = standby()
      if (next === -1) return null
      fail(error)
      at = next
      pass = breaker()?.begin()
      return named()
    },
    onOpen: (listener) => breaker()?.onOpen(listener) ?? (() => undefined),
    end(how) {
      if (typeof how === 'string') pass?.end(how)
      else fail(how)
    },
    leave: () => pass?.end('leave'),
  }
}
