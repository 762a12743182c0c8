import type { ToolCall } from '../../wire/events.ts'
import type { ChatTurn } from '../../wire/messages.ts'

/** The longest id of a call that OpenAI takes, characters. */
export const maxIdChars = 40
/**
 * Ids of calls that are longer than a server takes become short ones, the same in a call and in its result. Different ids stay
 * different.
 */
export function withShortIds(turns: readonly ChatTurn[], maxChars: number): ChatTurn[] {
  const ids = turns.flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id))
  if (ids.every(({ length }) => length <= maxChars)) return [...turns]
  const taken = new Set(ids.filter(({ length }) => length <= maxChars))
  const short = new Map<string, string>()
  let number = 0
  for (const id of ids) {
    if (id.length <= maxChars || short.has(id)) continue
    const base = id.slice(0, maxChars - 12)
    let made: string
    do made = `${base}_${(number++).toString(36)}`
    while (taken.has(made))
    taken.add(made)
    short.set(id, made)
  }
  const renamed = (call: ToolCall): ToolCall => ({ ...call, id: short.get(call.id) ?? call.id })
  return turns.map((turn) => ({
    ...turn,
    ...(turn.tool_calls && { tool_calls: turn.tool_calls.map(renamed) }),
    ...(turn.tool_call_id !== undefined && { tool_call_id: short.get(turn.tool_call_id) ?? turn.tool_call_id }),
  }))
}
