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
import type { StandardSchema } from './metadata.ts'
import type { Identity } from './owner.ts'
import type { PrepareInput, Prepared } from './prepare.ts'
import { limitDefaults, type LimitOptions } from './limits.ts'
import type { GatewayRequest } from './request.ts'
import { createTargets, type Targets } from '../pool/targets.ts'

type ClientName = string | null | undefined
type Said<Context> = string | Context | false | null | undefined
type PreparedOrNot = Prepared | null | undefined | void

/** A run that has ended, for the app. @public */
export interface RunEnd<Context = Identity, Metadata = Readonly<Record<string, unknown>> | undefined> {
  readonly run: Run
  /** The app's own words in the request that started it. */
  readonly metadata: Metadata
  /** Who started it, as `authorize` said it. */
  readonly context: Context
}

/** @public */
export interface GatewayOptions<
  Context extends Identity = Identity,
  Metadata = Readonly<Record<string, unknown>> | undefined,
> {
  /** The model server, e.g. `ollama({ model: 'qwen3:32b' })`, or several by `route({ models, fallback })`. */
  readonly upstream: Upstream | Route
  /** Where the gateway is mounted. @defaultValue '/api/chat' */
  readonly basePath?: string | undefined
  /** Models of one upstream that a request may name; a route has names of its own. @defaultValue the upstream's own model alone */
  readonly models?: readonly string[] | undefined
  /** Names in `options` a request may set. @defaultValue ['temperature', 'top_p', 'top_k', 'seed', 'stop'] */
  readonly requestOptions?: readonly string[] | undefined
  /** Whether a request may bring `tools`, which the model may then call. @defaultValue false */
  readonly requestTools?: boolean | undefined
  /** Whether a request may say how much is to be thought (`think`). @defaultValue false */
  readonly requestThink?: boolean | undefined
  /** Placed before every history; system messages of a request are then refused. */
  readonly system?: string | undefined
  /** What the model is told after a reply that a person cut off; false tells it nothing. @defaultValue '[interrupted by the user]' */
  readonly interruptedNote?: string | false | undefined
  /** Origins other than the gateway's own that may call it, e.g. `https://app.example` or `capacitor://localhost`; `*` lets in every page, without what a browser adds by itself: `authorize` sees no cookie, and no password. A header that a proxy has made of one is seen: with such a proxy, list origins. @defaultValue [] */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Headers that pages of other origins may send besides `authorization`, `content-type` and `last-event-id`. @defaultValue any from listed origins, none from `*` */
  readonly allowedHeaders?: readonly string[] | undefined
  /** Returns who is asking: an owner's name, or an object with `owner` and whatever else `prepare` and `onRunEnd` are to know (`context`). Anything else is nobody (401), as is an empty name, and an error lets nobody in. What an owner starts is 404 to others. @defaultValue everybody is one owner */
  readonly authorize?: ((request: GatewayRequest) => Said<Context> | Promise<Said<Context>>) | undefined
  /**
   * Makes what the model is asked: a history of the app's database, a prompt a user, tools. Called once a run, when what earlier
   * runs of its session left is stored. Meanwhile the run has begun: it is told to readers and may be interrupted. A `ChatError`
   * reaches the client; what else it throws goes to `onError`, and the client is told `internal`. System messages of a request are
   * refused, as they are with `system`.
   */
  readonly prepare?: ((input: PrepareInput<Context, Metadata>) => PreparedOrNot | Promise<PreparedOrNot>) | undefined
  /** How long `prepare` may take, ms. @defaultValue 10000 */
  readonly prepareMs?: number | undefined
  /** Checks the `metadata` of a request, and gives it its type: a schema of zod, valibot, arktype or the like. @defaultValue any object is taken */
  readonly metadata?: StandardSchema<Metadata> | undefined
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
   * Called once for each run that has ended, to store it (`run.message()`), or for logs and metrics. It may answer later: the
   * answer of an interrupt waits for it, the next `prepare` of the session, and `close()`. What it throws, or rejects with, goes
   * to `onError`.
   */
  readonly onRunEnd?: ((end: RunEnd<Context, Metadata>) => unknown) | undefined
  /** How long others wait for `onRunEnd`, ms. `onError` is told that it took longer. @defaultValue 2000 */
  readonly saveMs?: number | undefined
  /**
   * Told of what no client is told: what `authorize`, `prepare`, `clientOf`, `onRunEnd` or an upstream of the app's own threw, and where the
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
  prepareMs: number
  saveMs: number
}> = /* @__PURE__ */ Object.freeze({
  basePath: '/api/chat',
  requestOptions: /* @__PURE__ */ Object.freeze(['temperature', 'top_p', 'top_k', 'seed', 'stop']),
  interruptedNote: '[interrupted by the user]',
  orphanMs: 30_000,
  prepareMs: 10_000,
  saveMs: 2_000,
})

/** Options after defaults: what inner code receives. */
export interface GatewayPolicy {
  readonly targets: Targets
  readonly basePath: string
  readonly requestOptions: ReadonlySet<string>
  readonly requestTools: boolean
  readonly requestThink: boolean
  readonly system: string | undefined
  readonly interruptedNote: string | null
  readonly allowedOrigins: ReadonlySet<string>
  readonly allowedHeaders: readonly string[] | undefined
  readonly allowedHosts: ReadonlySet<string> | undefined
  readonly authorize: GatewayOptions['authorize']
  readonly prepare: GatewayOptions['prepare']
  readonly prepareMs: number
  readonly metadata: StandardSchema | undefined
  readonly clientOf: GatewayOptions['clientOf']
  readonly orphanMs: number
  readonly coalesce: typeof coalesceDefaults
  readonly heartbeat: typeof heartbeatDefaults
  readonly fuse: FusePolicy
  readonly recovery: RecoveryPolicy | undefined
  readonly sessions: typeof sessionDefaults
  readonly keep: typeof keepDefaults
  readonly limits: typeof limitDefaults
  readonly onRunEnd: ((end: RunEnd<unknown, unknown>) => unknown) | undefined
  readonly saveMs: number
  readonly appErrors: AppErrors
  readonly clock: Clock
  readonly random: RandomBytes | undefined
}

/** @throws {TypeError | RangeError} When a value makes no sense, or two contradict each other. */
export function resolveGateway(options: GatewayOptions): GatewayPolicy {
  const { upstream, basePath = gatewayDefaults.basePath } = options
  const { orphanMs = gatewayDefaults.orphanMs, saveMs = gatewayDefaults.saveMs } = options
  const { prepareMs = gatewayDefaults.prepareMs } = options
  if (!upstream || (!isRoute(upstream) && typeof upstream.open !== 'function'))
    throw new TypeError('createGateway({ upstream }): an upstream is needed, e.g. ollama({ model }).')
  if (isRoute(upstream) && options.models)
    throw new TypeError('createGateway({ models }): a route has names of its own; leave one of the two out.')
  if (!/^(?:\/(?!\.\.?(?:\/|$))[\w.~-]+)+$/.test(basePath))
    throw new TypeError(`basePath must look like /api/chat, got ${basePath}`)
  if (!(orphanMs >= 0)) throw new RangeError(`orphanMs must be >= 0, got ${orphanMs}`)
  if (!(saveMs >= 0)) throw new RangeError(`saveMs must be >= 0, got ${saveMs}`)
  if (!(prepareMs > 0)) throw new RangeError(`prepareMs must be > 0, got ${prepareMs}`)
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
    requestTools: options.requestTools ?? false,
    requestThink: options.requestThink ?? false,
    requestOptions: new Set(options.requestOptions ?? gatewayDefaults.requestOptions),
    system: options.system,
    interruptedNote:
      options.interruptedNote === false ? null : (options.interruptedNote ?? gatewayDefaults.interruptedNote),
    allowedOrigins: resolveOrigins(options.allowedOrigins),
    allowedHeaders: resolveHeaders(options.allowedHeaders),
    allowedHosts: resolveHosts(options.allowedHosts),
    authorize: options.authorize,
    prepare: options.prepare,
    prepareMs,
    metadata: options.metadata,
    clientOf: options.clientOf,
    orphanMs,
    coalesce,
    heartbeat,
    fuse,
    recovery,
    sessions: resolveSessions(options.sessions),
    keep: resolveKeep(options.keep),
    limits,
    onRunEnd: options.onRunEnd as GatewayPolicy['onRunEnd'],
    saveMs,
    appErrors: createAppErrors(options.onError, clock),
    clock,
    random: options.random,
  }
}
