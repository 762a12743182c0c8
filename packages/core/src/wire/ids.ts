/** What an id names: a session, a run, a message or a tool call. @public */
export type IdKind = 'sess' | 'run' | 'msg' | 'call'

const shape = /^[a-z]+_[\w-]{22,64}$/

/** Fills an array with random bytes, as `crypto.getRandomValues` does. @public */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>

/** The randomness of the platform. @public */
export const systemRandom: RandomBytes = (bytes) => crypto.getRandomValues(bytes)

/**
 * Makes an id of 128 random bits. Uses `getRandomValues`, as pages on plain http lack `randomUUID`.
 * @param random - Where the bits come from. Default: `crypto.getRandomValues`.
 * @public
 */
export function createId(kind: IdKind, random: RandomBytes = systemRandom): string {
  let hex = ''
  for (const byte of random(new Uint8Array(16))) hex += byte.toString(16).padStart(2, '0')
  return `${kind}_${hex}`
}

/**
 * Tells whether a value from outside is an id of this kind: its prefix, then 22 to 64 letters, digits, `-` or `_`
 * (22 characters are 128 bits in base64url).
 * @public
 */
export function isId(kind: IdKind, value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(`${kind}_`) && shape.test(value)
}
