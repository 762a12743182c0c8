const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Bytes that are decoded at once: larger text is slow to make and to collect. */
const pieceSize = 16_384

/** Most bytes of an unfinished line that are held. */
const maxHeld = 16_384

/**
 * Hands bytes on up to the end of a line, and holds back a line that has not ended. A parser of text would hold it, too, but
 * as a part of the text of its whole read, which then stays in memory for as long as its stream is silent. A line that
 * gets too long to be held is handed on as it comes.
 * @param take - Takes the bytes in order, each once; a line that was held comes whole. Gives what they complete.
 * @param maxChars - The longest line that `take` bears: one that is longer must reach it.
 */
export function createWholeLines<T>(take: (bytes: Uint8Array) => T[], maxChars: number): (bytes: Uint8Array) => T[] {
  const limit = Math.min(maxHeld, maxChars)
  const held: Uint8Array[] = []
  let heldBytes = 0
  const hold = (bytes: Uint8Array): void => {
    // A copy: what is held must keep no whole read, and not change when its memory is used again.
    held.push(new Uint8Array(bytes))
    heldBytes += bytes.length
  }
  /** Everything held and then these bytes, in one piece. */
  const joined = (bytes: Uint8Array): Uint8Array => {
    if (held.length === 0) return bytes
    const all = new Uint8Array(heldBytes + bytes.length)
    let at = 0
    for (const piece of [...held.splice(0), bytes]) {
      all.set(piece, at)
      at += piece.length
    }
    heldBytes = 0
    return all
  }

  return (bytes) => {
    // Most reads are small, and end with a line.
    if (heldBytes === 0 && bytes.length <= pieceSize && bytes[bytes.length - 1] === lineFeed) return take(bytes)
    let all: T[] | undefined
    const give = (piece: Uint8Array): void => {
      const more = take(joined(piece))
      if (all) for (const one of more) all.push(one)
      else all = more
    }
    let from = 0
    for (let end = afterLines(bytes, 0); end > from; end = afterLines(bytes, from)) {
      give(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end))
      from = end
    }
    const rest = bytes.subarray(from)
    if (heldBytes + rest.length > limit) give(rest)
    else if (rest.length > 0) hold(rest)
    return all ?? []
  }
}

/** Where the last line of a piece from there on has ended, or else the first one behind it; `from` when none has. */
function afterLines(bytes: Uint8Array, from: number): number {
  const end = Math.min(from + pieceSize, bytes.length)
  const last = bytes.lastIndexOf(lineFeed, end - 1) + 1
  if (last > from) return last
  const next = end < bytes.length ? bytes.indexOf(lineFeed, end) + 1 : 0
  // The rest has no line feed: it is short, or a body whose lines end in carriage returns alone.
  return next > from ? next : from + bytes.subarray(from).lastIndexOf(carriageReturn) + 1
}
