import { ChatError } from '../wire/errors.ts'
import type { GatewayRequest } from './request.ts'

/** The owner of everything in a gateway that asks nobody who they are. */
export type Owner = string | undefined

/** What the app says of a request, by a function of its own. */
type Asking = ((request: GatewayRequest) => unknown) | undefined

export function notFound(what: string): ChatError {
  return new ChatError('not_found', `There is no such ${what}.`)
}

/**
 * What somebody asks for, where it is theirs.
 * @throws {ChatError} `not_found` for somebody else's: nobody is told that it is there.
 */
export function owned<T extends { readonly owner: Owner }>(
  found: T | undefined,
  owner: Owner,
  what: string,
): T | undefined {
  if (found && found.owner !== owner) throw notFound(what)
  return found
}

/** @throws {ChatError} `unauthorized`. Whatever else `authorize` throws lets nobody in either. */
export async function ownerOf(request: GatewayRequest, authorize: Asking): Promise<Owner> {
  if (!authorize) return undefined
  const owner: unknown = await authorize(request)
  if (typeof owner === 'string' && owner !== '') return owner
  throw new ChatError('unauthorized', 'Authentication required.')
}

/** @throws {TypeError} Whoever answers with something else would have nobody counted. */
export async function clientOf(request: GatewayRequest, named: Asking): Promise<string | undefined> {
  const client = (await named?.(request)) ?? undefined
  if (client === undefined || typeof client === 'string') return client
  throw new TypeError(`clientOf must return a string, null or undefined, and not a ${typeof client}.`)
}
