import { ChatError, isChatError } from '../wire/errors.ts'
import { anyHost, checkHost } from './host.ts'
import { resolveGateway, type GatewayOptions } from './options.ts'
import { checkOrigin, listedCors, noCors } from './origin.ts'
import type { Identity } from './owner.ts'
import { createReaders } from './readers.ts'
import { errorReply, toResponse, type GatewayReply } from './reply.ts'
import type { GatewayRequest } from './request.ts'
import { createRoutes, requestLimits } from './routes.ts'
import { createRuns } from './runs.ts'
import { createStanding } from './standing.ts'
import { within } from './within.ts'

/** @public */
export interface Gateway {
  /** Answers a request; never rejects. */
  (request: Request): Promise<Response>
  /** Where it is mounted. */
  readonly basePath: string
  /** The same without `Response`: `toNodeListener` drives the reader straight into the socket. Never rejects. */
  reply(request: GatewayRequest): Promise<GatewayReply>
  /** How things stand, for metrics. */
  stats(): GatewayStats
  /**
   * Starts no more runs (503), gives the running ones `drainMs` to end, then ends them as `shutdown`, with their upstreams.
   * Resolves when all have ended, and `onRunEnd` with them; called again, it can only shorten the wait.
   */
  close(options?: CloseOptions): Promise<void>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** @public */
export interface CloseOptions {
  /** How long running runs may go on, ms. @defaultValue 0 */
  readonly drainMs?: number | undefined
  /** How long an `onRunEnd` that is not done is waited for, ms. @defaultValue 10000 */
  readonly saveMs?: number | undefined
}

/** How a gateway stands. @public */
export interface GatewayStats {
  /** Runs that have not ended. */
  readonly runs: number
  /** Connections that read runs, ended ones too: those that have not taken all of what they were sent. */
  readonly readers: number
  readonly upstreams: readonly {
    readonly name: string
    readonly model: string
    readonly breaker: 'closed' | 'open' | 'half_open' | null
  }[]
}

/**
 * Creates the gateway: a function from `Request` to `Response` that speaks the wire of docs/design.md §3 and stands in front
 * of one model server, or of several (`route`).
 * @throws {TypeError | RangeError} When an option makes no sense.
 * @public
 */
export function createGateway<
  Context extends Identity = Identity,
  Metadata = Readonly<Record<string, unknown>> | undefined,
>(options: GatewayOptions<Context, Metadata>): Gateway {
  // Inside nothing is known of the app's types: what one function of the app gives is handed to another as it is.
  const policy = resolveGateway(options as unknown as GatewayOptions)
  const { basePath, clock, targets } = policy
  const runs = createRuns(policy)
  const readers = createReaders(policy)
  const standing = createStanding(targets, clock, (error) => policy.appErrors.report(error, {}))
  let closed = false
  const route = createRoutes(policy, { runs, readers, standing, isClosed: () => closed })

  const reply = async (request: GatewayRequest): Promise<GatewayReply> => {
    let cors = noCors
    let answer: GatewayReply
    try {
      // A listed page may read what it is refused for. Its browser asks first whether it may ask, which lets nothing in.
      cors = listedCors(request, policy)
      const isPreflight = request.method === 'OPTIONS' && cors !== noCors
      checkHost(request, isPreflight ? anyHost : policy.allowedHosts, { isOpen: !policy.authorize })
      const letIn = checkOrigin(request, policy)
      cors = letIn.cors
      answer = await route(letIn.request)
    } catch (error) {
      if (!isChatError(error)) policy.appErrors.report(error, { request })
      answer = errorReply(withLimits(error))
    }
    return { ...answer, headers: { ...answer.headers, ...cors } }
  }

  const withLimits = (error: unknown): unknown => {
    if (!isChatError(error) || (error.code !== 'too_large' && error.code !== 'too_many_messages')) return error
    return new ChatError(error.code, error.message, { limits: requestLimits(policy) })
  }

  const handle = async (request: Request): Promise<Response> => toResponse(await reply(request))
  const gateway = {
    basePath,
    reply,
    stats() {
      return {
        runs: runs.active().length,
        readers: readers.count,
        upstreams: targets.all.map(({ upstream: { name, model }, breaker }) => ({
          name,
          model,
          breaker: breaker?.phase ?? null,
        })),
      }
    },
    close: async ({ drainMs = 0, saveMs = 10_000 }: CloseOptions = {}) => {
      closed = true
      if (drainMs > 0) await within(clock, drainMs, Promise.all(runs.active().map((run) => run.ended)))
      runs.close()
      const { appErrors } = policy
      if (await within(clock, saveMs, appErrors.settled())) return
      appErrors.report(new Error(`onRunEnd was not done ${saveMs} ms after the gateway was closed.`), {})
    },
    [Symbol.asyncDispose]: () => gateway.close(),
  }
  return Object.assign(handle, gateway)
}
