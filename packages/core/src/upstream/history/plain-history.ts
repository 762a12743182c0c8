import type { ChatTurn } from '../../wire/messages.ts'
import { missingQuestion } from './history.ts'

/**
 * Sentences by which templates and servers say that they take no system message, not there, or no reply before a question. A
 * template that knows two roles says of a system message that the roles do not alternate. All were seen in the wild.
 */
const refusals: readonly RegExp[] = [
  /(?:system|developer) (?:role|message|prompt|instruction)s?\b[^{}]{0,40}(?:\bnot\b|n't|\bun)[^{}]{0,20}(?:support|allow|enabl|permit|accept)/i,
  /(?:not|n't|un)\s?support(?:ed)?[^{}]{0,20}(?:\brole\b[^{}]{0,10})?\bsystem\b/i,
  /(?:role|value)s?:?\s*\\?["'`]?system\\?["'`]?[^{}]{0,20}(?:\bnot\b|n't|\bun|supported values)/i,
  /system message must be (?:at the beginning|the first|first)/i,
  /only user(?:,| and|\/) ?assistant(?: and \w+)? roles/i,
  /roles must alternate/i,
  /conversation must (?:start|begin) with a user|first message must (?:be|have)[^{}]{0,20}user/i,
]

/** How much of a server's words is looked at, UTF-16 code units: bodies repeat what they were sent. */
const maxSaid = 8_192

/** Whether a server's words mean that its template does not take the roles of a history. */
export function refusesRoles(said: string): boolean {
  const brief = said.slice(0, maxSaid)
  return refusals.some((words) => words.test(brief))
}

/**
 * The same history for a template that knows users and assistants only: what the system messages say stands in front of the
 * first question, and a question comes first.
 * @returns The very list where nothing is to be changed.
 */
export function plainHistory(messages: readonly ChatTurn[]): readonly ChatTurn[] {
  const isSystem = ({ role }: ChatTurn): boolean => role === 'system'
  const [first, ...rest] = messages.filter((message) => !isSystem(message))
  const system = messages.filter(isSystem).map(({ content }) => content)
  if (system.length === 0 && first?.role === 'user') return messages
  const said = system.filter((content) => content.trim() !== '')
  if (first?.role === 'user') return [{ ...first, content: [...said, first.content].join('\n\n') }, ...rest]
  const question: ChatTurn = { role: 'user', content: said.join('\n\n') || missingQuestion }
  return [question, ...(first ? [first, ...rest] : [])]
}
