import type { OpaqueData } from './events.ts'
import { isRecord, type Json } from './json.ts'

/** Longest data that a server may attach to a call, to have it back, UTF-16 code units of JSON. */
export const maxOpaqueChars = 65_536

/** What of a server's own fields is worth to be sent back: fields that are empty say nothing. */
export function opaqueOf(fields: Json): Json {
  const kept = Object.entries(fields).filter(
    ([, value]) =>
      value !== null && value !== undefined && value !== '' && !(isRecord(value) && Object.keys(value).length === 0),
  )
  return Object.fromEntries(kept)
}

/** Whether something from outside is the data that a server attached to a call, and not longer than that may be. */
export function isOpaque(value: unknown): value is OpaqueData {
  if (!isRecord(value) || typeof value['from'] !== 'string') return false
  const parts = [value['call'], value['function'], value['message']]
  return parts.every((part) => part === undefined || isRecord(part)) && jsonChars(value) <= maxOpaqueChars
}

/** How long something is as JSON, UTF-16 code units; nothing has room for what is nested too deep to be written. */
export function jsonChars(value: unknown): number {
  try {
    return JSON.stringify(value).length
  } catch {
    return Infinity
  }
}
