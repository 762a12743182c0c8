import type { DialectName } from '../../src/upstream/openai/dialect.ts'

/** Servers by what they ask of a request: the dialects, and Ollama's own `/api/chat`. */
export type Kind = DialectName | 'ollama /api/chat'

/** One message as it travels. */
interface Message {
  readonly role: string
  readonly content: unknown
  readonly tool_calls?: readonly {
    readonly id: unknown
    readonly type?: unknown
    readonly function: { readonly name: unknown; readonly arguments: unknown }
  }[]
  readonly tool_call_id?: unknown
  readonly [field: string]: unknown
}
export interface Body {
  readonly messages: readonly Message[]
  readonly [field: string]: unknown
}

/** They render the model's own template, and many of those know one system message, at the start. */
const oneSystem: ReadonlySet<Kind> = new Set<Kind>(['llamacpp', 'vllm', 'sglang', 'lmstudio', 'dashscope', 'mistral'])
/** Of those, where models with `Conversation roles must alternate` run, Gemma's and Mistral's. */
const userFirst: ReadonlySet<Kind> = new Set<Kind>(['llamacpp', 'vllm', 'sglang', 'lmstudio', 'mistral'])

/**
 * What a last message of the assistant needs to be continued, as fields of the message and of the body; absent: it is never
 * continued, and so must never be last.
 */
const continued: Partial<Record<Kind, { readonly message?: object; readonly body?: Record<string, unknown> }>> = {
  llamacpp: { body: { continue_final_message: true, add_generation_prompt: false, ...noThinking() } },
  vllm: { body: { continue_final_message: true, add_generation_prompt: false, ...noThinking() } },
  // Without its field it silently makes the reply a message of the user.
  sglang: { body: { continue_final_message: true, ...noThinking() } },
  deepseek: { message: { prefix: true }, body: { thinking: { type: 'disabled' } } },
  dashscope: { message: { partial: true }, body: { enable_thinking: false } },
  mistral: { message: { prefix: true } },
  // Of Claude, to which it is passed on.
  openrouter: {},
  'ollama /api/chat': { body: { think: false } },
}
function noThinking(): Record<string, unknown> {
  return { chat_template_kwargs: { enable_thinking: false } }
}
/** Fields that ask for a continuation, of any server: one that is not meant goes on with the words of the user. */
const asking = ['continue_final_message', 'add_generation_prompt', 'prefix', 'partial']

/**
 * What this server would refuse of a request, or silently take for something else; each breach by name. Reads the JSON
 * that goes up, and knows nothing of how it was made.
 */
export function breaches(kind: Kind, body: Body, isContinuation: boolean): string[] {
  const { messages } = body
  if (messages.length === 0) return ['no message at all']
  return [
    ...messages.flatMap((message, i) => shapeBreaches(kind, message).map((breach) => `${i}: ${breach}`)),
    ...callBreaches(messages),
    ...orderBreaches(kind, messages),
    ...endBreaches(kind, body, isContinuation),
    ...(kind === 'mistral' ? mistralBreaches(messages) : []),
    ...(kind === 'deepseek' ? thinkingBreaches(messages) : []),
  ]
}

function shapeBreaches(kind: Kind, message: Message): string[] {
  const { role, content, tool_calls: calls } = message
  const known = ['role', 'content', 'tool_calls', 'tool_call_id', 'prefix', 'partial']
  if (kind === 'deepseek') known.push('reasoning_content')
  if (kind === 'ollama /api/chat') known.push('tool_name')
  const found = Object.keys(message)
    .filter((key) => !known.includes(key))
    .map((key) => `the key ${key}`)
  if (!['system', 'user', 'assistant', 'tool'].includes(role)) found.push(`the role ${role}`)
  // Ollama: `invalid message content type: <nil>`.
  if (typeof content !== 'string') found.push('content is no text')
  else if (role === 'assistant' && content.trim() === '' && !calls?.length) found.push('an empty reply')
  if (calls && (role !== 'assistant' || calls.length === 0)) found.push('calls where none can be')
  for (const { type, function: called } of calls ?? []) {
    const given = called.arguments
    const isText = typeof given === 'string'
    const args: unknown = isText ? JSON.parse(given) : given
    if (typeof args !== 'object' || args === null || Array.isArray(args)) found.push('arguments that are no object')
    if (isText === (kind === 'ollama /api/chat')) found.push('arguments in the words of another server')
    if (kind !== 'ollama /api/chat' && type !== 'function') found.push('a call without its type')
    if (typeof called.name !== 'string' || called.name === '') found.push('a call without a name')
  }
  if (role === 'tool' && kind === 'ollama /api/chat' && typeof message['tool_name'] !== 'string')
    found.push('a result without the name of its tool')
  return found
}

