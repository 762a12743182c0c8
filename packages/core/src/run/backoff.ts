import type { RandomBytes } from '../wire/ids.ts'

/**
 * How long to wait before an attempt, ms: 250, doubling up to 8 000, shortened by up to half. Whoever lost one server,
 * the runs of a gateway or the pages of one, must not come back in step.
 * @param attempt - From 1.
 * @public
 */
export function backoffMs(attempt: number, random: RandomBytes): number {
  return Math.min(8_000, 125 * 2 ** attempt) * (1 - random(new Uint8Array(1))[0]! / 512)
}
