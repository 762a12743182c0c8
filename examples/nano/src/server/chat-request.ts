import type { Message } from '../model/prompt.ts'
import { readChatOptions, type ChatOptions } from './chat-options.ts'
import { parseKeepAlive } from './duration.ts'
import { jsonType, parseJsonObject } from './json-body.ts'
import { fullName, isModel } from './model-card.ts'
import { StatusError } from './status-error.ts'

/** A valid `POST /api/chat`. */
export interface ChatRequest {
  /** The model's name as the client wrote it: every line of the answer repeats it. */
  readonly model: string
  readonly messages: readonly Message[]
  readonly stream: boolean
  /** How long the model stays loaded afterwards, ms. */
  readonly keepAliveMs: number
  /** What was asked: an answer, or only to load or unload the model. */
  readonly kind: 'answer' | 'load' | 'unload'
  /** Whether only the prompt is wanted, and no answer to it. */
  readonly rendersOnly: boolean
  readonly options: ChatOptions
}

interface JsonTypes {
  readonly string: string
  readonly bool: boolean
  readonly array: readonly unknown[]
  readonly object: Readonly<Record<string, unknown>>
}

const defaultKeepAliveMs = 300_000

/**
 * Reads the body of `POST /api/chat`, checking in Ollama's order.
 * @throws {StatusError} With Ollama's status and words.
 */
export function readChatRequest(body: string): ChatRequest {
  const fields = parseJsonObject(body, 'api.ChatRequest')
  const read = <K extends keyof JsonTypes>(name: string, type: K, goType: string): JsonTypes[K] | undefined => {
    const value = fields[name]
    if (value === undefined || value === null) return undefined
    if (jsonType(value) !== type) throw mismatch(value, name, goType)
    return value as JsonTypes[K]
  }
  const model = read('model', 'string', 'string') ?? ''
  const messages = (read('messages', 'array', '[]api.Message') ?? []).map(readMessage)
  const stream = read('stream', 'bool', 'bool') ?? true
  const options = read('options', 'object', 'map[string]interface {}') ?? {}
  const tools = read('tools', 'array', 'api.Tools') ?? []
  const rendersOnly = read('_debug_render_only', 'bool', 'bool') ?? false
  const keepAliveMs = readKeepAlive(fields['keep_alive'])

  if (model === '') throw new StatusError(400, 'model is required')
  if (!isModel(model)) throw new StatusError(404, `model '${model}' not found`)
  const kind = messages.length > 0 ? 'answer' : keepAliveMs === 0 ? 'unload' : 'load'
  if (kind !== 'unload') {
    if (asksToThink(fields['think'])) throw new StatusError(400, `${JSON.stringify(model)} does not support thinking`)
    if (tools.length > 0) throw new StatusError(400, `${fullName} does not support tools`)
  }
  const chosen = readChatOptions(kind === 'unload' ? {} : options)
  return { model, messages, stream, keepAliveMs, kind, rendersOnly, options: chosen }
}

function readMessage(value: unknown): Message {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw mismatch(value, 'messages', 'api.Message')
  }
  const { role = '', content = '' } = value as { role?: unknown; content?: unknown }
  if (typeof role !== 'string') throw mismatch(role, 'messages.role', 'string')
  if (content === null) return { role: role.toLowerCase(), content: '' }
  if (typeof content !== 'string') throw mismatch(content, 'messages.content', 'string')
  return { role: role.toLowerCase(), content }
}

function readKeepAlive(value: unknown): number {
  if (value === undefined || value === null) return defaultKeepAliveMs
  try {
    return parseKeepAlive(value)
  } catch (error) {
    throw new StatusError(400, error instanceof Error ? error.message : String(error))
  }
}

/** `think` is a boolean or a level; only false, null and its absence ask for nothing. */
function asksToThink(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return value === true
  if (typeof value === 'string' && ['low', 'medium', 'high', 'max'].includes(value)) return true
  throw new StatusError(400, `invalid think value: ${JSON.stringify(value)}`)
}

function mismatch(value: unknown, field: string, goType: string): StatusError {
  const type = jsonType(value)
  return new StatusError(
    400,
    `json: cannot unmarshal ${type} into Go struct field ChatRequest.${field} of type ${goType}`,
  )
}