/** Every call has one result right behind it, and every result its call. */
function callBreaches(messages: readonly Message[]): string[] {
  const found: string[] = []
  const seen = new Set<unknown>()
  let open = new Set<unknown>()
  for (const [i, { role, tool_calls: calls = [], tool_call_id: id }] of messages.entries()) {
    if (role === 'tool') {
      if (!open.delete(id)) found.push(`${i}: a result without its call`)
      continue
    }
    if (id !== undefined) found.push(`${i}: a result that is none`)
    if (open.size > 0) found.push(`${i}: a call without its result`)
    open = new Set(calls.map((call) => call.id))
    for (const call of calls) {
      if (typeof call.id !== 'string' || call.id === '') found.push(`${i}: a call without an id`)
      if (seen.has(call.id)) found.push(`${i}: the call ${String(call.id)} twice`)
      seen.add(call.id)
    }
  }
  return open.size > 0 ? [...found, 'end: a call without its result'] : found
}

function orderBreaches(kind: Kind, messages: readonly Message[]): string[] {
  const found = messages.flatMap(({ role }, i) =>
    // llama.cpp: `Cannot have 2 or more assistant messages at the end of the list.`
    role !== 'tool' && role === messages[i - 1]?.role ? [`${i}: two ${role} in a row`] : [],
  )
  if (oneSystem.has(kind) && messages.some(({ role }, i) => role === 'system' && i > 0))
    found.push('System message must be at the beginning')
  const first = messages.find(({ role }) => role !== 'system')
  if (userFirst.has(kind) && first && first.role !== 'user') found.push('Conversation roles must alternate')
  return found
}

function endBreaches(kind: Kind, body: Body, isContinuation: boolean): string[] {
  const { messages, ...fields } = body
  const last = messages.at(-1)!
  const found = messages.slice(0, -1).flatMap((message, i) => {
    const asks = asking.filter((field) => field in message)
    return asks.map((field) => `${i}: ${field} before the end`)
  })
  const needs = isContinuation ? continued[kind] : undefined
  if (last.role === 'user' || last.role === 'tool' || (last.role === 'system' && !oneSystem.has(kind))) {
    const asks = asking.filter((field) => field in last || field in fields)
    return [...found, ...asks.map((field) => `${field}, with nothing to continue`)]
  }
  if (last.role !== 'assistant' || needs === undefined)
    return [...found, `Expected last role User or Tool: ${last.role}`]
  // What is not asked for is refused by some.
  const wanted = { ...needs.message, ...needs.body }
  const given = { ...fields, ...last } as Record<string, unknown>
  for (const [field, value] of Object.entries(wanted))
    if (JSON.stringify(given[field]) !== JSON.stringify(value)) found.push(`${field} is not ${JSON.stringify(value)}`)
  for (const field of asking)
    if (field in given && !(field in wanted)) found.push(`${field}, which is another server's`)
  if (last.tool_calls) found.push('Cannot continue an assistant message that contains tool calls.')
  if (/\s$/.test(String(last.content))) found.push('white space at the end of what is continued')
  return found
}

function mistralBreaches(messages: readonly Message[]): string[] {
  const ids = messages.flatMap(({ tool_calls: calls = [], tool_call_id: id }) => [
    ...calls.map((call) => call.id),
    ...(id === undefined ? [] : [id]),
  ])
  const odd = ids.filter((id) => !/^[a-zA-Z0-9]{9}$/.test(String(id)))
  const strays = messages.filter(({ role }, i) => {
    const before = messages[i - 1]?.role
    return before === 'tool' && role !== 'tool' && role !== 'assistant'
  })
  return [
    ...odd.map((id) => `Tool call id was ${String(id)} but must be a-z, A-Z, 0-9, with a length of 9.`),
    ...strays.map(({ role }) => `Unexpected role '${role}' after role 'tool'`),
  ]
}

/** From one message of the user to the next: all replies of it have the field if there was a call, and none otherwise. */
function thinkingBreaches(messages: readonly Message[]): string[] {
  const starts = messages.flatMap(({ role }, i) => (role === 'user' || i === 0 ? [i] : []))
  return starts.flatMap((start, i) => {
    const turn = messages.slice(start, starts[i + 1])
    const type = turn.some(({ tool_calls: calls }) => calls) ? 'string' : 'undefined'
    const bad = turn.filter(({ role, reasoning_content: thinking }) =>
      role === 'assistant' ? typeof thinking !== type : thinking !== undefined,
    )
    return bad.map(() => `${start}: The reasoning_content in the thinking mode must be passed back to the API.`)
  })
}
