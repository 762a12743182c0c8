/**
 * A synchronous 64-bit hash of text, as 16 hex digits: two lanes of multiply and xor over its UTF-16 code units, with
 * MurmurHash3's finaliser (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp, `fmix32`).
 */
export function hash64(text: string): string {
  let a = 0x9e3779b9 ^ text.length
  let b = 0x85ebca6b ^ text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ (code + i), 0x5bd1e995)
    b ^= b >>> 15
  }
  return hex(mix(a ^ (b >>> 3))) + hex(mix(b ^ Math.imul(a, 0x1b873593)))
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0')
