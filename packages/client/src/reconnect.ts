import type { ReconnectOptions } from './types.ts'

/** @public */
export const reconnectDefaults: Readonly<{ maxMs: number; firstMs: number; longestMs: number }> = Object.freeze({
  maxMs: 120_000,
  firstMs: 250,
  longestMs: 8_000,
})

/** @throws {RangeError} When a value makes no sense. */
export function resolveReconnect(
  options: ReconnectOptions = {},
  chance: () => number = Math.random,
): { readonly maxMs: number; readonly backoffMs: (attempt: number) => number } {
  const {
    maxMs = reconnectDefaults.maxMs,
    firstMs = reconnectDefaults.firstMs,
    longestMs = reconnectDefaults.longestMs,
  } = options
  for (const [name, value] of Object.entries({ maxMs, firstMs, longestMs })) {
    if (!(value >= 0)) throw new RangeError(`reconnect.${name} must be >= 0, got ${value}`)
  }
  return {
    maxMs,
    // Shortened by up to half: tabs that lost one gateway must not come back in step.
    backoffMs: (attempt) => Math.min(longestMs, firstMs * 2 ** (attempt - 1)) * (1 - chance() / 2),
  }
}
