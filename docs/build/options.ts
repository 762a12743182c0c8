import {
  ReflectionKind,
  type Comment,
  type DeclarationReflection,
  type ParameterReflection,
  type ProjectReflection,
  type SignatureReflection,
  type SomeType,
} from 'typedoc'

/** One option, as its docstring and its type say. */
export interface Option {
  readonly name: string
  readonly type: string
  /** `either`: some of the alternatives have it. */
  readonly isRequired: boolean | 'either'
  /** What `@defaultValue` says, as it stands there; undefined without one. */
  readonly defaultValue: string | undefined
  readonly unit: string | undefined
  /** What it is, in Markdown. */
  readonly text: string
  /** The option interface that its value has, if it has one. */
  readonly group: string | undefined
}

/** What is passed as one object: an interface, or a type, whose name ends in `Options`, and the few that are like it. */
export interface OptionGroup {
  readonly name: string
  /** The import that exports it. */
  readonly entry: string
  readonly options: readonly Option[]
}

/** Objects of options by another name. */
const others = new Set([
  'Dialect',
  'NativeContinuation',
  'ThinkSwitch',
  'HistoryNeeds',
  'Fault',
  'FetchFault',
  'UpstreamFault',
  'MessageLimits',
])

/** Arguments that have a place and no name: what may be left out, as `manualClock(startAt)`. */
export const byPosition = 'Arguments'

/** Every object of options that the packages export, by name, and what else their functions can do without. */
export function optionGroups(project: ProjectReflection): ReadonlyMap<string, OptionGroup> {
  const found = project
    .getReflectionsByKind(ReflectionKind.Interface | ReflectionKind.TypeAlias)
    .filter(({ name }) => name.endsWith('Options') || others.has(name)) as DeclarationReflection[]
  const names = new Set(found.map(({ name }) => name))
  const objects = new Map<string, OptionGroup>(
    found.map((group) => {
      const alternatives = alternativesOf(group)
      const options = new Map<string, Option>()
      for (const property of alternatives.flat()) {
        const option = toOption(property, names)
        const isEverywhere = alternatives.every((members) => members.some(({ name }) => name === option.name))
        options.set(option.name, isEverywhere ? option : { ...option, isRequired: 'either' })
      }
      return [group.name, { name: group.name, entry: entryOf(group), options: [...options.values()] }]
    }),
  )
  return objects.set(byPosition, { name: byPosition, entry: '', options: argumentsOf(project, names) })
}

/** Arguments that are no objects of options and may be left out, of functions and of what they return. */
function argumentsOf(project: ProjectReflection, groups: ReadonlySet<string>): readonly Option[] {
  const signatures = project.getReflectionsByKind(ReflectionKind.CallSignature) as SignatureReflection[]
  return signatures.flatMap(({ parent, parameters = [] }) => {
    if (!parent.kindOf([ReflectionKind.Function, ReflectionKind.Method])) return []
    const of = parent.kindOf(ReflectionKind.Method) ? `${parent.parent?.name}.${parent.name}` : parent.name
    return parameters
      .filter(({ flags, defaultValue }) => flags.isOptional || defaultValue !== undefined)
      .filter(({ type }) => ![...groups].some((name) => new RegExp(`\\b${name}\\b`).test(String(type))))
      .map((parameter) => toArgument(of, parameter))
  })
}

/** Its docstring ends with what it is without one: `Default: the end of the log.` */
function toArgument(of: string, { name, type, comment }: ParameterReflection): Option {
  const said = plain(comment?.summary)
  const [, text = said, defaultValue] = /^(.*?)\s*Default: (.*?)\.?$/.exec(said) ?? []
  return {
    name: `${of}(${name})`,
    type: String(type),
    isRequired: false,
    defaultValue:
      defaultValue?.replaceAll('`', '') === 'none' ? undefined : defaultValue?.replace(/^`('.*'|[\d.]+)`$/, '$1'),
    unit: unitOf(name, text),
    text,
    group: undefined,
  }
}

function entryOf(reflection: DeclarationReflection): string {
  let at = reflection.parent
  while (at && !at.kindOf(ReflectionKind.Module)) at = at.parent
  return at?.name ?? ''
}

/** The properties of an object; of a union, each member's. */
function alternativesOf(reflection: DeclarationReflection): readonly (readonly DeclarationReflection[])[] {
  const of = (type: SomeType): readonly (readonly DeclarationReflection[])[] => {
    if (type.type === 'reflection') return alternativesOf(type.declaration)
    return type.type === 'union' ? type.types.flatMap(of) : []
  }
  if (!reflection.children && reflection.type) return of(reflection.type)
  return [(reflection.children ?? []).filter(({ kind }) => kind === ReflectionKind.Property)]
}

function toOption(property: DeclarationReflection, groups: ReadonlySet<string>): Option {
  const text = plain(property.comment?.summary)
  const type = property.type?.toString() ?? ''
  return {
    name: property.name,
    type,
    isRequired: !property.flags.isOptional,
    defaultValue: defaultOf(property.comment),
    unit: unitOf(property.name, text),
    text,
    group: [...groups].find((name) => new RegExp(`\\b${name}\\b`).test(type)),
  }
}

function plain(parts: Comment['summary'] = []): string {
  return parts
    .map((part) => part.text)
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function defaultOf(comment: Comment | undefined): string | undefined {
  const said = plain(comment?.getTag('@defaultValue')?.content)
  // typedoc makes a code block of what has no Markdown in it.
  return said.replace(/^```ts (.*) ```$/, '$1') || undefined
}

const units: readonly (readonly [RegExp, string])[] = [
  [/Ms$/, 'ms'],
  [/Bytes$/, 'bytes'],
  [/Chars$/, 'UTF-16 code units'],
  [/Tokens$/, 'tokens'],
]

/** By the ending of the name, or by what the docstring says after its last comma. */
function unitOf(name: string, text: string): string | undefined {
  const said = /, (ms|bytes|tokens|UTF-16 code units)(?=[.:;]|$)/.exec(text)?.[1]
  return said ?? units.find(([ending]) => ending.test(name))?.[1]
}
