import { discreetKey, discreetName, hidden } from './discreet.ts'

/** The way to a value in the file: keys and indexes. */
export type Path = readonly (string | number)[]

/** What is wrong with the file, for the person who wrote it. Never holds a secret. */
export interface Problem {
  readonly path: Path
  /** What it is about: the key, what stands behind it, or that neither is there. */
  readonly at: 'key' | 'value' | 'absence'
  readonly message: string
}

/** A way as people write it: `fallback[0].provider`. A name of the user's choice is shown as far as it may be. */
export function showPath(path: Path): string {
  return path.reduce<string>((shown, step, i) => {
    if (typeof step === 'number') return `${shown}[${step}]`
    return `${shown === '' ? '' : `${shown}.`}${showStep(step, path[i - 1])}`
  }, '')
}

function showStep(step: string, section: string | number | undefined): string {
  // An owner and a token are easily written the wrong way round.
  if (section === 'tokens') return hidden
  return section === 'models' || section === 'headers' ? discreetName(step) : discreetKey(step)
}

/** What stands at the end of a way; undefined when it leads nowhere. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((at: unknown, step) => (isTree(at) && Object.hasOwn(at, step) ? at[step] : undefined), value)
}

/** A copy that has another value at the end of a way, or, without one, nothing. */
export function withValue(value: unknown, path: Path, ...replacement: readonly [] | readonly [unknown]): unknown {
  const copy = structuredClone(value)
  const parent = valueAt(copy, path.slice(0, -1))
  const last = path.at(-1)
  if (last === undefined || !isTree(parent)) return copy
  if (replacement.length > 0) parent[last] = replacement[0]
  else if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return copy
}

type Tree = Record<string | number, unknown>

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null
}
