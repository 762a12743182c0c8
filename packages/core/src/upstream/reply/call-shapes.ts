import { isRecord, parsedJson, record, text, type Json } from '../../wire/json.ts'

/** A piece of a call, or a whole one, whatever its shape was. */
export interface CallFragment {
  readonly index: number | undefined
  readonly id: string
  readonly name: string
  readonly args: string
  /** The arguments came as an object. */
  readonly isObject: boolean
  /** Fields of the server's own, beside the id and beside the name. */
  readonly call: Json
  readonly function: Json
}

/** Objects that hold name and arguments of a call. */
const wrappers = ['function', 'functionCall', 'function_call', 'tool_call', 'toolCall', 'tool_use', 'toolUse'] as const
/** Fields of a delta, a message, a choice or a frame that hold calls, or one. */
const fields = [
  'tool_calls',
  'toolCalls',
  'tool_call',
  'toolCall',
  'function_calls',
  'functionCalls',
  'function_call',
  'functionCall',
  'tool_uses',
  'toolUses',
  'tool_use',
  'toolUse',
] as const
/** What a part, a block or an event of a call is called. Tools that the server runs itself have other names. */
const types = /^(?:(?:client_)?tool_?(?:use|call)|function(?:_?call)?)$/i
/** Parts in parts: deeper than that nobody calls. */
const maxDepth = 4

export const isCallType = (type: unknown): boolean => types.test(text(type))

function wrapped(given: Json): Json | undefined {
  for (const name of wrappers) if (isRecord(given[name])) return given[name]
  return undefined
}

/** Reads a call in any of the shapes that servers give it: OpenAI's, flat, Anthropic's, Gemini's, Bedrock's. */
export function callFragment(given: Json): CallFragment {
  const inner = wrapped(given)
  // A call in a part: its own function is one object further in.
  if (inner && !isRecord(given['function']) && wrapped(inner)) {
    const { index, id } = given
    return callFragment({ ...(index === undefined ? {} : { index }), ...(id === undefined ? {} : { id }), ...inner })
  }
  const { index, name: outer, call, ids } = besideOf(given)
  const { name, arguments: args, parameters, input, args: short, index: innerIndex, ...more } = inner ?? call
  const own = inner ? besideOf(more) : undefined
  const number = [...ids, ...(own?.ids ?? [])].find((one) => one !== undefined && one !== null)
  const said = args ?? parameters ?? input ?? short ?? ''
  return {
    index: indexOf(index ?? innerIndex),
    id: typeof number === 'number' ? String(number) : text(number).replace(/^(?:null|none)$/i, ''),
    name: text(name ?? outer),
    // OpenAI's are text in pieces; some servers send one object.
    args: typeof said === 'string' ? said : JSON.stringify(said),
    isObject: isRecord(said),
    call: inner ? call : more,
    function: own?.call ?? {},
  }
}

/** What stands beside a function: what tells its call apart, and fields of the server's own. */
function besideOf(given: Json): { index: unknown; name: unknown; ids: readonly unknown[]; call: Json } {
  const { index, id, call_id: callId, toolUseId, tool_call_id: toolCallId, type: _, ...rest } = given
  const ids = [id, callId, toolUseId, toolCallId]
  if (!wrappers.some((name) => name in rest)) return { index, name: undefined, ids, call: rest }
  const call = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'name' && !isWrapper(name)))
  return { index, name: given['name'], ids, call }
}
const isWrapper = (name: string): boolean => wrappers.some((one) => one === name)

function indexOf(given: unknown): number | undefined {
  if (typeof given === 'number') return given
  return typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : undefined
}

/** Fragments of calls: a list, one call, an object of calls by their numbers, or the JSON of any of these. */
function callFragments(given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given
  if (typeof given === 'string') {
    // What cannot be read is a fragment that is no call, which is said.
    if (given.trim() === '') return []
    const parsed = parsedJson(given)
    return isRecord(parsed) || Array.isArray(parsed) ? callFragments(parsed) : [given]
  }
  if (!isRecord(given)) return []
  if ('name' in given || 'arguments' in given || wrapped(given)) return [given]
  return Object.entries(given).map(([index, call]) => (isRecord(call) ? Object.assign({ index }, call) : call))
}

/** The calls that a delta, a message, a choice or a frame holds: in the first field that has some, else in its parts. */
export function callsIn(place: Json): readonly unknown[] {
  for (const name of fields) {
    const given = place[name]
    if (given === undefined || given === null) continue
    // A word in another field than these is no call.
    const isWord = typeof given === 'string' && !name.startsWith('tool_call') && typeof parsedJson(given) !== 'object'
    const found = isWord ? [] : callFragments(given)
    if (found.length > 0) return found
  }
  return [...callParts(place['content']), ...callParts(place['parts'])]
}

/** The calls among the parts of a content. */
function callParts(content: unknown, depth = 0): readonly unknown[] {
  if (typeof content !== 'object' || content === null || depth > maxDepth) return []
  if (Array.isArray(content)) return content.flatMap((part: unknown) => callParts(part, depth + 1))
  const part = record(content)
  if (isCallType(part['type']) || isRecord(part['functionCall']) || isRecord(part['toolUse'])) return [part]
  return [...callParts(part['parts'], depth + 1), ...callParts(part['content'], depth + 1)]
}

/** Fields in which nobody calls, and objects of tools that the server runs itself. */
const quietFields =
  /^(?:errors?|usage|logprobs|tools|functions|request|prompt|metadata|annotations|citations)$|executed|server|built_?in|debug/i
const ownTypes = /^(?:server|mcp|web|code|file|computer|image|builtin|executed)_|search|result|output$/i
/** More fields, or deeper, is not looked at. */
const maxFields = 64

/**
 * Whether something in it looks like a call, wherever it is: a name with arguments. One that was not read would be lost, and its reply
 * is no success.
 */
export function looksLikeCall(place: unknown, depth = 0): boolean {
  if (typeof place !== 'object' || place === null || depth > maxDepth + 2) return false
  if (Array.isArray(place)) return place.slice(0, maxFields).some((one) => looksLikeCall(one, depth + 1))
  const { type, name, arguments: args, args: short, input, output, result } = record(place)
  if (ownTypes.test(text(type)) || (output ?? result ?? undefined) !== undefined) return false
  const said = args ?? short ?? input
  if (text(name) !== '' && (isRecord(said) || (typeof said === 'string' && isRecord(parsedJson(said))))) return true
  return Object.entries(place)
    .slice(0, maxFields)
    .some(([field, value]) => !quietFields.test(field) && looksLikeCall(value, depth + 1))
}
