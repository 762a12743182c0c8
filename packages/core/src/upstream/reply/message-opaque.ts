import type { ToolCall } from '../../wire/events.ts'
import { isRecord, text, type Json } from '../../wire/json.ts'
import { isOpaque, jsonChars, maxOpaqueChars, opaqueOf } from '../../wire/opaque.ts'

/** Fields of a message with calls that its server wants back: thoughts in parts, and signatures. All were seen in the wild. */
const lists = ['reasoning_details', 'thinking_blocks'] as const
const others = [
  'extra_content',
  'provider_specific_fields',
  'thought_signature',
  'thoughtSignature',
  'reasoning_opaque',
  'reasoning_signature',
  'encrypted_content',
] as const
/** Fields of a part that come in pieces. */
const words = ['text', 'thinking', 'summary', 'reasoning'] as const

/** Those of the fields that go back up; nothing else that a client says of a message does. */
export function opaqueFields(given: Json): Json {
  return Object.fromEntries([...lists, ...others].flatMap((name) => (name in given ? [[name, given[name]]] : [])))
}

/** What a server attaches to a message, over all of its deltas. */
export interface MessageOpaque {
  add(delta: Json): void
  /** The first of the calls with it. Of what is too long only that stays which nobody can read. */
  onto(calls: readonly ToolCall[], from: string): readonly ToolCall[]
}

export function createMessageOpaque(): MessageOpaque {
  const parts = new Map<string, Record<string, unknown>[]>()
  const fields: Record<string, unknown> = {}
  let chars = 0
  const keep = (name: string, part: Json): void => {
    const before = parts.get(name) ?? []
    parts.set(name, before)
    const last = before.at(-1)
    if (!last || !isSamePart(last, part)) return void before.push({ ...part })
    for (const [field, value] of Object.entries(opaqueOf(part)))
      last[field] =
        words.some((one) => one === field) && typeof last[field] === 'string' ? last[field] + text(value) : value
  }
  const made = (isWhole: boolean): Json => ({
    ...fields,
    ...Object.fromEntries(
      [...parts].flatMap(([name, all]) => {
        const kept = isWhole ? all : all.filter((part) => !isReadable(part))
        return kept.length > 0 ? [[name, kept]] : []
      }),
    ),
  })
  return {
    add(delta) {
      for (const name of lists) {
        const given = delta[name]
        if (!Array.isArray(given)) continue
        for (const part of given as unknown[]) {
          if (!isRecord(part)) continue
          chars += jsonChars(part)
          // What would not go back up is not held.
          if (chars <= maxOpaqueChars || !isReadable(part)) keep(name, part)
        }
      }
      for (const name of others) if (delta[name] !== undefined) Object.assign(fields, opaqueOf({ [name]: delta[name] }))
    },
    onto(calls, from) {
      const [first, ...rest] = calls
      if (!first) return calls
      for (const message of chars > maxOpaqueChars ? [made(false)] : [made(true), made(false)]) {
        if (Object.keys(message).length === 0) continue
        const opaque = { from, ...first.opaque, message }
        if (isOpaque(opaque)) return [{ ...first, opaque }, ...rest]
      }
      return calls
    },
  }
}

function isReadable(part: Json): boolean {
  return words.some((name) => text(part[name]) !== '')
}

/** A piece of the part before it: of its kind and number, and both of them in words, or the signature behind these. */
function isSamePart(last: Json, part: Json): boolean {
  if (last['type'] !== part['type'] || last['index'] !== part['index'] || !isReadable(last)) return false
  return part['id'] === undefined || part['id'] === null || last['id'] === part['id'] || last['id'] === undefined
}
