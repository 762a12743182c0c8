import { ChatError } from './errors.ts'
import type { Json } from './json.ts'

/** @throws {ChatError} `bad_request`. */
export function refuse(message: string): never {
  throw new ChatError('bad_request', message)
}

/** Reads an optional field of a given type; null counts as absent. */
export function optional<T>(
  body: Json,
  name: string,
  isValid: (value: unknown) => value is T,
  wanted: string,
): T | undefined {
  const value = body[name] ?? undefined
  if (value === undefined || isValid(value)) return value
  return refuse(`${name} must be ${wanted}.`)
}
export const isString = (value: unknown): value is string => typeof value === 'string'
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
