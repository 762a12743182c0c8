import { ChatError } from './errors.ts'

/** How deep the JSON of a request may nest, levels. What a model may send fits into it, with the message around it. */
export const maxRequestDepth = 128
/** How deep what a model server sends may nest, levels. */
export const maxReplyDepth = 100

/**
 * Whether JSON nests deeper than so many levels: told by its text, before anything walks over it by recursion, as
 * `JSON.stringify` does, which then throws.
 */
export function isDeeper(json: string, levels: number): boolean {
  if (!hasOpenings(json, levels)) return false
  let depth = 0
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === 0x22) i = endOfString(json, i)
    else if (code === 0x7b || code === 0x5b) {
      depth += 1
      if (depth > levels) return true
    } else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return false
}

/** Whether more brackets open than so many, in strings or out of them: most JSON has few, and they are soon counted. */
function hasOpenings(json: string, levels: number): boolean {
  // Each level takes two characters, at least.
  if (json.length <= levels * 2) return false
  let left = levels
  for (const opening of ['{', '[']) {
    for (let at = json.indexOf(opening); at >= 0; at = json.indexOf(opening, at + 1)) if (--left < 0) return true
  }
  return false
}

/** The index of the quote that ends the string which begins at another one; the text's end, where none does. */
function endOfString(json: string, from: number): number {
  for (let i = from + 1; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === 0x5c) i += 1
    else if (code === 0x22) return i
  }
  return json.length
}

/**
 * A bound of the run: no other server is asked, and none is blamed, as a request can bring a model to it.
 * @param json - What came of it.
 */
export function replyTooDeep(json?: string): ChatError {
  const message = `What the model server sent nests deeper than ${maxReplyDepth} levels.`
  return new ChatError('overflow', message, { cause: json?.slice(0, 200) })
}
