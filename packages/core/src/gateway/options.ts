import { systemClock, type Clock } from '../clock.ts'
import { resolveNumbers } from '../resolve-numbers.ts'
import { tickerOf } from '../ticker.ts'
import { recoveryDefaults, resolveRecovery, type RecoveryOptions, type RecoveryPolicy } from '../run/recovery.ts'
import { resolveKeep, type keepDefaults, type KeepOptions } from './directory.ts'
import type { Run } from '../run/run.ts'
import { resolveSessions, type sessionDefaults, type SessionOptions } from '../session/session-cache.ts'
import { resolveCoalesce, type coalesceDefaults, type CoalesceOptions } from '../read/coalesce.ts'
import { resolveFuse, type FuseOptions, type FusePolicy } from '../run/fuse.ts'
import { resolveHeartbeat, type heartbeatDefaults, type HeartbeatOptions } from '../read/heartbeat.ts'
import { resolveBreaker, type BreakerOptions } from '../pool/breaker.ts'
import { isRoute, type Route } from '../pool/route.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { RandomBytes } from '../wire/ids.ts'
import { createAppErrors, type AppErrors, type ErrorListener } from './app-errors.ts'
import { resolveHosts } from './host.ts'
import { resolveHeaders, resolveOrigins } from './origin.ts'
import type { GatewayRequest } from './request.ts'
import { createTargets, type Targets } from '../pool/targets.ts'

/** @public */
export interface LimitOptions {
  /** Most runs at once; more are 503. @defaultValue 1000 */
  readonly runs?: number | undefined
  /** Most runs at once of one client, where `clientOf` tells clients apart; more are 429. @defaultValue Infinity */
  readonly clientRuns?: number | undefined
  /** Most readers of one run; more are 429. @defaultValue 64 */
  readonly readers?: number | undefined
  /** How long a reader that takes no byte of what it was sent keeps its connection, ms. @defaultValue 30000 */
  readonly unreadMs?: number | undefined
  /** Largest body of a request, bytes; a larger one is 413. @defaultValue 1048576 */
  readonly bodyBytes?: number | undefined
  /** Most messages of a request; more are 400. @defaultValue 1000 */
  readonly messages?: number | undefined
}

/** @public */
export const limitDefaults: { readonly [Name in keyof LimitOptions]-?: number } = /* @__PURE__ */ Object.freeze({
  runs: 1_000,
  clientRuns: Infinity,
  readers: 64,
  unreadMs: 30_000,
  bodyBytes: 1_048_576,
  messages: 1_000,
})

type ClientName = string | null | undefined

/** @public */
export interface GatewayOptions {
  /** The model server, e.g. `ollama({ model: 'qwen3:32b' })`, or several by `route({ models, fallback })`. */
  readonly upstream: Upstream | Route
  /** Where the gateway is mounted. @defaultValue '/api/chat' */
  readonly basePath?: string | undefined
  /** Models of one upstream that a request may name; a route has names of its own. @defaultValue the upstream's own model alone */
  readonly models?: readonly string[] | undefined
  /** Names in `options` a request may set. @defaultValue ['temperature', 'top_p', 'top_k', 'seed', 'stop'] */
  readonly requestOptions?: readonly string[] | undefined
  /** Placed before every history; system messages of a request are then refused. */
  readonly system?: string | undefined
  /** What the model is told after a reply that a person cut off; false tells it nothing. @defaultValue '[interrupted by the user]' */
  readonly interruptedNote?: string | false | undefined
  /** Origins other than the gateway's own that may call it, e.g. `https://app.example` or `capacitor://localhost`; `*` lets in every page, without what a browser adds by itself: `authorize` sees no cookie, and no password. A header that a proxy has made of one is seen: with such a proxy, list origins. @defaultValue [] */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Headers that pages of other origins may send besides `authorization`, `content-type` and `last-event-id`. @defaultValue any from listed origins, none from `*` */
  readonly allowedHeaders?: readonly string[] | undefined
  /** Returns who is asking. Anything but a string that is not empty is nobody (401), and an error lets nobody in. What an owner starts is 404 to others. @defaultValue everybody is one owner */
  readonly authorize?:
    | ((request: GatewayRequest) => string | null | undefined | Promise<string | null | undefined>)
    | undefined
  /** Hosts by which the gateway may be asked, as browsers name it, e.g. `chat.example` or `localhost:8080`; others are 403, as a page may have its own name pointed here (DNS rebinding). `*` allows any. @defaultValue any; without `authorize`, over a loopback socket of `toNodeListener`, localhost and IP addresses */
  readonly allowedHosts?: readonly string[] | undefined
  /** Tells clients apart for `limits.clientRuns` and `breaker`, e.g. by address; undefined counts nobody, and '' is one client. When it throws, the request is 500. */
  readonly clientOf?: ((request: GatewayRequest) => ClientName | Promise<ClientName>) | undefined
  /** How long a run whose client promised to come back goes on without a reader, ms; after a poll 60 s longer, as a hidden page polls once a minute. @defaultValue 30000 */
  readonly orphanMs?: number | undefined
  /** When text goes out to readers. */
  readonly coalesce?: CoalesceOptions | undefined
  /** When a reader that got nothing gets a ping. */
  readonly heartbeat?: HeartbeatOptions | undefined
  /** When a run is ended because its model server misbehaves. */
  readonly fuse?: FuseOptions | undefined
  /** When a model server that failed is asked again, and the reply goes on; false fails at once. */
  readonly recovery?: RecoveryOptions | false | undefined
  /** When a model server that failed run after run is left alone; false never does that. */
  readonly breaker?: BreakerOptions | false | undefined
  /** How long idle conversations are remembered. */
  readonly sessions?: SessionOptions | undefined
  /** How long ended runs stay readable. */
  readonly keep?: KeepOptions | undefined
  /** What one process takes on at once. */
  readonly limits?: LimitOptions | undefined
  /**
   * Called once for each run that has ended, to store it, or for logs and metrics. It may answer later: `close()` waits for it.
   * What it throws, or rejects with, goes to `onError`.
   */
  readonly onRunEnd?: ((run: Run) => unknown) | undefined
  /**
   * Told of what no client is told: what `authorize`, `clientOf`, `onRunEnd` or an upstream of the app's own threw, and where the
   * gateway itself failed. Errors that a request is answered with (`ChatError`) are none of these.
   * @defaultValue prints a line with `console.error`, the same one once a minute
   */
  readonly onError?: ErrorListener | undefined
  /** Time and timers; a test holds them still with `manualClock()`. @defaultValue systemClock */
  readonly clock?: Clock | undefined
  /** Makes ids, and the jitter of waits. @defaultValue `crypto.getRandomValues` */
  readonly random?: RandomBytes | undefined
}

