import * as z from 'zod'
import type { Path } from './problem.ts'
import { configSchema } from './schema.ts'

/** What of JSON Schema this program's own schema uses. */
export interface Outline {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Outline[]
  readonly items?: Outline
  readonly properties?: Readonly<Record<string, Outline>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Outline
  readonly minimum?: number
  readonly maximum?: number
}

/** The schema of the file as JSON Schema. */
export function jsonSchema(): Outline {
  return z.toJSONSchema(configSchema, { io: 'input' }) as Outline
}

/** The keys that a section may have; undefined where names are free, and where there is no section. */
export function keysAt(schema: Outline, path: Path): readonly string[] | undefined {
  let at: Outline | undefined = sectionOf(schema)
  for (const step of path) {
    const next: Outline | boolean | undefined =
      typeof step === 'number' ? at?.items : (own(at?.properties, step) ?? at?.additionalProperties)
    if (typeof next !== 'object') return undefined
    at = sectionOf(next)
  }
  return at?.properties && Object.keys(at.properties)
}

function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table && Object.hasOwn(table, name) ? table[name] : undefined
}

/** Of what can be several things, the one with keys. */
function sectionOf(outline: Outline): Outline {
  return outline.anyOf?.find(({ properties }) => properties !== undefined) ?? outline
}

/** Every key of the file, with the section that it belongs to. */
export function allKeys(schema: Outline): readonly { readonly section: string; readonly key: string }[] {
  return Object.entries(schema.properties ?? {}).flatMap(([section, outline]) =>
    Object.keys(sectionOf(outline).properties ?? {}).map((key) => ({ section, key })),
  )
}
