/** What a number may be. */
export type Bound = '> 0' | '>= 0' | '>= 1'

/**
 * Numbers of one group of options, with what is the default where one is left out.
 * @param group - How the options name it, for the error.
 * @param bounds - What each may be, or all of them.
 * @throws {RangeError} When a value makes no sense.
 */
export function resolveNumbers<Name extends string>(
  group: string,
  options: { readonly [N in Name]?: number | undefined } | undefined,
  defaults: { readonly [N in Name]: number },
  bounds: Bound | { readonly [N in Name]: Bound },
): { readonly [N in Name]: number } {
  const resolved: Record<Name, number> = { ...defaults }
  for (const name of Object.keys(defaults) as Name[]) {
    const value: number = options?.[name] ?? defaults[name]
    const bound = typeof bounds === 'string' ? bounds : bounds[name]
    // Not the other way round: what is no number passes no comparison.
    if (!(bound === '> 0' ? value > 0 : value >= (bound === '>= 1' ? 1 : 0)))
      throw new RangeError(`${group}.${name} must be ${bound}, got ${value}`)
    resolved[name] = value
  }
  return resolved
}