/** @public */
export const gatewayDefaults: Readonly<{
  basePath: string
  requestOptions: readonly string[]
  interruptedNote: string
  orphanMs: number
}> = /* @__PURE__ */ Object.freeze({
  basePath: '/api/chat',
  requestOptions: /* @__PURE__ */ Object.freeze(['temperature', 'top_p', 'top_k', 'seed', 'stop']),
  interruptedNote: '[interrupted by the user]',
  orphanMs: 30_000,
})

/** Options after defaults: what inner code receives. */
export interface GatewayPolicy {
  readonly targets: Targets
  readonly basePath: string
  readonly requestOptions: ReadonlySet<string>
  readonly system: string | undefined
  readonly interruptedNote: string | null
  readonly allowedOrigins: ReadonlySet<string>
  readonly allowedHeaders: readonly string[] | undefined
  readonly allowedHosts: ReadonlySet<string> | undefined
  readonly authorize: GatewayOptions['authorize']
  readonly clientOf: GatewayOptions['clientOf']
  readonly orphanMs: number
  readonly coalesce: typeof coalesceDefaults
  readonly heartbeat: typeof heartbeatDefaults
  readonly fuse: FusePolicy
  readonly recovery: RecoveryPolicy | undefined
  readonly sessions: typeof sessionDefaults
  readonly keep: typeof keepDefaults
  readonly limits: typeof limitDefaults
  readonly onRunEnd: GatewayOptions['onRunEnd']
  readonly appErrors: AppErrors
  readonly clock: Clock
  readonly random: RandomBytes | undefined
}

/** @throws {TypeError | RangeError} When a value makes no sense, or two contradict each other. */
export function resolveGateway(options: GatewayOptions): GatewayPolicy {
  const { upstream, basePath = gatewayDefaults.basePath, orphanMs = gatewayDefaults.orphanMs } = options
  if (!upstream || (!isRoute(upstream) && typeof upstream.open !== 'function'))
    throw new TypeError('createGateway({ upstream }): an upstream is needed, e.g. ollama({ model }).')
  if (isRoute(upstream) && options.models)
    throw new TypeError('createGateway({ models }): a route has names of its own; leave one of the two out.')
  if (!/^(?:\/(?!\.\.?(?:\/|$))[\w.~-]+)+$/.test(basePath))
    throw new TypeError(`basePath must look like /api/chat, got ${basePath}`)
  if (!(orphanMs >= 0)) throw new RangeError(`orphanMs must be >= 0, got ${orphanMs}`)
  const clock = tickerOf(options.clock ?? systemClock)
  const limits = resolveNumbers('limits', options.limits, limitDefaults, '> 0')
  const recovery = options.recovery === false ? undefined : resolveRecovery(options.recovery)
  const coalesce = resolveCoalesce(options.coalesce)
  const heartbeat = resolveHeartbeat(options.heartbeat)
  const fuse = resolveFuse(options.fuse)
  if (heartbeat.intervalMs >= fuse.firstDeltaMs) {
    throw new RangeError(
      `heartbeat.intervalMs must be < fuse.firstDeltaMs, or no ping ever comes: ${heartbeat.intervalMs}, ${fuse.firstDeltaMs}`,
    )
  }
  if (coalesce.windowMs >= heartbeat.intervalMs) {
    throw new RangeError(
      `coalesce.windowMs must be < heartbeat.intervalMs, or pings overtake text: ${coalesce.windowMs}, ${heartbeat.intervalMs}`,
    )
  }
  return {
    targets: createTargets(upstream, options.models, {
      clock,
      // 0 means not to try again; a connection takes a moment all the same.
      connectMs: Math.max(1_000, (recovery ?? recoveryDefaults).failoverMs),
      breaker: options.breaker === false ? null : resolveBreaker(options.breaker),
    }),
    basePath,
    requestOptions: new Set(options.requestOptions ?? gatewayDefaults.requestOptions),
    system: options.system,
    interruptedNote:
      options.interruptedNote === false ? null : (options.interruptedNote ?? gatewayDefaults.interruptedNote),
    allowedOrigins: resolveOrigins(options.allowedOrigins),
    allowedHeaders: resolveHeaders(options.allowedHeaders),
    allowedHosts: resolveHosts(options.allowedHosts),
    authorize: options.authorize,
    clientOf: options.clientOf,
    orphanMs,
    coalesce,
    heartbeat,
    fuse,
    recovery,
    sessions: resolveSessions(options.sessions),
    keep: resolveKeep(options.keep),
    limits,
    onRunEnd: options.onRunEnd,
    appErrors: createAppErrors(options.onError, clock),
    clock,
    random: options.random,
  }
}
