import type { ToolCall } from '../../wire/events.ts'
import { isRecord, type Json } from '../../wire/json.ts'
import type { ChatTurn, ToolDefinition } from '../../wire/messages.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** The longest name of a tool that OpenAI and Anthropic take, characters. */
const maxNameChars = 64
const isClean = (name: string): boolean => name.length <= maxNameChars && /^[\w-]+$/.test(name)

/** An app's names of tools, by those that the server is told. */
export type CallNames = ReadonlyMap<string, string>

/**
 * Names that servers take, for tools of the app and for calls of the history, which a model made up or another server gave. Tools
 * come first, different names stay different, and one that a server takes stays as it is.
 * @returns What is told by what it stands for; undefined where every name can be told as it is.
 */
export function callNames({
  messages,
  tools = [],
}: {
  readonly messages: readonly ChatTurn[]
  readonly tools?: readonly ToolDefinition[] | undefined
}): CallNames | undefined {
  const called = messages.flatMap(({ tool_calls: calls = [] }) => calls.map(({ name }) => name))
  const names = new Set([...tools.map(({ name }) => name), ...called])
  const odd = [...names].filter((name) => !isClean(name))
  if (odd.length === 0) return undefined
  const told = new Map<string, string>()
  const taken = new Set([...names].filter(isClean))
  /** How many were tried of those that would become one: each number once, however many there are. */
  const tried = new Map<string, number>()
  for (const name of odd) {
    const base = name.slice(0, maxNameChars).replace(/[^\w-]/g, '_') || 'call'
    let made = base
    while (taken.has(made)) {
      const number = (tried.get(base) ?? 1) + 1
      tried.set(base, number)
      const suffix = `_${number}`
      made = base.slice(0, maxNameChars - suffix.length) + suffix
    }
    taken.add(made)
    told.set(name, made)
  }
  return told
}

/** The same request in the names that the server is told. */
function inToldNames<
  T extends { readonly messages: readonly ChatTurn[]; readonly tools?: readonly ToolDefinition[] | undefined },
>(request: T, told: CallNames): T {
  const named = <N extends { readonly name: string }>(one: N): N => ({ ...one, name: told.get(one.name) ?? one.name })
  return {
    ...request,
    messages: request.messages.map((turn) =>
      turn.tool_calls ? { ...turn, tool_calls: turn.tool_calls.map((call): ToolCall => named(call)) } : turn,
    ),
    ...(request.tools && { tools: request.tools.map((tool): ToolDefinition => named(tool)) }),
  }
}

/** A request in names that the server takes; `told` where they are not the app's own. */
export function withToldNames<
  T extends { readonly messages: readonly ChatTurn[]; readonly tools?: readonly ToolDefinition[] | undefined },
>(request: T): T & { readonly told?: CallNames } {
  const told = callNames(request)
  return told ? { ...inToldNames(request, told), told } : request
}

/** Calls of the model in the app's own names. */
export function inOwnNames(told: CallNames): (events: readonly UpstreamEvent[]) => readonly UpstreamEvent[] {
  const own = new Map([...told].map(([name, made]) => [made, name]))
  return (events) =>
    events.some((event) => 'tool_call' in event)
      ? events.map((event) => {
          const name = 'tool_call' in event ? own.get(event.tool_call.name) : undefined
          return name !== undefined && 'tool_call' in event
            ? { ...event, tool_call: { ...event.tool_call, name } }
            : event
        })
      : events
}

/** How deep a choice names its tools. */
const maxDepth = 5
const choices = ['tool_choice', 'function_call'] as const

/** Fields of a request that name a tool which the model must call, in the names that the server is told. */
export function withToldChoice(fields: Json, told: CallNames | undefined): Json {
  if (!told) return fields
  const renamed = (value: unknown, depth: number): unknown => {
    if (depth > maxDepth) return value
    if (Array.isArray(value)) return value.map((one) => renamed(one, depth + 1))
    if (!isRecord(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([field, one]) => [
        field,
        field === 'name' && typeof one === 'string' ? (told.get(one) ?? one) : renamed(one, depth + 1),
      ]),
    )
  }
  const found = choices.filter((field) => fields[field] !== undefined)
  return { ...fields, ...Object.fromEntries(found.map((field) => [field, renamed(fields[field], 0)])) }
}
