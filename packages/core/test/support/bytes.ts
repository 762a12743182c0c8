import * as fc from 'fast-check'

const encoder = new TextEncoder()

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Some places to cut bytes at, as fractions of their length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 })

/** Bytes in pieces; some may be empty. */
export function cutAt(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [0, ...at.map((fraction) => Math.round(fraction * bytes.length)), bytes.length].sort((a, b) => a - b)
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end))
}

/** Every byte by itself. */
export function eachByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte))
}
