import { discreetKey, discreetVariable, hidden } from './discreet.ts'
import { visit, type Document, type YAMLError } from 'yaml'

/** What keeps a file from being YAML, or from being read. */
export interface SyntaxProblem {
  /** Where, counted from 0 in the file. */
  readonly offset: number
  readonly message: string
}

/** What the parser found, in words for the person who wrote the file, without what only follows from it. */
export function syntaxProblems(document: Document.Parsed, source: string): readonly SyntaxProblem[] {
  const errors = [...document.errors, ...document.warnings]
  const deep = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION')
  if (deep) return [{ offset: deep.pos[0], message: 'nested too deep' }]
  const variables = errors.filter((error) => isBareVariable(error, source)).map(({ pos: [offset] }) => offset - 1)
  // Behind a brace that the parser does not expect, it knows no more where it is.
  const believed = errors.filter(({ pos: [offset] }) => offset <= (variables[0] ?? Infinity))
  const problems = [
    ...believed.map((error) => ({ offset: error.pos[0], message: inWords(error, document) })),
    ...variables.map((offset) => ({ offset, message: needsQuotes(source, offset) })),
  ]
  return problems.length > 0 ? problems : aliasProblems(document)
}

/** An unquoted `${NAME}` is text to its brace in a flow collection, which ends any text. */
function isBareVariable({ pos: [offset] }: YAMLError, source: string): boolean {
  return offset > 0 && source.startsWith('${', offset - 1)
}

function needsQuotes(source: string, offset: number): string {
  const name = /^\$\{(\w*)\}/.exec(source.slice(offset, offset + 80))?.[1] ?? hidden
  return `inside { } and [ ] a variable needs quotes: "\${${discreetVariable(name)}}"`
}

function inWords({ code, pos: [offset], message }: YAMLError, document: Document): string {
  if (code === 'MULTIPLE_DOCS') return 'a file is one document, and this --- begins another one'
  // What comes behind a colon or a quote is the file's; a sign that is missing is not.
  if (code !== 'DUPLICATE_KEY') return code === 'MISSING_CHAR' ? message : message.split(/:|["'`]/)[0]!.trim()
  let name = 'this key'
  visit(document, {
    Scalar(_key, scalar) {
      if (scalar.range?.[0] !== offset) return
      const shown = discreetKey(String(scalar.value))
      if (shown !== hidden) name = JSON.stringify(shown)
    },
  })
  return `${name} is there twice`
}

/** Aliases that cannot be followed: of nothing, of what they stand in, and too many of one another. */
function aliasProblems(document: Document): readonly SyntaxProblem[] {
  const problems: SyntaxProblem[] = []
  visit(document, {
    Alias(_key, alias, ancestors) {
      const named = alias.resolve(document)
      if (named && !ancestors.includes(named)) return
      problems.push({
        offset: alias.range?.[0] ?? 0,
        message:
          'this alias (*) stands for nothing: there is no anchor (&) of its name above it; a plain * needs quotes',
      })
    },
  })
  if (problems.length > 0) return problems
  try {
    document.toJS()
    return []
  } catch {
    return [{ offset: 0, message: 'its aliases make too much of it' }]
  }
}
