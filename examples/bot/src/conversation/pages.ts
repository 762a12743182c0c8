/** How many bytes a text is in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/**
 * Parts a text into pages, none of them too large. A page depends on nothing after it, so that the pages of a text that
 * grows stay what they were, but for the last.
 * @param maxBytes - UTF-8 bytes of a page, >= 4.
 * @returns At least one page; together they are the text.
 */
export function splitPages(text: string, maxBytes: number): readonly string[] {
  const pages: string[] = []
  let rest = text
  while (byteLength(rest) > maxBytes) {
    const head = cutBytes(rest, maxBytes)
    const page = head.slice(0, breakAt(head))
    pages.push(page)
    rest = rest.slice(page.length)
  }
  return [...pages, rest]
}

/** The longest start of a text that is not too large and cuts no character in two. */
export function cutBytes(text: string, maxBytes: number): string {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += byteLength(character)
    if (bytes > maxBytes) break
    end += character.length
  }
  return text.slice(0, end)
}

/** After a line or a sentence, where there is one in the second half. */
function breakAt(head: string): number {
  const half = head.length / 2
  const line = head.lastIndexOf('\n') + 1
  if (line > half) return line
  const sentence = Math.max(...['。', '！', '？', '. '].map((end) => head.lastIndexOf(end) + end.length))
  return sentence > half && sentence <= head.length ? sentence : head.length
}
