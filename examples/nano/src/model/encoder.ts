/* oxlint-disable typescript/no-non-null-assertion -- indices are in range by construction, and these are hot loops */
/** Token ids with a meaning of their own. `bytes` is the first of 256 byte tokens, `text` the first that stands for text. */
export const tokenIds: Readonly<Record<'start' | 'end' | 'user' | 'assistant' | 'bytes' | 'text', number>> =
  Object.freeze({ start: 1, end: 2, user: 3, assistant: 4, bytes: 5, text: 261 })

/** How the vocabulary writes a space. */
export const spaceMark = '\u2581'

/** What an encoder needs to know: each token's text and its rank in merging (the higher the sooner). */
export interface Vocabulary {
  readonly tokens: readonly string[]
  readonly scores: readonly number[]
}

/**
 * Makes the function from text to token ids: the best-ranked neighbours merge until nothing merges, as in llama.cpp;
 * a character that is not in the vocabulary becomes its UTF-8 bytes.
 */
export function createEncoder({ tokens, scores }: Vocabulary): (text: string) => number[] {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const utf8 = new TextEncoder()

  const encodePiece = (piece: string): number[] => {
    const out: number[] = []
    for (const char of piece) {
      const id = ids.get(char)
      if (id !== undefined) out.push(id)
      else for (const byte of utf8.encode(char)) out.push(tokenIds.bytes + byte)
    }
    for (;;) {
      let at = -1
      let best = -Infinity
      let merged = 0
      for (let i = 0; i + 1 < out.length; i++) {
        const id = ids.get(tokens[out[i]!]! + tokens[out[i + 1]!]!)
        if (id !== undefined && scores[id]! > best) {
          best = scores[id]!
          at = i
          merged = id
        }
      }
      if (at < 0) return out
      out.splice(at, 2, merged)
    }
  }

  // No token has a space after its first character, so each piece merges on its own, and long texts stay fast.
  return (text) => (text.replaceAll(' ', spaceMark).match(/\u2581?[^\u2581\n]+|\u2581|\n+/g) ?? []).flatMap(encodePiece)
}
