import type { ToolCall } from '../../wire/events.ts'
import { pairCalls } from './call-pairs.ts'
import type { ChatTurn } from '../../wire/messages.ts'

/** Said by a tool whose call has no result, since a person cut in before it had run. @public */
export const missingResult = '[no result: interrupted]'

/** Said by a tool whose call has no result, where nobody is known to have cut in. @public */
export const lostResult = '[no result]'

/** Said by the user where nobody asked anything after the last reply: without it, servers would go on with that reply. @public */
export const missingRequest = '[continue]'

/** Stands where a server wants the user to begin, and the assistant did. @public */
export const missingQuestion = '[start of conversation]'

/** Between two messages of one role that become one. */
const mergeGap = '\n\n'

/** @public */
export interface HistoryOptions {
  /** `keep`: replies that stay keep their thinking, for servers that want it back. @defaultValue 'drop' */
  readonly thinking?: 'drop' | 'keep' | undefined
}

/**
 * Makes any history valid for servers that follow OpenAI's roles, Ollama among them (docs/design.md rule 5). Never changes the
 * text a person saw; what it adds is only the note behind a reply that a person cut off (rule 4).
 *
 * - Replies without text and without calls are dropped, and so is all thinking: it is unsigned.
 * - A call without a result gets one; a result without a call is dropped; results follow their call directly. An id that comes
 *   again, as servers have them that count anew in each reply, becomes another one.
 * - Neighbours of one role are merged.
 *
 * @param note - Said after an interrupted reply; null says nothing.
 * @public
 */
export function normaliseHistory(
  messages: readonly ChatTurn[],
  note: string | null,
  { thinking = 'drop' }: HistoryOptions = {},
): ChatTurn[] {
  const paired = pairCalls(messages)
  const turns: Growing[] = []
  for (const [i, message] of messages.entries()) {
    if (message.role === 'tool') continue
    if (message.role !== 'assistant') {
      merge(turns, { role: message.role, content: message.content })
      continue
    }
    const pairs = paired[i]!
    if (message.content.trim() === '' && pairs.length === 0) continue
    const reply = assistant(
      message,
      pairs.map(({ call }) => call),
      note,
    )
    merge(turns, thinking === 'keep' && message.thinking ? { ...reply, thinking: message.thinking } : reply)
    const missing = message.interrupted === true ? missingResult : lostResult
    for (const { call, result = missing } of pairs) {
      const turn: ChatTurn = { role: 'tool', tool_call_id: call.id, content: result }
      turns.push({ turn, contents: [turn.content], thoughts: [] })
    }
  }
  return turns.map(grown)
}

/** A turn, and the texts of those that became it: joined once, as a text that grows by each of its neighbours is quadratic. */
interface Growing {
  turn: ChatTurn
  readonly contents: string[]
  readonly thoughts: string[]
}

function assistant(message: ChatTurn, calls: readonly ToolCall[], note: string | null): ChatTurn {
  const cut = message.interrupted === true && note !== null && message.content.trim() !== ''
  return {
    role: 'assistant',
    content: cut ? message.content + mergeGap + note : message.content,
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

/** Appends a turn, or grows the last one when it has the same role. */
function merge(turns: Growing[], turn: ChatTurn): void {
  let last = turns.at(-1)
  if (last?.turn.role === turn.role) last.turn = { ...last.turn, ...turn }
  else turns.push((last = { turn, contents: [], thoughts: [] }))
  last.contents.push(turn.content)
  if (turn.thinking !== undefined) last.thoughts.push(turn.thinking)
}

function grown({ turn, contents, thoughts }: Growing): ChatTurn {
  if (contents.length === 1) return turn
  const thinking = joined(thoughts)
  return { ...turn, content: joined(contents), ...(thinking === '' ? {} : { thinking }) }
}

function joined(texts: readonly string[]): string {
  return texts.filter(Boolean).join(mergeGap)
}
