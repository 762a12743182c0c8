import { jsonSchema } from './outline.ts'

const variable = String.raw`\$\{[A-Za-z_]\w*\}`

/** The schema for editors: where it wants a number, a switch or a certain form of text, a variable may stand for it. */
export function editorSchema(): unknown {
  return { ...(withVariables(jsonSchema()) as object), title: 'Configuration of midstream-gateway' }
}

function withVariables(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withVariables)
  if (typeof schema !== 'object' || schema === null) return schema
  const mapped = Object.fromEntries(
    // Names of keys are never variables.
    Object.entries(schema).map(([name, value]) => [name, name === 'propertyNames' ? value : withVariables(value)]),
  )
  const { type, pattern } = mapped
  if (type === 'integer' || type === 'boolean') return { ...mapped, type: [type, 'string'], pattern: `^${variable}$` }
  if (type === 'string' && typeof pattern === 'string') return { ...mapped, pattern: `(?:${pattern})|${variable}` }
  return mapped
}
