import { Lexer } from 'marked'

/** A link or footnote that is defined in one block and used in another: such a text has to stay whole. */
const definition = /^ {0,3}\[[^\]]+\]:/m

/** Blank lines. Whatever stands before them, what comes after begins anew. */
const blankLines = /\n[ \t]*\n[ \t\n]*$/

/**
 * Makes a function that splits a growing Markdown text where a blank line stands between two top-level blocks. It
 * remembers the last text: of one that has only grown, just the end is looked at again. Joined, the parts are the text
 * (with LF as its line end).
 */
export function createBlockSplitter(): (text: string) => readonly string[] {
  let last = ''
  let blocks: readonly string[] = []

  return (given) => {
    const text = given.replace(/\r\n?/g, '\n')
    if (text === last) return blocks
    if (definition.test(text)) blocks = [text]
    else {
      // The last block may still grow, and so may the one before it: an indented line can turn out to be a list's.
      const kept = text.startsWith(last) ? blocks.slice(0, Math.max(0, blocks.length - 2)) : []
      const tail = text.slice(kept.reduce((length, block) => length + block.length, 0))
      blocks = [...kept, ...lexBlocks(tail)]
    }
    last = text
    return blocks
  }
}

function lexBlocks(text: string): string[] {
  const blocks: string[] = []
  let end = 0
  for (const { raw } of new Lexer().blockTokens(text)) {
    // From the text itself: the lexer turns a space at the end of a list into a line end.
    const block = text.slice(end, (end += raw.length))
    const before = blocks.pop()
    if (before === undefined) blocks.push(block)
    else if (block.trim() === '' || !blankLines.test(before)) blocks.push(before + block)
    else blocks.push(before, block)
  }
  return blocks
}
