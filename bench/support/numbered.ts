/** The n-th token of a stream: no other stream has it, so text that is mixed up, lost or said twice shows. */
export function numberedToken(name: string, n: number): string {
  return ` ${name}:${n}`
}

/** How many tokens of the stream a text is, whole and in order; -1 when it is anything else. */
export function countTokens(name: string, text: string): number {
  let at = 0
  for (let n = 0; ; n++) {
    if (at === text.length) return n
    const token = numberedToken(name, n)
    if (!text.startsWith(token, at)) return -1
    at += token.length
  }
}

/** Whether a text is the beginning of the stream, cut anywhere. */
export function isBeginning(name: string, text: string): boolean {
  let at = 0
  for (let n = 0; at < text.length; n++) {
    const token = numberedToken(name, n)
    if (!token.startsWith(text.slice(at, at + token.length))) return false
    at += token.length
  }
  return true
}
