import { linesOf } from './lines.ts'

/** A link or footnote that is defined in one block and used in another: such a text has to stay whole. */
const definition = /^ {0,3}\[[^\]\n]{1,999}\]:/m

/** Longer texts are split nonetheless, and links to what another block defines stay as they are written. */
const maxWholeChars = 20_000

const listItem = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)/

/**
 * Makes a function that splits a growing Markdown text where a blank line stands between two top-level blocks, in linear
 * time. It remembers the last text: of one that has only grown, just the end is looked at again. Joined, the parts are
 * the text (with LF as its line end).
 */
export function createBlockSplitter(): (text: string) => readonly string[] {
  let last = ''
  let blocks: readonly string[] = []

  return (given) => {
    const text = given.replace(/\r\n?/g, '\n')
    if (text === last) return blocks
    if (text.length <= maxWholeChars && definition.test(text)) blocks = [text]
    else {
      // The last block may still grow, and so may the one before it: what follows can turn out to be a list's.
      const kept = text.startsWith(last) ? blocks.slice(0, Math.max(0, blocks.length - 2)) : []
      const length = kept.reduce((sum, block) => sum + block.length, 0)
      blocks = [...kept, ...splitBlocks(text, length)]
    }
    last = text
    return blocks
  }
}

/** Splits less than could be split: what is indented, or an item, may belong to a list that stands before. */
function splitBlocks(text: string, from: number): string[] {
  const blocks: string[] = []
  let start = from
  let lastEnd = from
  let hasText = false
  let hasItem = false
  let isAfterBlank = false
  for (const { text: line, end, isInside } of linesOf(text, from)) {
    const isBlank = !isInside && /^[ \t]*$/.test(line)
    const isItem = !isInside && listItem.test(line)
    if (isAfterBlank && hasText && !isInside && /^[^ \t]/.test(line) && !(isItem && hasItem)) {
      blocks.push(text.slice(start, lastEnd))
      start = lastEnd
      hasItem = false
    }
    hasText ||= !isBlank
    hasItem ||= isItem
    isAfterBlank = isBlank
    lastEnd = end
  }
  if (start < text.length) blocks.push(text.slice(start))
  return blocks
}
