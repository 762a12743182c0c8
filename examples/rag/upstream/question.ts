import type { ChatTurn } from '@midstream/core'
import type { Question } from '../search/passage.ts'

/** A question with fewer letters and digits may mean nothing without the one before it. Chinese says twice as much in one. */
const shortChars = 40
const weightOf = (text: string): number =>
  (text.match(/[\p{L}\p{N}]/gu)?.length ?? 0) + (text.match(/\p{sc=Han}/gu)?.length ?? 0)

/**
 * What to look for: what the person said last, and, where that is short ("And for part-timers?"), what was said before it.
 * @returns Undefined when no person has said anything.
 */
export function questionOf(messages: readonly ChatTurn[]): Question | undefined {
  const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content)
  const text = said.at(-1)
  if (text === undefined) return undefined
  return weightOf(text) < shortChars ? { text, context: said.at(-2) } : { text }
}
