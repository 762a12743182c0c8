import type { TransportHead } from './transport.ts'

/**
 * When to ask again, as the answer's headers say it, ms from now: `retry-after-ms` (OpenAI, Azure), else `retry-after` in
 * seconds or as an HTTP date (RFC 9110 §10.2.3). What was due already is 0; what cannot be read counts for nothing.
 * @param now - Epoch milliseconds.
 */
export function retryAfter(response: Pick<TransportHead, 'header'>, now: number): number | undefined {
  const ms = figure(response.header('retry-after-ms'))
  if (ms !== undefined) return ms
  const said = response.header('retry-after')
  const seconds = figure(said)
  if (seconds !== undefined) return Math.ceil(seconds * 1_000)
  // Anything that ends like this is a date or nonsense: `Date.parse` alone would take `soon 5` for one.
  const date = said?.trim().endsWith('GMT') ? Date.parse(said) : NaN
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil(date - now))
}

function figure(said: string | undefined): number | undefined {
  if (said === undefined || !/^\s*[-+]?\d{1,15}(\.\d*)?\s*$/.test(said)) return undefined
  return Math.max(0, Number(said))
}
