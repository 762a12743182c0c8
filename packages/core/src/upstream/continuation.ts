/** A word whose last letters may be the beginning of a token. Scripts without spaces have no such words. */
const wordEnd = /(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}])[\p{L}\p{M}\p{N}_'’-])+$/u

/**
 * How much of a partial a continuation keeps (DESIGN rule 6): up to the last place where a delta of the model ended,
 * before any trailing white space. A cut inside a token makes a model go on differently. Where the deltas are not known
 * any more, the last word goes, and is written again.
 * @param content - The partial as the person saw it.
 * @param deltaEnds - Where deltas ended in it, ascending, in UTF-16 units; undefined when not known.
 * @returns Its length, UTF-16 units.
 * @public
 */
export function continuationPoint(content: string, deltaEnds: readonly number[] | undefined): number {
  const text = content.trimEnd()
  if (deltaEnds === undefined) {
    const before = text.replace(wordEnd, '').trimEnd()
    return before === '' ? text.length : before.length
  }
  for (let i = deltaEnds.length - 1; i >= 0; i--) {
    const end = deltaEnds[i]!
    if (end <= text.length && content.slice(0, end).trimEnd().length === end) return end
  }
  return 0
}
