import { accessSync, appendFileSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export { quietPort } from './quiet-port.ts'

/**
 * Looks for a system program that a test needs.
 * @param name - As found on PATH: `chromium`.
 * @param install - How to get it, e.g. the command that installs it, for the person who reads why a test was skipped.
 * @param variable - An environment variable that may name the program, whatever PATH has.
 * @returns Its path, or null: then the test skips (`test.skipIf(program === null)`), and `npm test` prints what to install.
 * @throws {Error} When it is missing and MIDSTREAM_REQUIRE_ALL=1 (as in CI), or when the variable names no program.
 */
export function requireProgram(name: string, install: string, variable?: string): string | null {
  const named = variable === undefined ? undefined : process.env[variable]
  if (named) {
    if (!isExecutable(named)) throw new Error(`${variable} names no program: ${named}`)
    return named
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (isExecutable(path)) return path
  }
  return missing(`${name} (${install})`)
}

/**
 * Says that this machine lacks what a test needs, which then skips.
 * @param reason - What is missing, and how to get it.
 * @returns null.
 * @throws {Error} When MIDSTREAM_REQUIRE_ALL=1 (as in CI), unless the reason begins with what MIDSTREAM_MAY_SKIP names.
 */
export function missing(reason: string): null {
  const { MIDSTREAM_REQUIRE_ALL: all, MIDSTREAM_MAY_SKIP: name } = process.env
  if (all === '1' && !(name && reason.startsWith(name))) throw new Error(`missing: ${reason}`)
  const skips = process.env['MIDSTREAM_SKIPS']
  if (skips) appendFileSync(skips, `${reason}\n`)
  else console.warn(`skipped for want of ${reason}`)
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // missing, or not ours to run
  }
}

/**
 * How often a seeded test plays.
 * @param variable - The environment variable that may say it.
 * @param full - What CI plays; a fifth of it is played elsewhere.
 */
export function rounds(variable: string, full: number): number {
  return Number(process.env[variable] ?? (process.env['MIDSTREAM_REQUIRE_ALL'] === '1' ? full : full / 5))
}
