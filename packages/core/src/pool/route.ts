import type { Upstream } from '../upstream/upstream.ts'

/** @public */
export interface RouteOptions {
  /** Model servers by the names that a request may ask for; the first one is the default. */
  readonly models: Readonly<Record<string, Upstream>>
  /** Who goes on, in this order, when a model server has failed. */
  readonly fallback?: readonly Upstream[] | undefined
}

/** Several model servers behind one gateway. @public */
export interface Route {
  /** The name that is used when a request names none. */
  readonly model: string
  readonly models: ReadonlyMap<string, Upstream>
  readonly fallback: readonly Upstream[]
}

/**
 * Puts several model servers behind one gateway. A request chooses one by a name of yours, and each is asked for its own
 * `model`. When one is given up (its breaker is open, or recovery ended in vain), its runs go on from their partials on the
 * first of `fallback` that is not, and a `status` frame says so.
 *
 * @example
 * createGateway({ upstream: route({ models: { fast: ollama({ model: 'qwen3:4b' }), smart: vllm }, fallback: [hosted] }) })
 * @throws {TypeError} Without a model, or when something is no upstream.
 * @public
 */
export function route({ models, fallback = [] }: RouteOptions): Route {
  const byName = new Map(Object.entries(models))
  const [model] = byName.keys()
  if (model === undefined) throw new TypeError('route({ models }): name at least one upstream.')
  for (const [name, upstream] of [...byName, ...fallback.map((upstream) => ['fallback', upstream] as const)]) {
    if (typeof upstream?.open !== 'function') throw new TypeError(`route: ${name} is no upstream.`)
  }
  return { model, models: byName, fallback }
}

/** @public */
export function isRoute(upstream: Upstream | Route): upstream is Route {
  return 'fallback' in upstream && 'models' in upstream
}
