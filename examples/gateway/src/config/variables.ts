import { discreetVariable } from './discreet.ts'
import type { ConfigDocument } from './document.ts'
import type { Path, Problem } from './problem.ts'

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What came of the variables in a file. */
export interface Replaced {
  readonly problems: readonly Problem[]
  /** Values that hold something of the environment: they are never shown. */
  readonly paths: readonly Path[]
}

/**
 * Puts variables of the environment where a value says `${NAME}`; `$${` is a plain `${`. One that is not set, or empty, is a
 * problem: a secret that is missing must not become an open door.
 */
export function replaceVariables(document: ConfigDocument, environment: Environment): Replaced {
  const problems: Problem[] = []
  const paths: Path[] = []
  for (const { path, text, replace } of document.texts()) {
    const complain = (message: string): string => {
      problems.push({ path, at: 'value', message })
      return ''
    }
    const replaced = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (found, name: string | undefined, end: string) => {
      if (found === '$${') return '${'
      if (name === undefined || end === '' || !/^[A-Za-z_]\w*$/.test(name))
        return complain(
          'between ${ and } stands the name of a variable of the environment, and nothing else; a plain ${ is written $${',
        )
      paths.push(path)
      // `process.env` has what every object has, too.
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined
      if (value) return value
      return complain(
        `the environment has no variable ${discreetVariable(name)}${value === '' ? ' (it is empty)' : ''}: set it before the start`,
      )
    })
    if (replaced !== text) replace(replaced)
  }
  return { problems, paths }
}
