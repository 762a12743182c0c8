import type { Limits } from './limits.ts'
import { heading, linesOf } from './lines.ts'

/** What a block would cost a Markdown parser, told from above. */
export type Size = { -readonly [Name in keyof Limits]: Limits[Name] }

/** A quote's mark, or an item's, where one can stand. */
const container = /^[ \t]*(?:(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$))[ \t]*)*/
const containerMark = />|[-+*]|\d+[.)]/g
/** All that the inline rules try something at. A line end is one: a line may underline a heading, or go on with one. */
const mark = /[*_~`[\]<!&|\\]/g
const tableRow = /^ {0,3}\|/
/** With a pipe: the row that makes the line before it a table's head. */
const delimiterRow = /^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/

/** Measures a block in linear time, before a parser sees it. Where it cannot be told cheaply, more is said. */
export function measure(block: string): Size {
  const size: Size = { chars: 0, codeChars: block.length, lines: 0, depth: 0, marks: 0, cells: 0, work: 0 }
  const open: Item[] = []
  let paragraph = { chars: 0, marks: 0, lines: 0, first: '' }
  let columns = 0
  let isTable = false
  let isQuoted = false

  const endParagraph = (): void => {
    size.marks = Math.max(size.marks, paragraph.marks)
    size.work += paragraph.chars * paragraph.marks
    paragraph = { chars: 0, marks: 0, lines: 0, first: '' }
  }
  for (const { text, isCode } of linesOf(block)) {
    if (isCode) continue
    size.chars += text.length + 1
    size.lines += 1
    const prefix = container.exec(text)?.[0] ?? ''
    const containers = count(prefix, containerMark)
    if (containers > 0)
      size.depth = Math.max(
        size.depth,
        containers + Math.max(0, Math.floor((count(prefix, /[ \t]/g) - containers) / 2)),
      )
    isQuoted ||= prefix.includes('>')

    const isBlank = prefix.length === text.length && containers === 0
    isTable &&= tableRow.test(text)
    if (isBlank || isTable || heading.test(text) || (!isQuoted && beginsItem(text, open))) endParagraph()
    if (text.includes('|') && delimiterRow.test(text)) {
      columns = Math.max(columns, cellsOf(text))
      isTable = !isQuoted && paragraph.lines === 1 && !text.includes('\\') && isHead(paragraph.first, text)
    }
    size.cells += columns
    if (paragraph.lines === 0) paragraph.first = text
    paragraph.chars += text.length + 1
    paragraph.marks += count(text, mark) + 1
    paragraph.lines += 1
  }
  endParagraph()
  return size
}

/** An open list item: where its text begins, and which list it is of. */
interface Item {
  readonly offset: number
  readonly list: string
}

/**
 * Whether a line begins a list item for certain: behind four blanks more than its list's text it goes on with a paragraph, and
 * so does a number other than 1 that no list is counting.
 * @param open - The open items; changed.
 */
function beginsItem(line: string, open: Item[]): boolean {
  const [found, blanks = '', sign = '', gap = ''] = /^( *)([-+*]|\d{1,9}[.)])( +)(?=\S)/.exec(line) ?? []
  if (found === undefined) return false
  const list = sign.slice(-1)
  let sibling: Item | undefined
  while (open.length > 0 && open.at(-1)!.offset > blanks.length) sibling = open.pop()
  const isIn = blanks.length - (open.at(-1)?.offset ?? 0) <= 3
  if (!isIn || (/^\d/.test(sign) && Number.parseInt(sign, 10) !== 1 && sibling?.list !== list)) return false
  open.push({ offset: blanks.length + sign.length + (gap.length > 4 ? 1 : gap.length), list })
  return true
}

const isHead = (head: string, delimiters: string): boolean =>
  tableRow.test(head) && !head.includes('\\') && cellsOf(head) === cellsOf(delimiters)

function cellsOf(row: string): number {
  return row.trim().replace(/^\|/, '').replace(/\|$/, '').split('|').length
}

function count(text: string, pattern: RegExp): number {
  let found = 0
  pattern.lastIndex = 0
  while (pattern.test(text)) found += 1
  return found
}
