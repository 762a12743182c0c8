import { expect, test } from 'vitest'
import { pieces } from '../src/upstream/pieces.ts'

test('pieces: a large read is the same bytes in small views of it', () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251)
  const made = pieces(bytes)
  expect(Buffer.concat(made)).toEqual(Buffer.from(bytes))
  expect(made.map(({ length }) => length)).toEqual([4_096, 4_096, 1_808])
  expect(made.every(({ buffer }) => buffer === bytes.buffer)).toBe(true)
  expect(pieces(bytes.subarray(0, 4_096))).toHaveLength(1)
  expect(pieces(new Uint8Array())).toHaveLength(1)
})
