import type { Passage } from '../search/passage.ts'
import { goodEnd } from '../search/split-document.ts'
import { cleanText } from './clean-text.ts'

/** A passage as it goes up and as the page shows it: the same text in both. */
export interface Source {
  /** What an answer calls it, as in `[1]`. */
  readonly number: number
  readonly id: string
  readonly title: string
  readonly file: string
  /** First and last line in the file. */
  readonly from: number
  readonly to: number
  readonly passage: string
}

/** Less than this of a passage says too little, UTF-16 units. */
const leastChars = 200

/** Takes the best passages that fit into `maxChars` UTF-16 units of text together; the one that goes over is cut, if enough is left. */
export function choosePassages(passages: readonly Passage[], maxChars: number): Source[] {
  const sources: Source[] = []
  let left = maxChars
  for (const { id, title, file, from, to, text } of passages) {
    const whole = cleanText(text).trim()
    const passage = whole.length <= left ? whole : cutTo(whole, left)
    if (passage === '') continue
    left -= passage.length
    // A file's name and a heading are the words of whoever wrote them, too.
    const line = (words: string): string =>
      cleanText(words)
        .replaceAll(/[\s"]+/g, ' ')
        .trim()
        .slice(0, 200)
    sources.push({ number: sources.length + 1, id: line(id), title: line(title), file: line(file), from, to, passage })
  }
  return sources
}

function cutTo(text: string, room: number): string {
  if (room < leastChars) return ''
  const cut = text.slice(0, room - 2)
  return `${cut.slice(0, goodEnd(cut)).trimEnd()} …`
}
