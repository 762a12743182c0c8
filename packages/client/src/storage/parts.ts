import type { KeptChat } from '../state/kept-chat.ts'

/** The newest share of a conversation, in whole turns; at least the last one. */
export function newest(chat: KeptChat, share: number): KeptChat {
  const { messages } = chat
  const from = Math.floor(messages.length * (1 - share))
  const turn = messages.findIndex(({ role }, at) => at >= from && role === 'user')
  const last = messages.findLastIndex(({ role }) => role === 'user')
  const start = share === 1 ? 0 : Math.max(0, turn < 0 ? last : turn)
  if (start === 0) return chat
  const left = messages.slice(start)
  return { ...chat, messages: left, runs: chat.runs.filter((run) => left.some(({ id }) => id === run.before.id)) }
}

/** A conversation of which everything was taken away. */
export function emptied({ messages, removed, ...chat }: KeptChat): KeptChat {
  const gone = messages.map(({ id, version = 0 }) => [id, version] as const)
  return { ...chat, messages: [], runs: [], removed: [...removed, ...gone] }
}
