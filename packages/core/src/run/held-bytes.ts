/** What things take on the heap of V8, bytes, as test/keep-bytes.test.ts measures it. */

/** What a string takes: one byte a UTF-16 unit where all of them fit into one, as `join` writes it. */
export function stringBytes(text: string): number {
  // oxlint-disable-next-line no-control-regex -- all of Latin-1 is meant.
  return 24 + text.length * (/[^\x00-\xff]/.test(text) ? 2 : 1)
}
/** A block of a log: its object, and its place in the list. */
export const blockBytes = 44
/** The place where a delta ended. */
export const boundaryBytes = 8
/** What a run is, however short its reply: its functions, its log, its promise, its ids, its place in the cache. */
export const runBytes = 5_120
