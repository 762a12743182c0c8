import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineDecoder, ndjsonDecode, parseLine } from '../src/wire/ndjson.ts'
import { cutAt, cuts, eachByte, utf8 } from './support/bytes.ts'
import { all, endless, streamOf } from './support/streams.ts'

function lines(pieces: readonly Uint8Array[], maxChars?: number): string[] {
  const decoder = createLineDecoder({ maxChars })
  return [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
}

const line = fc.oneof(
  fc.constantFrom('', ' ', '{"a":1}', '{"message":{"content":"春光😀"}}', '{"a":', 'null'),
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n]/g, '')),
)
const body = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')))
  .chain((ended) => line.map((tail) => ended.flat().join('') + tail))
const reference = (text: string): string[] =>
  text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .filter((line) => line.trim() !== '')

test('line decoder: any split of the bytes gives the same lines', () => {
  fc.assert(
    fc.property(body, cuts, (text, at) => {
      expect(lines(cutAt(utf8(text), at))).toEqual(reference(text))
    }),
    { numRuns: 400 },
  )
})

test('line decoder: bytes that come one by one give the same lines', () => {
  fc.assert(
    fc.property(body, (text) => {
      expect(lines(eachByte(utf8(text)))).toEqual(reference(text))
    }),
  )
})

test('line decoder: a line is given out as soon as its end is there', () => {
  const decoder = createLineDecoder()
  expect(decoder.push(utf8('{"a":1'))).toEqual([])
  expect(decoder.push(utf8('}\r'))).toEqual(['{"a":1}'])
  expect(decoder.push(utf8('\n{"b"'))).toEqual([])
  expect(decoder.end()).toEqual(['{"b"'])
})

test('line decoder: one leading byte order mark is dropped, a second one spoils its line alone', () => {
  expect(lines([utf8('\uFEFF{"a":1}\n')]).map(parseLine)).toEqual([{ value: { a: 1 } }])
  expect(lines([utf8('\uFEFF\uFEFF{"a":1}\n{"b":2}\n')]).map(parseLine)).toEqual([
    { malformed: '\uFEFF{"a":1}' },
    { value: { b: 2 } },
  ])
})

test('line decoder: U+2028 ends no line', () => {
  expect(lines([utf8('{"a":"\u2028\u0085"}\n')])).toHaveLength(1)
})

test('line decoder: a character cut off at the end of the body becomes U+FFFD', () => {
  expect(lines([utf8('春').subarray(0, 2)])).toEqual(['\uFFFD'])
})

test('line decoder: a line of just the limit passes', () => {
  expect(lines([utf8('1234567890\n1234567890')], 10)).toEqual(['1234567890', '1234567890'])
})

test('line decoder: any split of a body with a long line gives the lines before it, then overflow', () => {
  fc.assert(
    fc.property(cuts, (at) => {
      const decoder = createLineDecoder({ maxChars: 4 })
      const given: string[] = []
      const run = (): void => {
        for (const piece of cutAt(utf8('ab\ncd\n12345\nef\n'), at)) given.push(...decoder.push(piece))
        decoder.end()
      }
      expect(run).toThrow(expect.objectContaining({ code: 'overflow' }))
      expect(given).toEqual(['ab', 'cd'])
    }),
  )
})

test('line decoder: an endless line is overflow at the limit, not memory', () => {
  const decoder = createLineDecoder({ maxChars: 1_000 })
  let pushed = 0
  const push = (): void => {
    for (; pushed < 100; pushed++) decoder.push(utf8('x'.repeat(100)))
  }
  expect(push).toThrow(expect.objectContaining({ code: 'overflow' }))
  expect(pushed).toBe(10)
  expect(() => decoder.push(utf8('\n{}\n'))).toThrow(expect.objectContaining({ code: 'overflow' }))
})

test('line decoder: a line of many small reads is cut in linear time', () => {
  const decoder = createLineDecoder()
  const piece = utf8('x')
  for (let i = 0; i < 500_000; i++) decoder.push(piece)
  expect(decoder.push(utf8('\n'))[0]).toHaveLength(500_000)
})

test('parseLine: a bad line is data', () => {
  expect(parseLine('{"a":1}')).toEqual({ value: { a: 1 } })
  expect(parseLine('null')).toEqual({ value: null })
  expect(parseLine('<html>')).toEqual({ malformed: '<html>' })
})

test('ndjsonDecode: a bad line is one value among others, and the last line needs no end', async () => {
  const values = await all(streamOf(eachByte(utf8('{"a":1}\r\n\r\nbad\n{"b":2}'))).pipeThrough(ndjsonDecode()))
  expect(values).toEqual([{ value: { a: 1 } }, { malformed: 'bad' }, { value: { b: 2 } }])
})

test('ndjsonDecode: overflow fails the stream, also when the body ends right there', async () => {
  const reader = streamOf([utf8('{}\n123456')])
    .pipeThrough(ndjsonDecode({ maxChars: 5 }))
    .getReader()
  expect(await reader.read()).toEqual({ done: false, value: { value: {} } })
  await expect(reader.read()).rejects.toMatchObject({ code: 'overflow' })
})

test('ndjsonDecode: a reader that does not read stops the source, and cancel reaches it', async () => {
  const source = endless(() => utf8('{"a":1}\n'))
  const reader = source.readable.pipeThrough(ndjsonDecode()).getReader()
  await reader.read()
  expect(source.given).toBeLessThanOrEqual(3)
  await reader.cancel('enough')
  expect(await source.cancelled).toBe('enough')
})
