import { createGateway } from '@midstream/core/gateway'
import type * as z from 'zod'
import { checkCombinations, type Surroundings } from './combinations.ts'
import type { Config } from './config.ts'
import { readDocument } from './document.ts'
import { withoutTexts } from './discreet.ts'
import { explain } from './explain.ts'
import { showPath, valueAt, withValue, type Path, type Problem } from './problem.ts'
import { configSchema } from './schema.ts'
import { toGatewayOptions } from './to-options.ts'
import { replaceVariables } from './variables.ts'

/** What a file comes to: its values, or everything that is wrong with it, as lines to print. */
export type Loaded = { readonly config: Config } | { readonly problems: readonly string[] }

/**
 * Reads a configuration.
 * @param file - Its name, for the problems.
 */
export function loadConfig(source: string, file: string, surroundings: Surroundings): Loaded {
  const document = readDocument(source)
  if (document.problems.length > 0) {
    const lines = document.problems.map(
      ({ place: { line, column }, message }) => `${file}:${line}:${column}: not YAML: ${message}`,
    )
    return { problems: lines }
  }
  const variables = replaceVariables(document, surroundings.environment)
  const written = document.toValue() ?? {}
  const isFromOutside = (path: Path): boolean => variables.paths.some((one) => isWithin(path, one))
  const isNotSet = (path: Path): boolean => variables.problems.some((problem) => isWithin(path, problem.path))
  const value = withNumbers(written, variables.paths)
  const read = check(value)
  // What the environment did not give is missed once.
  const found = explain(read.error?.issues ?? [], value, isFromOutside).filter(({ path }) => !isNotSet(path))
  const problems = [...variables.problems, ...found]
  const rest = read.success ? read.data : withoutProblems(value, [...problems])
  const isSet = (...path: Path): boolean =>
    valueAt(value, path) !== undefined && !problems.some((problem) => isWithin(path, problem.path))
  if (rest) {
    const more = checkCombinations(rest, { file, isSet }, surroundings)
    problems.push(...more.filter((one) => !isKnown(one, problems)))
  }
  if (problems.length === 0 && read.success) {
    const refusal = refusalOf(read.data)
    return refusal === undefined ? { config: read.data } : { problems: [`${file}: ${refusal}`] }
  }
  const placed = problems.map((problem) => ({ problem, place: document.place(problem.path, problem.at) }))
  placed.sort(({ place: a }, { place: b }) => a.line - b.line || a.column - b.column)
  const lines = placed.map(({ problem: { path, message }, place: { line, column } }) => {
    const what = path.length === 0 ? 'the file' : showPath(path)
    return `${file}:${line}:${column}: ${what}: ${message}`
  })
  return { problems: [...new Set(lines)] }
}

type Checked =
  | { readonly success: true; readonly data: Config; readonly error?: undefined }
  | { readonly success: false; readonly error: { readonly issues: readonly z.core.$ZodIssue[] } }

function check(value: unknown): Checked {
  try {
    return configSchema.safeParse(value)
  } catch {
    // zod 4.6 asks whatever has a `length` how long it is, also a section that stands where a text or a list should.
    const message = 'must have no section with a key "length" where a text or a list belongs'
    return { success: false, error: { issues: [{ code: 'custom', path: [], message, input: undefined }] } }
  }
}

/** What comes from the environment is text; where a number or a switch is wanted, it may be one. */
function withNumbers(value: unknown, paths: readonly Path[]): unknown {
  const issues = check(value).error?.issues ?? []
  let changed = value
  for (const path of paths) {
    const isWrong = issues.some((issue) => isWithin(issue.path as Path, path))
    const text = valueAt(value, path)
    if (isWrong && typeof text === 'string' && /^(-?\d+(\.\d+)?|true|false)$/.test(text))
      changed = withValue(changed, path, JSON.parse(text))
  }
  return changed
}

/** The file without what is wrong with it, so that the rest can be judged, too; undefined when that cannot be had. */
function withoutProblems(value: unknown, problems: readonly Problem[]): Config | undefined {
  let left = value
  let wrong = problems
  // What leaves a section without something that it must have, takes the section with it, and so on.
  for (let round = 0; round < 5; round++) {
    // Lists from their ends, so that no index means another value than before.
    const paths = wrong.map(({ path }) => (valueAt(left, path) === undefined ? path.slice(0, -1) : path))
    paths.sort((a, b) => Number(b.at(-1)) - Number(a.at(-1)) || 0)
    for (const path of paths) left = withValue(left, path)
    const read = check(left)
    if (read.success) return read.data
    wrong = explain(read.error.issues, left, () => true)
  }
  return undefined
}

/** What seems to be missing is often only wrong, and that has been said. */
function isKnown({ path, at }: Problem, problems: readonly Problem[]): boolean {
  return at === 'absence' && problems.some((known) => isWithin(known.path, path))
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, i) => step === path[i])
}

/** Core checks its options by itself, and has the last word. */
function refusalOf(config: Config): string | undefined {
  try {
    createGateway(toGatewayOptions(config))
    return undefined
  } catch (error) {
    return withoutTexts(error instanceof Error ? error.message : String(error), config)
  }
}
