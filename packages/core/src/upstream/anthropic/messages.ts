import type { ToolCall } from '../../wire/events.ts'
import type { ChatTurn } from '../../wire/messages.ts'
import type { Json } from '../../wire/json.ts'
import { missingQuestion, missingRequest, normaliseHistory } from '../history/history.ts'

/** A history in the API's words. */
export interface AnthropicHistory {
  /** What the system messages say; empty for none. */
  readonly system: string
  readonly messages: readonly AnthropicMessage[]
}
interface AnthropicMessage {
  readonly role: 'user' | 'assistant'
  readonly content: readonly Json[]
}

/**
 * Makes any history valid for Anthropic's Messages API (docs/design.md rule 5), over and above what every server asks:
 * the system is no message, the user begins and ends, no text is blank, and the results of tools are the beginning of the
 * user's next turn. Never changes what a person saw.
 * @param note - Said after an interrupted reply; null says nothing.
 * @param prefill - Beginning of the reply, which is then the last message; without white space at its end. Empty for none.
 */
export function anthropicMessages(messages: readonly ChatTurn[], note: string | null, prefill = ''): AnthropicHistory {
  // Before neighbours are merged, so that what was on both sides of these becomes one.
  const spoken = messages
    .filter(({ role, content }) => role !== 'system' && (role !== 'user' || content.trim() !== ''))
    .map((turn) => (turn.content.trim() === '' ? Object.assign({}, turn, { content: '' }) : turn))
  const begun: ChatTurn[] = prefill === '' ? [] : [{ role: 'assistant', content: prefill }]
  const turns = withCleanIds(normaliseHistory([...spoken, ...begun], note))
  const written: { role: 'user' | 'assistant'; content: Json[] }[] = []
  for (const turn of turns) {
    const role = turn.role === 'assistant' ? 'assistant' : 'user'
    if (written.at(-1)?.role !== role) written.push({ role, content: [] })
    const { content } = written.at(-1)!
    // Not by spreading: there may be more of them than a function may have arguments.
    for (const block of blocks(turn)) content.push(block)
  }
  if (written[0]?.role !== 'user') written.unshift(asked(missingQuestion))
  if (prefill === '' && written.at(-1)!.role === 'assistant') written.push(asked(missingRequest))
  return {
    system: messages
      .filter(({ role, content }) => role === 'system' && content.trim() !== '')
      .map(({ content }) => content)
      .join('\n\n'),
    messages: written,
  }
}

function asked(text: string): { role: 'user'; content: Json[] } {
  return { role: 'user', content: [{ type: 'text', text }] }
}

function blocks({ role, content, tool_calls: calls = [], tool_call_id: id }: ChatTurn): Json[] {
  if (role === 'tool') return [{ type: 'tool_result', tool_use_id: id, ...(content === '' ? {} : { content }) }]
  return [
    ...(content === '' ? [] : [{ type: 'text', text: content }]),
    ...calls.map(({ id, name, arguments: input }) => ({
      type: 'tool_use',
      id,
      name,
      input,
    })),
  ]
}

/** Names and ids of other servers may have characters that this one refuses (`functions.now:0`). */
function cleaned(name: string): string {
  return name.replace(/[^\w-]/g, '_') || 'call'
}

/** Different ids stay different. */
function withCleanIds(turns: readonly ChatTurn[]): ChatTurn[] {
  const ids = turns.flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id))
  const taken = new Set(ids.filter(isClean))
  const clean = new Map<string, string>()
  /** How many were tried of those that would become one: each number once, however many there are. */
  const tried = new Map<string, number>()
  for (const id of ids) {
    const base = cleaned(id)
    let made = base
    while (made !== id && taken.has(made)) {
      const number = (tried.get(base) ?? 1) + 1
      tried.set(base, number)
      made = `${base}_${number}`
    }
    taken.add(made)
    clean.set(id, made)
  }
  const renamed = (call: ToolCall): ToolCall => ({ ...call, id: clean.get(call.id)! })
  return turns.map((turn) => ({
    ...turn,
    ...(turn.tool_calls && { tool_calls: turn.tool_calls.map(renamed) }),
    ...(turn.tool_call_id !== undefined && { tool_call_id: clean.get(turn.tool_call_id)! }),
  }))
}

function isClean(id: string): boolean {
  return /^[\w-]+$/.test(id)
}
