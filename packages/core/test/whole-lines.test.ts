import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWholeLines } from '../src/wire/whole-lines.ts'
import { utf8 } from './support/bytes.ts'

/** What was given out, piece by piece, as text of ASCII. */
function given(chunks: readonly string[], maxHeld = 100): string[] {
  const push = createWholeLines((bytes) => [new TextDecoder().decode(bytes)], maxHeld)
  return chunks.flatMap((chunk) => push(utf8(chunk)))
}

test('whole lines: a large read is given in pieces, each up to the end of a line', () => {
  const lines = Array.from({ length: 2_000 }, (_, n) => `${'x'.repeat(n % 50)}\n`).join('')
  const pieces = given([lines])
  expect(pieces.join('')).toBe(lines)
  expect(pieces.length).toBeGreaterThan(2)
  expect(pieces.every((piece) => piece.endsWith('\n') && piece.length <= 16_384)).toBe(true)
  expect(given([`${'x'.repeat(40_000)}\ny\n`])).toEqual([`${'x'.repeat(40_000)}\n`, 'y\n'])
})

test('whole lines: a read of one line is given as it came, and not copied', () => {
  const bytes = utf8('one\n\n')
  expect(createWholeLines((piece) => [piece], 100)(bytes)[0]).toBe(bytes)
})

test('whole lines: an unfinished line is held until its end comes', () => {
  expect(given(['one\ntw', 'o', '\nthr'])).toEqual(['one\n', 'two\n'])
})

test('whole lines: a carriage return ends a line, too', () => {
  expect(given(['one\rtwo\r\nthr', 'ee\r'])).toEqual(['one\rtwo\r\n', 'three\r'])
})

test('whole lines: a line longer than maxHeld is given out as it comes', () => {
  expect(given(['1234', '5678', '90\n', 'ab'], 6)).toEqual(['12345678', '90\n'])
  expect(given(['1\n2345678'], 6)).toEqual(['1\n', '2345678'])
})

test('whole lines: what is held is a copy of its own, of no more than it is', () => {
  const read = utf8(`${'x'.repeat(65_000)}\nrest`)
  const push = createWholeLines((bytes) => [bytes], 100)
  push(read)
  read.fill(0)
  const [line] = push(utf8('\n'))
  expect(new TextDecoder().decode(line)).toBe('rest\n')
  expect(line!.buffer.byteLength).toBe(5)
})

test('whole lines: any split gives the same bytes in the same order, and no line is split that fits', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r'), maxLength: 60 })
  fc.assert(
    fc.property(text, fc.array(fc.nat({ max: 60 })), (body, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut < body.length), body.length].sort((a, b) => a - b)
      const out = given(at.slice(1).map((end, i) => body.slice(at[i], end)))
      const whole = body.slice(0, Math.max(body.lastIndexOf('\n'), body.lastIndexOf('\r')) + 1)
      expect(out.join('')).toBe(whole)
    }),
  )
})
