import type { TransportHead } from './transport.ts'
import { bounded } from './wait-words.ts'

/**
 * When to ask again, as the answer's headers say it, ms from now: `retry-after-ms` (OpenAI, Azure), else `retry-after` in
 * seconds or as an HTTP date (RFC 9110 §10.2.3). What was due already is 0; what cannot be read, or is more than 30 days away,
 * counts for nothing.
 * @param now - Epoch milliseconds.
 */
export function retryAfter(response: Pick<TransportHead, 'header'>, now: number): number | undefined {
  const ms = figure(response.header('retry-after-ms'))
  if (ms !== undefined) return bounded(ms)
  const said = response.header('retry-after')
  const seconds = figure(said)
  if (seconds !== undefined) return bounded(seconds * 1_000)
  // Anything that ends like this is a date or nonsense: `Date.parse` alone would take `soon 5` for one.
  const date = said?.trim().endsWith('GMT') ? Date.parse(said) : NaN
  return Number.isNaN(date) ? undefined : bounded(Math.max(0, date - now))
}

function figure(said: string | undefined): number | undefined {
  if (said === undefined || !/^\s*[-+]?\d{1,15}(\.\d*)?\s*$/.test(said)) return undefined
  return Math.max(0, Number(said))
}
