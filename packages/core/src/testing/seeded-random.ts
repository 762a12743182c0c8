import type { RandomBytes } from '../wire/ids.ts'

/** Random numbers that are the same for the same seed: fits every `random` option, and chooses. @public */
export interface SeededRandom extends RandomBytes {
  /** A whole number from 0 up to, and without, `limit`. */
  below(limit: number): number
  /** One of these. */
  pick<T>(values: readonly [T, ...T[]]): T
}

/**
 * Creates a source of random numbers (mulberry32) for tests that can be run again. Not for secrets.
 * @param seed - A whole number; its lowest 32 bits count.
 * @public
 */
export function seededRandom(seed: number): SeededRandom {
  let state = seed
  /** 32 bits. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit)
  const fill: RandomBytes = (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = below(256)
    return bytes
  }
  return Object.assign(fill, {
    below,
    pick: <T>(values: readonly [T, ...T[]]): T => values[below(values.length)]!,
  })
}
