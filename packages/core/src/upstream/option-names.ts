import { ChatError } from '../wire/errors.ts'
import type { Json } from '../wire/json.ts'

/** A server's own names for the options of a request, which has OpenAI's; null: the server does not take it. @public */
export type OptionNames = Readonly<Record<string, string | null>>

/**
 * The options of a request in a server's words.
 * @throws {ChatError} `option_not_allowed` for one that the server would refuse.
 */
export function namedOptions(options: Json = {}, names: OptionNames = {}): Json {
  const named = Object.entries(options).map(([name, value]) => {
    const own = Object.hasOwn(names, name) ? names[name] : name
    if (own !== null && own !== undefined) return [own, value] as const
    throw new ChatError('option_not_allowed', `options.${name} is not known to the model server.`)
  })
  return Object.fromEntries(named)
}

/** The same options, where a server wants one of them as a list and others take one string. */
export function withList(options: Json, name: string): Json {
  const value = options[name]
  return typeof value === 'string' ? { ...options, [name]: [value] } : options
}
