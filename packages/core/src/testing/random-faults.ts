import type { FetchFault, FetchFaultPlan } from './faulty-fetch.ts'
import type { UpstreamFault, UpstreamFaultPlan } from './faulty-upstream.ts'
import { seededRandom, type SeededRandom } from './seeded-random.ts'

/** @public */
export interface RandomFaultOptions {
  /** How many of a hundred go wrong. @defaultValue 75 */
  readonly percent?: number | undefined
  /** Farthest place of a cut: bytes of a body, or events of a reply. @defaultValue 2000 bytes, 50 events */
  readonly maxCutAt?: number | undefined
  /** Whether something may hang until it is aborted; a test on the real clock waits for the watchdog then. @defaultValue true */
  readonly stalls?: boolean | undefined
}

/**
 * Draws what goes wrong with every request, for {@link faultyFetch}: the same seed, the same faults, whatever the order
 * in which they are asked for.
 * @public
 */
export function randomFetchFaults(seed: number, options: RandomFaultOptions = {}): FetchFaultPlan {
  const { maxCutAt = 2_000, stalls = true } = options
  return drawn(seed, options, (random): FetchFault => {
    const some = (): number[] => Array.from({ length: random.below(3) }, () => random.below(8))
    if (random.below(4) === 0) return { answer: random.pick(['refused', 'lost', stalls ? 'never' : 'lost']) }
    return {
      cutAt: random.below(3) === 0 ? undefined : random.below(maxCutAt + 1),
      ending: random.pick(['error', 'close', stalls ? 'stall' : 'error']),
      split: random.below(2) === 0 ? undefined : Array.from({ length: 4 }, () => 1 + random.below(40)),
      repeat: some(),
      swap: some(),
      rewind: random.below(4) === 0 ? random.below(50) : undefined,
    }
  })
}

/** Draws what goes wrong with every reply, for {@link faultyUpstream}: only what a server may get over. @public */
export function randomUpstreamFaults(seed: number, options: RandomFaultOptions = {}): UpstreamFaultPlan {
  const { maxCutAt = 50, stalls = true } = options
  return drawn(seed, options, (random): UpstreamFault => ({
    cutAt: random.pick([undefined, 0, random.below(maxCutAt + 1), random.below(maxCutAt + 1)]),
    ending: random.pick(['error', 'close', stalls ? 'stall' : 'error']),
    split: random.below(2) === 0 ? undefined : Array.from({ length: 4 }, () => 1 + random.below(5)),
  }))
}

function drawn<T>(
  seed: number,
  { percent = 75 }: RandomFaultOptions,
  draw: (random: SeededRandom) => T,
): (index: number) => T | undefined {
  return (index) => {
    // One source for each: what goes wrong with one request must not depend on how much was drawn for another.
    const random = seededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1))
    return random.below(100) < percent ? draw(random) : undefined
  }
}
