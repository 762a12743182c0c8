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
