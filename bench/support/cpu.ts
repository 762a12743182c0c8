/** CPU time of this process so far, all threads, µs: unlike wall time it does not count what other processes did. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** CPU time that some work takes, µs. Garbage of whoever ran before is not part of it. */
async function cpuOf(work: () => unknown): Promise<number> {
  globalThis.gc?.()
  const before = cpuNow()
  await work()
  return cpuNow() - before
}

/**
 * Measures named pieces of work side by side: in each round each of them once, beginning with another one each time.
 * @returns CPU µs by name, one for each round after the warm-up.
 */
export async function interleave(
  works: Readonly<Record<string, () => unknown>>,
  { rounds, warmup = 1 }: { readonly rounds: number; readonly warmup?: number },
): Promise<Record<string, number[]>> {
  const names = Object.keys(works)
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]]))
  for (let round = -warmup; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + warmup) % names.length]!
      const cpu = await cpuOf(works[name]!)
      if (round >= 0) samples[name]!.push(cpu)
    }
  }
  return samples
}
