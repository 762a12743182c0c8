import { closestMatch } from 'leven'
import type * as z from 'zod'
import { hidden, isSlip } from './discreet.ts'
import { allKeys, jsonSchema, keysAt } from './outline.ts'
import { showPath, valueAt, type Path, type Problem } from './problem.ts'

/** A value that is nobody else's business, whatever is wrong with it. */
const secretNames = /key|secret|token|header/i

type Issue = z.core.$ZodIssue

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section of its own',
  record: 'a section of its own',
}

/**
 * What a schema found, in words for the person who wrote the file.
 * @param value - The file.
 * @param isHidden - Tells values that must not be shown.
 */
export function explain(issues: readonly Issue[], value: unknown, isHidden: (path: Path) => boolean): Problem[] {
  const schema = jsonSchema()
  const isSecret = (path: Path): boolean => isHidden(path) || path.some((step) => secretNames.test(String(step)))
  /** @param near - What was meant. @param isNumeric - Whether a number belongs there, so that one may be shown. */
  const got = (path: Path, near?: string, isNumeric = false): string => {
    const found = valueAt(value, path)
    if (found === null) return 'nothing'
    if (Array.isArray(found)) return 'a list'
    if (typeof found === 'object') return 'a section'
    const isWord = typeof found === 'string' && isSlip(found, near)
    const isFigure = typeof found === 'boolean' || (typeof found === 'number' && isNumeric)
    return (isWord || isFigure) && !isSecret(path) ? JSON.stringify(found) : (kinds[typeof found] ?? typeof found)
  }

  const unknownKey = (section: Path, key: string): Problem => {
    const known = keysAt(schema, section) ?? []
    const near = closest(key, known)
    const owner = allKeys(schema).find((entry) => plain(entry.key) === plain(key))
    const where = section.length === 0 ? 'the file has' : `${showPath(section)} has`
    const hint = near
      ? `did you mean "${near}"?`
      : owner && owner.section !== section[0]
        ? `${owner.key} belongs under ${owner.section}`
        : `${where} ${known.join(', ')}`
    return { path: [...section, key], at: 'key', message: `there is no such key; ${hint}` }
  }

  const problemsOf = (issue: Issue, above: Path): Problem[] => {
    const path = [...above, ...(issue.path as Path)]
    const say = (message: string, at: Problem['at'] = 'value'): Problem[] => [{ path, at, message }]
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key))
    if (issue.code === 'invalid_key') return say(`this name ${issue.issues[0]?.message ?? 'is not allowed'}`, 'key')
    if (issue.code === 'custom' || issue.code === 'invalid_format') return say(issue.message)
    const found = valueAt(value, path)
    if (issue.code === 'invalid_union') {
      const fits = issue.errors.find((branch) => !branch.some(isOtherKind))
      if (fits) return fits.flatMap((inner) => problemsOf(inner, path))
      return say(`must be ${issue.errors.map((branch) => wanted(branch[0])).join(' or ')}, got ${got(path)}`)
    }
    if (found === undefined) return say(`is missing; it must be ${wanted(issue)}`, 'absence')
    const near = issue.code === 'invalid_value' && typeof found === 'string' && closest(found, issue.values.map(String))
    const list = issue.code === 'invalid_type' && issue.expected === 'array' && typeof found === 'string'
    const hint = near
      ? `; did you mean "${near}"?`
      : list
        ? `; write ${isSecret(path) || !isSlip(found, undefined) ? `["${hidden}"]` : JSON.stringify([found])}`
        : ''
    const isNumeric = typeof found === 'number' && ['too_small', 'too_big', 'not_multiple_of'].includes(issue.code)
    return say(`must be ${wanted(issue)}, got ${got(path, near || undefined, isNumeric || isFraction(issue))}${hint}`)
  }
  return issues.flatMap((issue) => problemsOf(issue, []))
}

/** What a value would have to be. */
function wanted(issue: Issue | undefined): string {
  if (issue?.code === 'invalid_type') return kinds[issue.expected] ?? issue.expected
  if (issue?.code === 'invalid_value') {
    const values = issue.values.map(String)
    return values.length === 1 ? values[0]! : `one of ${values.join(', ')}`
  }
  if (issue?.code === 'too_small') {
    if (issue.origin === 'string') return 'text that is not empty'
    return issue.origin === 'array' ? 'a list that is not empty' : `${issue.minimum} or more`
  }
  if (issue?.code === 'too_big') return `${issue.maximum} or less`
  return issue?.message ?? 'something else'
}

/** Whether a number stands where a whole one belongs. */
const isFraction = (issue: Issue): boolean => issue.code === 'invalid_type' && String(issue.expected) === 'int'

/** Whether a branch of a union is about another kind of value altogether. */
function isOtherKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

/** What other programs call it. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ['url', 'endpoint'],
  ['baseurl', 'endpoint'],
  ['apibase', 'endpoint'],
])

/** The name that was meant, if any comes near; cases and dashes do not count, and a beginning or an end may be missing. */
export function closest(given: string, names: readonly string[]): string | undefined {
  const known = new Map(names.map((name) => [plain(name), name]))
  const candidates = [...known.keys()]
  const wantedName = elsewhere.get(plain(given)) ?? plain(given)
  const isPart = (part: string, whole: string): boolean =>
    part.length > 3 && (whole.startsWith(part) || whole.endsWith(part))
  const maxDistance = wantedName.length < 4 ? 1 : Math.max(2, Math.floor(wantedName.length / 3))
  const match =
    candidates.find((name) => isPart(wantedName, name)) ??
    closestMatch(wantedName, candidates, { maxDistance }) ??
    candidates.find((name) => isPart(name, wantedName))
  return match === undefined ? undefined : known.get(match)
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
