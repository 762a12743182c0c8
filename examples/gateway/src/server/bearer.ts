import { createHash, timingSafeEqual } from 'node:crypto'

/** Tells whose token an `Authorization` header holds; null for nobody's. */
export type Bearer = (authorization: string | null | undefined) => string | null

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Every token is compared, and every one in the same time, so that how long an answer takes tells nothing of them.
 * @param tokens - By the name of their owner.
 */
export function createBearer(tokens: Readonly<Record<string, string>>): Bearer {
  const known = Object.entries(tokens).map(([owner, token]) => [owner, digest(token)] as const)
  return (authorization) => {
    const given = /^bearer +([\x21-\x7e]+)$/i.exec(authorization?.trim() ?? '')?.[1]
    if (given === undefined) return null
    const asked = digest(given)
    let found: string | null = null
    for (const [owner, token] of known) if (timingSafeEqual(token, asked)) found = owner
    return found
  }
}
