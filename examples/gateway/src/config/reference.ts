import { jsonSchema, type Outline } from './outline.ts'

/** Every key of the file as a table for the README. */
export function referenceTable(): string {
  const rows = rowsOf(jsonSchema(), '')
  return ['| key | what it takes | default | what it is for |', '|---|---|---|---|', ...rows].join('\n')
}

function rowsOf(section: Outline, above: string): string[] {
  const rows: string[] = []
  for (const [name, outline] of Object.entries(section.properties ?? {})) {
    const key = above === '' ? name : `${above}.${name}`
    // The keys of every model server stand under `model` once.
    const isListed = name !== 'models' && name !== 'fallback'
    const inner = isListed ? (outline.anyOf?.find(({ properties }) => properties) ?? outline) : {}
    const below = inner.properties ? rowsOf(inner, key) : []
    const isPlain = below.length > 0 && !outline.anyOf && outline.description === undefined
    const isRequired = section.required?.includes(name) ?? false
    const own = `| \`${key}\` | ${kind(outline)} | ${isRequired ? 'required' : defaultOf(outline)} | ${outline.description ?? ''} |`
    if (!isPlain) rows.push(own)
    rows.push(...below)
  }
  return rows
}

function kind(outline: Outline): string {
  const { type, anyOf, items, properties, additionalProperties, minimum = 0, maximum = Infinity } = outline
  if (outline.const !== undefined) return `\`${JSON.stringify(outline.const)}\``
  if (outline.enum) return outline.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (anyOf) return anyOf.map(kind).join(' or ')
  if (type === 'array') return `list: ${items ? kind(items) : 'anything'}`
  if (properties) return properties['provider'] ? 'a model server' : 'section'
  if (typeof additionalProperties === 'object') return `names, each with: ${kind(additionalProperties)}`
  if (type === 'integer' || type === 'number') {
    if (maximum < 1_000_000) return `whole number, ${minimum} to ${maximum}`
    return minimum > 0 ? `whole number from ${minimum} up` : 'whole number'
  }
  if (type === 'boolean') return '`true` or `false`'
  return type === 'string' ? 'text' : 'anything'
}

function defaultOf(outline: Outline): string {
  if (outline.default === undefined) return ''
  const isSection = typeof outline.default === 'object' && !Array.isArray(outline.default)
  return isSection ? 'as below' : `\`${JSON.stringify(outline.default)}\``
}
