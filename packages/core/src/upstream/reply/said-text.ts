/** The text of a reply so far, of which only as much is kept as tells whether another one is the same. */
export interface SaidText {
  add(piece: string): void
  /**
   * What a text that should be the whole reply says beyond what was said; empty where that is nothing.
   * @param isStrict - It begins with what was said, to the letter.
   * @returns undefined where it says something else.
   */
  beyond(whole: string, isStrict?: boolean): string | undefined
  /** Whether so much was said, or in so many pieces, that nothing is the same by chance. */
  isLong(): boolean
}

const start = 0x811c9dc5
/** How much is looked at at once, UTF-16 code units: most replies are never asked for. */
const maxPending = 512

/** FNV-1a. */
function hashOf(text: string, from = start): number {
  let hash = from
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

/** White space around the whole counts nothing: servers trim it. */
export function createSaidText(): SaidText {
  let hash = start
  let chars = 0
  let pieces = 0
  /** The same up to the last letter that is no white space. */
  const trimmed = { hash, chars }
  let pending = ''
  const take = (): void => {
    const said = chars === 0 ? pending.trimStart() : pending
    const body = said.trimEnd()
    pending = ''
    if (body !== '') {
      hash = hashOf(body, hash)
      chars += body.length
      trimmed.hash = hash
      trimmed.chars = chars
    }
    if (body.length === said.length || chars === 0) return
    hash = hashOf(said.slice(body.length), hash)
    chars += said.length - body.length
  }
  return {
    isLong: () => pieces > 1 || chars + pending.length > 7,
    add(piece) {
      pieces += 1
      pending += piece
      if (pending.length > maxPending) take()
    },
    beyond(given, isStrict = false) {
      take()
      const whole = given.trim()
      if (hashOf(given.trimStart().slice(0, chars)) === hash && given.trimStart().length >= chars)
        return given.trimStart().slice(chars)
      if (hashOf(whole.slice(0, trimmed.chars)) === trimmed.hash) return whole.slice(trimmed.chars)
      if (isStrict) return undefined
      // Behind thinking, say, that was no part of the pieces.
      return hashOf(whole.slice(-trimmed.chars)) === trimmed.hash ? '' : undefined
    },
  }
}
