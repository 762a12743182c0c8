import type { ToolCall } from '../../wire/events.ts'
import type { ChatTurn } from '../../wire/messages.ts'
import type { HistoryNeeds } from './dialect.ts'
import { maxIdChars, withShortIds } from '../history/call-forms.ts'
import { opaqueFields } from '../reply/message-opaque.ts'
import { missingQuestion, normaliseHistory } from '../history/history.ts'
import type { Json } from '../../wire/json.ts'

/** Stands where a server wants a reply and there was none: between a tool's result and the user's next words. @public */
export const missingReply = '[no reply]'

/**
 * Makes any history valid for a server of OpenAI's kind, and writes it in its words. Each need is one step.
 * @param from - The server's id: what it attached to its calls goes back to it.
 */
export function openAiMessages(
  messages: readonly ChatTurn[],
  note: string | null,
  needs: HistoryNeeds,
  from?: string,
): Json[] {
  const ordered = needs.systemFirst ? systemFirst(messages) : messages
  const thinking = needs.thinkingOfTools === undefined ? 'drop' : 'keep'
  let turns = normaliseHistory(ordered, note, { thinking })
  if (needs.replyAfterTool) turns = replyAfterTool(turns)
  if (needs.userFirst) turns = userFirst(turns)
  turns = needs.callIdChars === undefined ? withShortIds(turns, maxIdChars) : shortCallIds(turns, needs.callIdChars)
  const written = turns.map((turn) => writtenTurn(turn, from))
  if (needs.thinkingOfTools === undefined) return written
  const thinkers = repliesWithTools(turns)
  // Also where there was none: what is missing is refused, what is empty is not.
  const thoughts = turns.map((turn) => (thinkers.has(turn) ? { [needs.thinkingOfTools!]: turn.thinking ?? '' } : {}))
  return written.map((message, i) => Object.assign({}, message, thoughts[i]))
}

/** Before neighbours are merged, so that what was on both sides of a system message becomes one. */
function systemFirst(messages: readonly ChatTurn[]): ChatTurn[] {
  const isSystem = ({ role }: ChatTurn): boolean => role === 'system'
  return [...messages.filter(isSystem), ...messages.filter((message) => !isSystem(message))]
}

function replyAfterTool(turns: readonly ChatTurn[]): ChatTurn[] {
  return turns.flatMap((turn, i) => {
    const next = turns[i + 1]
    const isBare = turn.role === 'tool' && next !== undefined && next.role !== 'tool' && next.role !== 'assistant'
    return isBare ? [turn, { role: 'assistant', content: missingReply }] : [turn]
  })
}

/** A greeting, or a reply whose question was left out: it stays, with something before it that it answers. */
function userFirst(turns: readonly ChatTurn[]): ChatTurn[] {
  const first = turns.findIndex(({ role }) => role !== 'system')
  if (turns[first]?.role !== 'assistant') return [...turns]
  return turns.toSpliced(first, 0, { role: 'user', content: missingQuestion })
}

/** Ids that are tried by their hash. */
const maxSalts = 9

/** Ids of other servers, after a change of the upstream, become short ones; the same id always the same, here and there. */
function shortCallIds(turns: readonly ChatTurn[], chars: number): ChatTurn[] {
  const isShort = (id: string): boolean => id.length === chars && /^[a-zA-Z0-9]+$/.test(id)
  const ids = turns.flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id))
  const taken = new Set(ids.filter((id) => isShort(id)))
  const short = new Map<string, string>()
  let counted = 0
  for (const id of ids) {
    let made = id
    const isFree = (): boolean => made === id || !taken.has(made)
    for (let salt = 0; salt < maxSalts && !(isShort(made) && isFree()); salt++) made = shortId(id, salt, chars)
    // Where hardly any are free they are counted, past the last of them if need be: a server that refuses is no endless loop.
    while (!isFree()) made = (counted++).toString(36).padStart(chars, '0')
    taken.add(made)
    short.set(id, made)
  }
  return turns.map((turn) => ({
    ...turn,
    ...(turn.tool_calls && { tool_calls: turn.tool_calls.map((call) => ({ ...call, id: short.get(call.id)! })) }),
    ...(turn.tool_call_id !== undefined && { tool_call_id: short.get(turn.tool_call_id)! }),
  }))
}

/** Two rounds of FNV-1a; a collision gets another salt. */
function shortId(id: string, salt: number, chars: number): string {
  const hash = (seed: number): string => {
    let sum = seed >>> 0
    for (let i = 0; i < id.length; i++) sum = Math.imul(sum ^ id.charCodeAt(i), 0x01000193) >>> 0
    return sum.toString(36)
  }
  return `${hash(0x811c9dc5 + salt)}${hash(0x5bd1e995 ^ salt)}`.padStart(chars, '0').slice(-chars)
}

/** Replies of every turn in which a tool was called, from one message of the user to the next. */
function repliesWithTools(turns: readonly ChatTurn[]): Set<ChatTurn> {
  const found = new Set<ChatTurn>()
  let replies: ChatTurn[] = []
  const close = (): void => {
    if (replies.some(({ tool_calls: calls }) => calls)) for (const reply of replies) found.add(reply)
    replies = []
  }
  for (const turn of turns) {
    if (turn.role === 'user') close()
    if (turn.role === 'assistant') replies.push(turn)
  }
  close()
  return found
}

/** OpenAI's words. Content is never null: some servers refuse that. */
function writtenTurn(
  { role, content, tool_calls: calls, tool_call_id: callId }: ChatTurn,
  from: string | undefined,
): Json {
  const kept = (calls ?? []).map(({ opaque }) => (opaque?.from === from ? opaqueFields(opaque?.message ?? {}) : {}))
  return {
    ...Object.fromEntries(kept.flatMap((fields) => Object.entries(fields))),
    role,
    content,
    ...(calls === undefined ? {} : { tool_calls: calls.map((call) => writtenCall(call, from)) }),
    ...(callId === undefined ? {} : { tool_call_id: callId }),
  }
}

function writtenCall({ id, name, arguments: args, opaque }: ToolCall, from: string | undefined): Json {
  const own = opaque?.from === from ? opaque : undefined
  const called = { ...own?.function, name, arguments: JSON.stringify(args) }
  return { ...own?.call, id, type: 'function', function: called }
}
