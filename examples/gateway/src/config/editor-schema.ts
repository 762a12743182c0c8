import { jsonSchema } from './outline.ts'

/** Anywhere in a text: the rest of a number, a switch or a word of a list may stand beside it. */
const variable = String.raw`\$\{[A-Za-z_]\w*\}`

/** The schema for editors: wherever it wants a certain text, number or switch, one with a variable in it may stand. */
export function editorSchema(): unknown {
  return { ...(withVariables(jsonSchema()) as object), title: 'Configuration of midstream-gateway' }
}

function withVariables(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withVariables)
  if (typeof schema !== 'object' || schema === null) return schema
  const mapped: Record<string, unknown> = Object.fromEntries(
    // Names of keys are never variables.
    Object.entries(schema).map(([name, value]) => [name, name === 'propertyNames' ? value : withVariables(value)]),
  )
  const { type, pattern, enum: values, const: value, ...rest } = mapped
  const text = { type: 'string', pattern: variable }
  if (values !== undefined) return { ...rest, anyOf: [{ type, enum: values }, text] }
  if (value !== undefined) return { ...rest, anyOf: [{ type, const: value }, text] }
  if (type === 'integer' || type === 'boolean') return { ...mapped, type: [type, 'string'], pattern: variable }
  if (type === 'string' && typeof pattern === 'string') return { ...mapped, pattern: `(?:${pattern})|${variable}` }
  return mapped
}
