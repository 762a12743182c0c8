import { isDeeper, maxReplyDepth } from './depth.ts'

/** JSON of unknown shape, as servers send it: reading never throws. */
export type Json = Readonly<Record<string, unknown>>

/** What some text says; undefined for what is no JSON, which cannot say that, and for what nests too deep to be written again. */
export function parsedJson(said: string): unknown {
  if (isDeeper(said, maxReplyDepth)) return undefined
  try {
    return JSON.parse(said) as unknown
  } catch {
    return undefined
  }
}
export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
const none: Json = /* @__PURE__ */ Object.freeze({})
/** The object, or an empty one. */
export function record(value: unknown): Json {
  return isRecord(value) ? value : none
}
/** The list, or an empty one: some servers send null for it. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
/** The text, or none. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
