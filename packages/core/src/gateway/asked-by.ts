import { hash64 } from '../wire/hash64.ts'
import type { ChatRequest } from '../wire/messages.ts'
import { networkOf } from './network.ts'
import type { Identity } from './owner.ts'

/** Who asks. */
export interface Asker {
  readonly identity: Identity
  /** Whose runs are counted together; undefined counts nobody's. */
  readonly client: string | undefined
  /** The address of the other end of the socket. */
  readonly address: string | undefined
}

/**
 * Who asks, and what, whatever ids it has: what failures are told apart by. Each name that the app gives counts by itself: one
 * user may have many accounts, or many addresses. Where it gives none, the user's network is one.
 */
export function askedBy({ messages, options, tools, think }: ChatRequest, asker: Asker): readonly string[] {
  const { client, address } = asker
  const { owner } = asker.identity
  const names = { client, owner, network: owner === undefined && client === undefined ? networkOf(address) : undefined }
  const turns = messages.map((message) => ({ ...message, id: undefined }))
  const request = hash64(JSON.stringify([turns, options, tools, think]))
  return Object.entries({ ...names, request }).flatMap(([kind, name]) => (name === undefined ? [] : `${kind} ${name}`))
}
