import { isRecord, parsedJson, type Json } from '../../wire/json.ts'

/** How often arguments may be JSON in a string: servers encode them twice. */
const maxNested = 3

/**
 * The arguments of a tool call, in whatever shape a server gave them: an object, its JSON, JSON of that JSON. None at all is an
 * empty object, and so is `null`, `""` or `[]`.
 * @returns undefined for what is no object: then the call is not whole.
 */
export function callArguments(given: unknown): Json | undefined {
  let value = given
  for (let i = 0; i < maxNested && typeof value === 'string'; i++) {
    const said = value.trim()
    if (said === '') return {}
    value = parsedJson(said)
    if (value === undefined) return undefined
  }
  if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) return {}
  return isRecord(value) ? value : undefined
}

/** Whether these stand for no arguments. A first fragment may say them where the real ones are still to come. */
export function isNoArguments(said: string): boolean {
  return said.length <= 16 && /^(?:\{\s*\}|\[\s*\]|null|"")?$/.test(said.trim())
}

/** Tells, as pieces of JSON come, when a value is whole. Each character is looked at once. */
export interface ValueEnd {
  push(piece: string): void
  /** An object or a text has ended, and nothing is open. */
  readonly isWhole: boolean
}

export function createValueEnd(): ValueEnd {
  let depth = 0
  let isText = false
  let isEscaped = false
  let isWhole = false
  return {
    push(piece) {
      for (let i = 0; i < piece.length; i++) {
        const letter = piece[i]!
        if (isEscaped) isEscaped = false
        else if (isText) {
          if (letter === '\\') isEscaped = true
          else if (letter === '"') isText = false
        } else if (letter === '"') isText = true
        else if (letter === '{' || letter === '[') depth += 1
        else if (letter === '}' || letter === ']') depth -= 1
        else continue
        isWhole = depth === 0 && !isText
      }
    },
    get isWhole() {
      return isWhole
    },
  }
}
