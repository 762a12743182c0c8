const encoder = /* @__PURE__ */ new TextEncoder()
const wrong = /* @__PURE__ */ encoder.encode('error:')
const right = /* @__PURE__ */ encoder.encode('event:error\ndata:')
const lineFeed = 0x0a

/**
 * Until September 2025 llama.cpp said an error in a field of its own, `error: {…}` (its PR #16109), which parsers of
 * event streams ignore: the reply then looks empty. Here such a line becomes a frame with the event `error`.
 * @returns What gives the same bytes in pieces; a line's first letters wait until it is known what they are.
 */
export function createErrorLines(): (bytes: Uint8Array) => Uint8Array[] {
  /** How much of `error:` the line has begun with; -1 in the middle of another line. */
  let same = 0

  return (bytes) => {
    const pieces: Uint8Array[] = []
    let from = 0
    let at = 0
    while (at < bytes.length) {
      if (same === -1) {
        at = bytes.indexOf(lineFeed, at) + 1
        if (at === 0) break
        same = 0
      } else if (bytes[at] === wrong[same]) {
        same += 1
        at += 1
        if (same < wrong.length) continue
        pieces.push(bytes.subarray(from, Math.max(from, at - same)), right)
        from = at
        same = -1
      } else {
        // Letters of the read before, which are no longer in these bytes.
        if (same > at - from) pieces.push(wrong.subarray(0, same - (at - from)))
        same = bytes[at] === lineFeed ? 0 : -1
        at += 1
      }
    }
    const end = same > 0 ? Math.max(from, bytes.length - same) : bytes.length
    if (end > from) pieces.push(bytes.subarray(from, end))
    return pieces
  }
}
