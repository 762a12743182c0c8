import { ChatError } from './errors.ts'
import type { ToolCall } from './events.ts'
import { isString, optional, refuse } from './fields.ts'
import { isRecord } from './json.ts'
import { isOpaque } from './opaque.ts'

/** Who says a message. @public */
export type Role = 'system' | 'user' | 'assistant' | 'tool'

/** One message of the history, as it travels. @public */
export interface ChatTurn {
  /** The app's own name for it: at most 128 characters. It goes to `prepare`, and to no model server. */
  readonly id?: string
  readonly role: Role
  readonly content: string
  /** A person cut this reply off. */
  readonly interrupted?: true
  readonly thinking?: string
  readonly tool_calls?: readonly ToolCall[]
  readonly tool_call_id?: string
}

/** A tool the model may call: a JSON Schema describes its arguments. @public */
export interface ToolDefinition {
  readonly name: string
  readonly description?: string
  readonly parameters?: Readonly<Record<string, unknown>>
}

const roles: readonly unknown[] = ['system', 'user', 'assistant', 'tool'] satisfies Role[]

/** Longest id of a message, UTF-16 code units. */
export const maxMessageId = 128
export const isMessageId = (value: unknown): value is string =>
  isString(value) && value !== '' && value.length <= maxMessageId

/**
 * Checks messages, of a request or of an app's database.
 * @param at - What an error calls them.
 * @throws {ChatError} `bad_request` or `unsupported_content`.
 */
export function parseTurns(messages: readonly unknown[], at: string): ChatTurn[] {
  return messages.map((message, index) => parseTurn(message, `${at}[${index}]`))
}

function parseTurn(value: unknown, at: string): ChatTurn {
  if (!isRecord(value)) return refuse(`${at} must be an object.`)
  const role = value['role']
  if (!roles.includes(role)) refuse(`${at}.role must be one of ${roles.join(', ')}.`)
  const id = optional(value, 'id', isMessageId, `a string of 1 to ${maxMessageId} characters`)
  const thinking = optional(value, 'thinking', isString, 'a string')
  const calls = optional(value, 'tool_calls', Array.isArray, 'an array')
  const callId = optional(value, 'tool_call_id', isString, 'a string')
  return {
    ...(id === undefined ? {} : { id }),
    role: role as Role,
    content: parseContent(value['content'], at, role as Role),
    ...(value['interrupted'] === true ? { interrupted: true } : {}),
    ...(thinking === undefined ? {} : { thinking }),
    ...(calls === undefined || calls.length === 0
      ? {}
      : { tool_calls: calls.map((call, i) => parseCall(call, `${at}.tool_calls[${i}]`)) }),
    ...(callId === undefined ? {} : { tool_call_id: callId }),
  }
}

function parseContent(content: unknown, at: string, role: Role): string {
  if (isString(content)) return content
  // A reply that is only a tool call has no text, and many clients then say null.
  if (role === 'assistant' && (content === null || content === undefined)) return ''
  if (!Array.isArray(content)) return refuse(`${at}.content must be a string.`)
  return content
    .map((part: unknown) => {
      if (isRecord(part) && part['type'] === 'text' && isString(part['text'])) return part['text']
      throw new ChatError('unsupported_content', `${at}.content holds a part that is not text.`)
    })
    .join('')
}

function parseCall(call: unknown, at: string): ToolCall {
  if (!isRecord(call) || !isString(call['id']) || !isString(call['name']) || !isRecord(call['arguments'])) {
    return refuse(`${at} must have id, name and arguments (an object).`)
  }
  const opaque = optional(call, 'opaque', isOpaque, 'as it came, with a call')
  return {
    id: call['id'],
    name: call['name'],
    arguments: call['arguments'],
    ...(opaque === undefined ? {} : { opaque }),
  }
}

/**
 * Checks one definition of a tool.
 * @throws {ChatError} `bad_request`.
 */
export function parseTool(tool: unknown, index: number): ToolDefinition {
  const at = `tools[${index}]`
  if (!isRecord(tool) || !isString(tool['name'])) return refuse(`${at} must have a name.`)
  const description = optional(tool, 'description', isString, 'a string')
  const parameters = optional(tool, 'parameters', isRecord, 'an object')
  return {
    name: tool['name'],
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  }
}
