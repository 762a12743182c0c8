import { hash64 } from '../wire/hash64.ts'
import type { ChatTurn } from '../wire/messages.ts'

/** How many user messages tell one conversation from another. */
const digested = 3

/** Hashes of the first user messages of a conversation. */
export type Digest = readonly string[]

/**
 * Hashes the first three user messages. Says whether two histories are of one conversation; it is no security boundary.
 */
export function digestOf(messages: readonly ChatTurn[]): Digest {
  const hashes: string[] = []
  for (const { role, content } of messages) {
    if (role === 'user') hashes.push(hash64(content))
    if (hashes.length === digested) break
  }
  return hashes
}

/** Tells whether one digest continues the other: the shorter one is a prefix of the longer one. */
export function isSameConversation(a: Digest, b: Digest): boolean {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return false
  return true
}
