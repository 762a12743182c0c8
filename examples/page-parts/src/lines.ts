/** One line of a Markdown text, with its line end. */
export interface Line {
  /** Without the line end. */
  readonly text: string
  /** Where it ends in the whole text, line end included. */
  readonly end: number
  /** It lies in a fence or in HTML that goes on over blank lines. */
  readonly isInside: boolean
  /** It lies in a fence for certain: nothing in it is parsed. */
  readonly isCode: boolean
}

/** CommonMark's HTML blocks that a blank line does not end, and what does. @see https://spec.commonmark.org/0.31.2/#html-blocks */
const htmlBlocks: readonly (readonly [start: RegExp, end: RegExp])[] = [
  [/^ {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i],
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<![a-z]/i, />/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
]
/** Those that a blank line ends: a fence cannot begin in them. The second kind begins no line of a paragraph. */
const htmlOfBlock =
  /^ {0,3}<\/?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)(?:[ \t]|\/?>|$)/i
const htmlAlone = /^ {0,3}<\/?[a-z][^<>]*>[ \t]*$/i
const fence = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})/
const closingFence = /^ {0,3}(`{3,}|~{3,})[ \t]*$/
export const heading: RegExp = /^ {0,3}#{1,6}(?:[ \t]|$)/
const rule = /^( {0,3})([-*_])[ \t]*(?:\2[ \t]*){2,}$/
/** Ends a list that stands before it, without a blank line between them. */
const endsItem = /^( {0,3})(?:>|#{1,6}(?:[ \t]|$)|<)/
const item = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)[ \t]{0,4}/
/** An item that may stand behind a line of a paragraph, without a blank line between them. */
const interrupts = /^ {0,3}(?:[-+*]|0{0,8}1[.)])[ \t]+\S/

/**
 * Walks over the lines of a text that begins at the top level, in linear time.
 * @param from - Where to begin.
 */
export function* linesOf(text: string, from = 0): Generator<Line> {
  /** Set inside: whether a line is the last one. */
  let isLast: ((line: string) => boolean) | undefined
  let isCode = false
  /** Text of a list's item begins in this column. */
  let inItem = Infinity
  let wasBlank = true
  /** The line before is indented code, a heading or a rule, and no paragraph. */
  let wasOther = false
  let isHtml = false
  /** There was a tag, or a fence that may be an item's: where a fence begins and ends is a guess. */
  let isUnsure = false
  let isFenceOfItem = false
  for (let start = from, end; start < text.length; start = end) {
    end = text.indexOf('\n', start) + 1 || text.length
    const line = text.slice(start, text[end - 1] === '\n' ? end - 1 : end)
    // A line that stands before the text of an item ends it, and the fence in it.
    if (isFenceOfItem && /\S/.test(line) && /^ */.exec(line)![0].length < inItem && !/^ *\t/.test(line)) {
      isLast = undefined
      isFenceOfItem = false
      inItem = Infinity
    }
    if (isLast === undefined) {
      const mark: RegExpExecArray | null = isHtml ? null : fence.exec(line)
      // In HTML that a blank line ends no other HTML begins; an item's may have ended with its item.
      const mayBegin: boolean = mark === null && !(isHtml && inItem === Infinity)
      const html: (typeof htmlBlocks)[number] | undefined = mayBegin
        ? htmlBlocks.find(([begins]) => begins.test(line))
        : undefined
      isUnsure ||= /^(?: {0,3}<| {1,3}(?:```|~~~))/.test(line)
      isFenceOfItem = mark !== null && mark[1]!.length >= inItem
      if (mark !== null) {
        const opening = mark[2]!
        isLast = (other) => {
          const closing = closingFence.exec(other)?.[1] ?? ''
          return closing[0] === opening[0] && closing.length >= opening.length
        }
        isCode = !isUnsure
      } else if (html !== undefined && !html[1].test(line)) {
        isLast = (other) => html[1].test(other)
        isCode = false
      } else {
        const other = rule.exec(line) ?? endsItem.exec(line)
        const marked = item.exec(line)
        if (other !== null) {
          if (other[1]!.length < inItem) inItem = Infinity
        } else if (marked && (wasBlank || inItem < Infinity || interrupts.test(line))) inItem = marked[0].length
        else if (wasBlank && /^[^ \t]/.test(line)) inItem = Infinity
        isHtml ||= htmlOfBlock.test(line) || ((wasBlank || wasOther) && htmlAlone.test(line))
        wasOther = ((wasBlank || wasOther) && /^ {4}/.test(line)) || rule.test(line) || heading.test(line)
        wasBlank = /^[ \t]*$/.test(line)
        isHtml &&= !wasBlank
      }
      yield { text: line, end, isInside: false, isCode: false }
    } else {
      const ends = isLast(line)
      yield { text: line, end, isInside: true, isCode: isCode && !ends }
      if (ends) isLast = undefined
    }
  }
}
