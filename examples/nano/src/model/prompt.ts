import { tokenIds } from './encoder.ts'

/** One message of a conversation. Only `user` and `assistant` reach the model; it was trained without other roles. */
export interface Message {
  readonly role: string
  readonly content: string
}

/** What may be only the beginning of a token at the end of a cut text. */
const wordEnd = /(?: ?\*{1,2}|\n{1,2}|`{1,3}| ?[A-Za-z]*)$/

/**
 * Turns messages into the tokens of a prompt. A trailing assistant message is left open, to be continued. There is no
 * end token in the history, so an interrupted answer stands there just like a complete one.
 */
function encodePrompt(encode: (text: string) => number[], messages: readonly Message[]): number[] {
  const ids: number[] = [tokenIds.start]
  for (const { role, content } of messages) {
    if (role === 'user') ids.push(tokenIds.user, ...encode(content))
    else if (role === 'assistant') ids.push(tokenIds.assistant, ...encode(content))
  }
  if (messages.at(-1)?.role !== 'assistant') ids.push(tokenIds.assistant)
  return ids
}

/** The prompt for people to read, with its tokens for a start and for roles by name. */
export function renderPrompt(messages: readonly Message[]): string {
  const spoken = messages.filter(({ role }) => role === 'user' || role === 'assistant')
  const open = messages.at(-1)?.role === 'assistant' ? '' : '<assistant>'
  return `<start>${spoken.map(({ role, content }) => `<${role}>${content}`).join('')}${open}`
}

/** Encodes messages into at most `room` tokens: the oldest messages go first, then the oldest tokens. */
export function fitPrompt(encode: (text: string) => number[], messages: readonly Message[], room: number): number[] {
  let kept = messages
  let ids = encodePrompt(encode, kept)
  while (ids.length > room && kept.length > 1) {
    kept = kept.slice(1)
    ids = encodePrompt(encode, kept)
  }
  return ids.length > room ? ids.slice(-room) : ids
}

/**
 * Takes the last word of a trailing assistant message back: the message may be cut inside a word, where its tokens are
 * not the usual ones. The model writes the `owed` text again before anything new.
 */
export function takeLastWord(messages: readonly Message[]): { messages: readonly Message[]; owed: string } {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return { messages, owed: '' }
  const owed = wordEnd.exec(last.content)?.[0] ?? ''
  const content = last.content.slice(0, last.content.length - owed.length)
  return { messages: [...messages.slice(0, -1), { ...last, content }], owed }
}
