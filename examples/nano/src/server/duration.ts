const unitMs: Readonly<Record<string, number>> = Object.freeze({
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
})

/** Go's largest duration, 292 years: what Ollama makes of a negative `keep_alive`. */
export const foreverMs: number = Number((2n ** 63n - 1n) / 1_000_000n)

/**
 * Reads a `keep_alive`: seconds as a number, or a Go duration such as `"1h30m"`.
 * @returns Milliseconds; `foreverMs` when negative.
 * @throws {RangeError} It is neither, in Go's words.
 */
export function parseKeepAlive(value: unknown): number {
  if (typeof value === 'number') return value < 0 ? foreverMs : value * 1_000
  if (typeof value !== 'string') throw new RangeError(`Unsupported type: '${typeof value}'`)
  if (/^[-+]?0$/.test(value)) return 0
  const match = /^([-+]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(value)
  if (match === null) throw new RangeError(`time: invalid duration ${JSON.stringify(value)}`)
  if (match[1] === '-') return foreverMs
  let ms = 0
  for (const [, number, unit] of value.matchAll(/([\d.]+)([a-zµ]+)/g)) ms += Number(number) * (unitMs[unit ?? ''] ?? 0)
  return Math.min(ms, foreverMs)
}
