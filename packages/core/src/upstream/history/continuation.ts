/** Said to a model that can only be asked in words. @public */
export const continueInstruction =
  'Your previous response was interrupted. Continue exactly from where it stopped, without repeating or commenting.'

/** A word whose last letters may be the beginning of a token. Scripts without spaces have no such words. */
const wordEnd = /(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}])[\p{L}\p{M}\p{N}_'’-])+$/u

/** Most that is written again, UTF-16 units: longer than any word or token, shorter than what a person would miss. */
const maxAgain = 64

/** A prefill must not end after these: white space, or the first half of a surrogate pair. */
const badEnd = /[\s\uD800-\uDBFF]$/

/**
 * How much of a partial a continuation keeps (docs/design.md rule 6): up to the last place where a delta of the model ended,
 * before any trailing white space. A cut inside a token makes a model go on differently. Where the deltas are not known
 * any more, or are whole sentences, the last word goes, and is written again.
 * @param content - The partial as the person saw it.
 * @param deltaEnds - Where deltas ended in it, ascending, in UTF-16 units; undefined when not known.
 * @returns Its length, UTF-16 units.
 * @public
 */
export function continuationPoint(content: string, deltaEnds: readonly number[] | undefined): number {
  const length = goodEnd(content, content.length)
  for (let i = (deltaEnds?.length ?? 0) - 1; i >= 0 && deltaEnds![i]! >= length - maxAgain; i--) {
    const end = deltaEnds![i]!
    // Not where it would be good: 64 ends in one long white space would each be taken back through all of it.
    if (end <= length && !badEnd.test(content.slice(end - 1, end))) return end
  }
  return deltaEnds && length <= maxAgain ? 0 : beforeWord(content, length)
}

/** The last place at or before this one that a prefill may end at. */
function goodEnd(content: string, at: number): number {
  let end = at
  while (end > 0 && badEnd.test(content[end - 1]!)) end -= 1
  return end
}

function beforeWord(content: string, end: number): number {
  // Only so much is looked at: a pattern that ends in `$` takes quadratic time in one long word.
  const from = Math.max(0, end - maxAgain - 1)
  const word = wordEnd.exec(content.slice(from, end))?.[0].length ?? 0
  // What is longer is no word: a script without spaces that is not in the list, or no language at all.
  return word > maxAgain ? end : goodEnd(content, end - word)
}
