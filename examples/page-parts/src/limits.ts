/**
 * What of one block, and of one text, is parsed as Markdown; the rest is shown as it is written. The parser's time grows with
 * the square or the cube of some of these, and its recursion with the depth.
 */
export interface Limits {
  /** Characters of a block, outside of fences. */
  readonly chars: number
  /** Characters of a block, fences included. */
  readonly codeChars: number
  /** Lines of a block, outside of fences. */
  readonly lines: number
  /** Quotes and list items that begin one in another. */
  readonly depth: number
  /** Characters that may be marks, in one paragraph. */
  readonly marks: number
  /** Cells of tables, those that a short row leaves out included. */
  readonly cells: number
  /** The sum over the paragraphs of a block: characters times marks. */
  readonly work: number
}

/** Of a block. An answer's longest list or table is a tenth of it. */
export const blockLimits: Limits = Object.freeze({
  chars: 20_000,
  codeChars: 100_000,
  lines: 500,
  depth: 24,
  marks: 1_000,
  cells: 5_000,
  work: 4_000_000,
})

/** Of all blocks of a text together: characters, and work. */
export const textLimits: Readonly<Pick<Limits, 'codeChars' | 'work'>> = Object.freeze({
  codeChars: 400_000,
  work: 16_000_000,
})
