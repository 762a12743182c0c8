/** Formats nanoseconds since 1970 as Ollama does: RFC 3339 with up to nine digits, trailing zeros cut off. */
export function formatStamp(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)
  const fraction = (ns % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`
}

/**
 * Makes a clock of stamps that never gives the same one twice: two equal tokens in a row must not make two equal
 * lines, which a reader may take for a line that was sent again.
 * @param wallMs - Milliseconds since 1970.
 * @param fineNs - A finer counter, of which only the part below a millisecond is used.
 */
export function createStamps(wallMs: () => number, fineNs: () => bigint): () => string {
  let last = 0n
  return () => {
    const ns = BigInt(wallMs()) * 1_000_000n + (fineNs() % 1_000_000n)
    last = ns > last ? ns : last + 1n
    return formatStamp(last)
  }
}
