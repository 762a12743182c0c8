import { ChatError } from '../wire/errors.ts'
import { isRecord } from '../wire/json.ts'
import type { GatewayRequest } from './request.ts'

/** The owner of everything in a gateway that asks nobody who they are. */
export type Owner = string | undefined

/** Who asks: an owner, and whatever else the app wants to find again. Without `authorize` the owner is undefined. @public */
export interface Identity {
  readonly owner: string | undefined
}

/** Everybody, where nobody is asked who they are. */
export const nobody: Identity = /* @__PURE__ */ Object.freeze({ owner: undefined })

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

/**
 * Who is asking, by the app's own function.
 * @throws {ChatError} `unauthorized`. Whatever else `authorize` throws lets nobody in either.
 */
export async function identityOf(request: GatewayRequest, authorize: Asking): Promise<Identity> {
  if (!authorize) return nobody
  const said: unknown = await authorize(request)
  if (typeof said === 'string' && said !== '') return { owner: said }
  if (isRecord(said) && typeof said['owner'] === 'string' && said['owner'] !== '') return said as { owner: string }
  throw new ChatError('unauthorized', 'Authentication required.')
}

/** @throws {TypeError} Whoever answers with something else would have nobody counted. */
export async function clientOf(request: GatewayRequest, named: Asking): Promise<string | undefined> {
  const client = (await named?.(request)) ?? undefined
  if (client === undefined || typeof client === 'string') return client
  throw new TypeError(`clientOf must return a string, null or undefined, and not a ${typeof client}.`)
}
