/** Bytes: some ten deltas. */
const pieceSize = 4_096

/**
 * A large read in pieces, none of them copied. What is left of an unfinished frame keeps the text of its whole piece in
 * memory while its stream is idle; of a read of 64 KiB that would be up to 128 KiB.
 */
export function pieces(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length <= pieceSize) return [bytes]
  return Array.from({ length: Math.ceil(bytes.length / pieceSize) }, (_, i) =>
    bytes.subarray(i * pieceSize, (i + 1) * pieceSize),
  )
}
