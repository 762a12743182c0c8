interface Block {
  readonly type: string
  readonly text?: unknown
  readonly id?: unknown
  readonly name?: unknown
  readonly input?: unknown
  readonly tool_use_id?: unknown
  readonly content?: unknown
}
interface Message {
  readonly role: string
  readonly content: string | readonly Block[]
}

const isBlank = (value: unknown): boolean => typeof value !== 'string' || value.trim() === ''
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const blocksOf = ({ content }: Message): readonly Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content

/**
 * What Anthropic's Messages API answers with 400, each breach by name: written from its documents and its error texts, and
 * without any of the code under test.
 */
export function anthropicBreaches(json: string): string[] {
  const body = JSON.parse(json) as {
    readonly model?: unknown
    readonly max_tokens?: unknown
    readonly system?: unknown
    readonly thinking?: { readonly type: string; readonly budget_tokens?: number }
    readonly tools?: readonly { readonly name: string; readonly input_schema?: unknown }[]
    readonly messages: readonly Message[]
  }
  const found: string[] = []
  if (isBlank(body.model)) found.push('model: missing')
  if (!Number.isSafeInteger(body.max_tokens) || Number(body.max_tokens) < 1) found.push('max_tokens: no number')
  if ('system' in body && isBlank(body.system)) found.push('system: blank')
  found.push(...thinkingBreaches(body), ...orderBreaches(body.messages), ...toolBreaches(body.messages))
  for (const [i, message] of body.messages.entries()) {
    const own = message.role === 'user' ? 'tool_result' : 'tool_use'
    if (Object.keys(message).sort().join() !== 'content,role') found.push(`${i}: keys nobody knows`)
    if (blocksOf(message).length === 0) found.push(`${i}: empty`)
    for (const block of blocksOf(message)) {
      if (block.type === 'text' ? isBlank(block.text) : block.type !== own) found.push(`${i}: a bad ${block.type}`)
      if (block.type === 'tool_result' && 'content' in block && isBlank(block.content)) found.push(`${i}: blank result`)
    }
  }
  const calls = body.messages.some((message) => blocksOf(message).some(({ type }) => type.startsWith('tool_')))
  if (calls && !body.tools?.length) found.push('tools: none are declared')
  for (const { name, input_schema: schema } of body.tools ?? []) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name) || !isObject(schema)) found.push(`tools: ${name}`)
  }
  return found
}

/** A request that ends with the assistant is a prefill, which has rules of its own. */
function orderBreaches(messages: readonly Message[]): string[] {
  const found: string[] = []
  if (messages[0]?.role !== 'user') found.push('0: the first message is not of the user')
  for (const [i, { role }] of messages.entries()) {
    if (role !== 'user' && role !== 'assistant') found.push(`${i}: role ${role}`)
    if (messages[i - 1]?.role === role) found.push(`${i}: two neighbours are ${role}`)
  }
  const last = messages.at(-1)
  const end = last?.role === 'assistant' ? blocksOf(last).at(-1) : undefined
  if (end && (end.type !== 'text' || /\s$/.test(String(end.text)))) found.push('end: white space, or no text')
  return found
}

function toolBreaches(messages: readonly Message[]): string[] {
  const found: string[] = []
  const seen = new Set<unknown>()
  for (const [i, message] of messages.entries()) {
    const uses = blocksOf(message).filter(({ type }) => type === 'tool_use')
    for (const { id, name, input } of uses) {
      if (typeof id !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(id) || seen.has(id))
        found.push(`${i}: the id ${String(id)}`)
      if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) found.push(`${i}: the name ${String(name)}`)
      if (!isObject(input)) found.push(`${i}: input is no object`)
      seen.add(id)
    }
    const next = messages[i + 1]
    const begin = next ? blocksOf(next).slice(0, uses.length) : []
    const answered = begin.filter(({ type }) => type === 'tool_result').map(({ tool_use_id: id }) => id)
    const wanted = uses.map(({ id }) => id)
    if (answered.toSorted().join() !== wanted.toSorted().join()) found.push(`${i}: calls without results behind them`)
    const results = blocksOf(message).filter(({ type }) => type === 'tool_result').length
    const before = messages[i - 1] ? blocksOf(messages[i - 1]!).filter(({ type }) => type === 'tool_use').length : 0
    if (message.role === 'user' && results !== before) found.push(`${i}: results without calls`)
  }
  return found
}

function thinkingBreaches(body: {
  readonly max_tokens?: unknown
  readonly thinking?: { readonly type: string; readonly budget_tokens?: number }
  readonly messages: readonly Message[]
}): string[] {
  const { thinking, messages } = body
  if (!thinking || thinking.type === 'disabled') return []
  const last = messages.at(-1)
  const found = last?.role === 'assistant' ? ['thinking: with a prefill'] : []
  if (thinking.type !== 'enabled') return found
  const budget = Number(thinking.budget_tokens)
  if (!Number.isSafeInteger(budget) || budget < 1_024 || budget >= Number(body.max_tokens))
    found.push('thinking: budget')
  // The turn of a tool has to begin with signed thinking, and no history has that.
  if (last && blocksOf(last)[0]?.type === 'tool_result') found.push('thinking: in the middle of a turn')
  return found
}
