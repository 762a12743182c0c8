import type { IncomingMessage } from 'node:http'
import { StatusError } from './status-error.ts'

/** Largest request body, bytes. Ollama has no limit of its own; a demo server should. */
const maxBodyBytes = 4_194_304

/**
 * Reads a whole request body.
 * @throws {StatusError} 413 past `maxBodyBytes`; the rest of the body is not read.
 */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new StatusError(413, 'http: request body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Parses a body that must be a JSON object.
 * @throws {StatusError} 400, worded like Go's decoder: exactly for missing and cut-off bodies, closely for others.
 */
export function parseJsonObject(body: string, goType: string): Record<string, unknown> {
  if (body.trim() === '') throw new StatusError(400, 'missing request body')
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw new StatusError(400, goSyntaxError(body, error instanceof Error ? error.message : ''))
  }
  if (value === null) return {} // Go decodes null into an empty request
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new StatusError(400, `json: cannot unmarshal ${jsonType(value)} into Go value of type ${goType}`)
  }
  return value as Record<string, unknown>
}

/** Go's name for the type of a JSON value. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** Says in Go's words what V8 found wrong. */
function goSyntaxError(body: string, found: string): string {
  if (/end of JSON input|Unterminated string/.test(found)) return 'unexpected EOF'
  const position = Number(/at position (\d+)/.exec(found)?.[1] ?? Number.NaN)
  if (position >= body.trimEnd().length) return 'unexpected EOF'
  const char = body[position] ?? /Unexpected token '(.)'/u.exec(found)?.[1] ?? ''
  return `invalid character '${char}' looking for beginning of value`
}
