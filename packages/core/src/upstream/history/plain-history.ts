import type { ChatTurn } from '../../wire/messages.ts'
import { missingQuestion } from './history.ts'

/**
 * Sentences by which templates and servers say that they take no system message, not there, or no reply before a question. A
 * template that knows two roles says of a system message that the roles do not alternate. All were seen in the wild.
 */
const refusals: readonly RegExp[] = [
  /(?:system|developer) (?:role|message|prompt|instruction)s?\b[^{}]{0,40}(?:\bnot\b|n't|\bun)[^{}]{0,20}(?:support|allow|enabl|permit|accept|avail)/i,
  /(?:not|n't|un)\s?(?:support|allow|accept|permit)(?:ed)?[^{}]{0,20}(?:\brole\b[^{}]{0,10})?\bsystem\b/i,
  /(?:role|value)s?:?\s*\\?["'`]?system\\?["'`]?[^{}]{0,20}(?:\bnot\b|n't|\bun|supported values)/i,
  // MiniMax, Mistral, Gemini.
  /(?:invalid|un(?:expected|known|supported|recogni[sz]ed)|illegal|wrong)(?: message)? role\b[^{}]{0,12}\b(?:system|developer)\b/i,
  /unexpected role[^{}]{0,30} after (?:role\W{0,4})?system/i,
  /use a valid role\b[^{}]{0,20}\buser, ?model/i,
  /multi-?turn requests? (?:must )?alternate/i,
  // One, and in front.
  /(?:\bsystem (?:role|message|prompt|instruction)s?|["'`]system["'`](?: role| message)?) (?:must|should|can|may|has to|have to|is|are)\b[^{}]{0,30}\b(?:beginning|start|first|once|index 0)/i,
  /(?:only|more than|at most|exceeds?) (?:one|1|a single) system|multiple system (?:message|prompt|role)|first message (?:can|may|must|should) be[^{}]{0,12} system/i,
  /only user(?:,| and|\/) ?assistant(?: and \w+)? roles/i,
  /role\w{0,2} (?:must|should|can only) be[^{}]{0,20}\buser\b\W{0,4}(?:or|and|,|\/)?\W{0,4}(?:assistant|model)(?![^{}]{0,30}system)/i,
  /(?:roles|messages|turns) (?:must|should|need to|have to) alternate|alternat(?:e|ing) between|alternating (?:user|roles)/i,
  /(?:conversation|messages|history|chat) (?:must|should|has to|have to) (?:start|begin) with (?:a |the )?\W{0,3}user|first (?:message|turn|role) (?:must|should|has to) (?:be|have|use|come)[^{}]{0,20}user/i,
  // Validators that name the role which they do not know.
  /unknown variant\W{1,4}(?:system|developer)\b/i,
  /["'`](?:system|developer)\\?["'`] is not (?:one of|an? |in )/i,
  /\b(?:received|got|found|given)\W{1,4}(?:system|developer)\b/i,
  /(?:can(?:no|')?t|can not|does(?:n't| not)|do(?:n't| not)|won't|unable to|never)\s(?:handle|take|use|accept|support|process|have|allow|know|work with)s?\b[^{}]{0,20}\bsystem\W{1,3}(?:role|message|prompt|instruction)/i,
  /\bno (?:system|developer) (?:role|message|prompt|instruction)s?\b/i,
  /不支持.{0,12}(?:system|系统)|(?:system|系统)(?:角色|消息|提示词?)?.{0,8}(?:不支持|必须(?:在|是)?.{0,6}(?:第一|首|开头|最前))/i,
]

/** How much of a server's words is looked at, UTF-16 code units: bodies repeat what they were sent. */
const maxSaid = 8_192

/** Whether a server's words mean that its template does not take the roles of a history. */
export function refusesRoles(said: string): boolean {
  const brief = said.slice(0, maxSaid)
  return refusals.some((words) => words.test(brief)) || listsRoles(brief)
}

const list = /\b(?:expected|should be|must be|can only be|one of|allowed|accepted|supported|only)\b([^{}]{0,80})/gi

/** Validators list the roles that they know. */
function listsRoles(said: string): boolean {
  return [...said.matchAll(list)].some(([, words = '']) => {
    const [roles = ''] = words.split(/\b(?:received|got|found|input|type)\b/i)
    return /\buser\b\W{1,8}(?:(?:or|and)\W{1,3})?(?:assistant|model)\b/i.test(roles) && !/system|developer/i.test(roles)
  })
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
