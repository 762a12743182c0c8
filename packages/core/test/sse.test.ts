import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSseDecoder, encodeSse, sseDecode, type SseFrame } from '../src/wire/sse.ts'
import { cutAt, cuts, eachByte, utf8 } from './support/bytes.ts'
import { all, endless, streamOf } from './support/streams.ts'

function decode(pieces: readonly Uint8Array[]): SseFrame[] {
  const decoder = createSseDecoder()
  return pieces.flatMap((piece) => decoder.push(piece))
}
const dataOf = (text: string): string[] => decode([utf8(text)]).map(({ data }) => data)

/** The rules of WHATWG HTML §9.2.6 over a whole body, written without a thought of speed. */
function reference(body: string): SseFrame[] {
  const lines = body.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  lines.pop() // what no line end follows is no line
  const frames: SseFrame[] = []
  let id: string | undefined
  let event = ''
  let data: string[] = []
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) frames.push({ id, event: event || undefined, data: data.join('\n') })
      id = undefined
      event = ''
      data = []
      continue
    }
    const [, field = line, value = ''] = /^([^:]*):? ?([^]*)$/.exec(line) ?? []
    if (field === 'data') data.push(value)
    if (field === 'event') event = value
    if (field === 'id' && !value.includes('\0')) id = value
  }
  return frames
}

const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '',
    'data: {"message":"春光😀"}',
    'data:b',
    'data',
    'data:  c',
    ': ping',
    ':',
    'event: x',
    'event',
  ),
  fc.constantFrom(
    'id: 7',
    'id',
    'id: 1\0',
    'retry: 10',
    'retry: x',
    'unknown: x',
    'data : x',
    'Data: x',
    'dat',
    '\uFEFFdata: x',
  ),
  fc.string({ unit: 'binary' }).map((text) => `data: ${text.replaceAll(/[\r\n]/g, '')}`),
)
const body = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r'))), line)
  .map(([bom, lines, tail]) => (bom ? '\uFEFF' : '') + lines.flat().join('') + tail)

test('sse: any split of the bytes gives the frames of the specification', () => {
  fc.assert(
    fc.property(body, cuts, (text, at) => {
      expect(decode(cutAt(utf8(text), at))).toEqual(reference(text))
    }),
    { numRuns: 400 },
  )
})

test('sse: bytes that come one by one give the frames of the specification', () => {
  fc.assert(
    fc.property(body, (text) => {
      expect(decode(eachByte(utf8(text)))).toEqual(reference(text))
    }),
  )
})

test.for(['\n', '\r', '\r\n'])('sse: %j ends a line', (end) => {
  expect(dataOf(['data: a', '', 'data: b', 'data: c', '', ''].join(end))).toEqual(['a', 'b\nc'])
})

test('sse: CR at the end of one read and LF at the start of the next are one line end', () => {
  expect(decode(['data: a\r', '\ndata: b\r', '\n\r', '\n'].map(utf8)).map(({ data }) => data)).toEqual(['a\nb'])
})

test('sse: one leading byte order mark is dropped, a second one makes its line an unknown field', () => {
  expect(dataOf('\uFEFFdata: 1\n\n')).toEqual(['1'])
  expect(dataOf('\uFEFF\uFEFFdata: 1\n\ndata: 2\n\n')).toEqual(['2'])
})

test('sse: a byte order mark further on is data', () => {
  expect(dataOf('data: 1\n\n\uFEFFdata: 2\n\ndata: 3\n\n')).toEqual(['1', '3'])
})

test('sse: exactly one space after the colon is dropped', () => {
  expect(dataOf('data:a\n\ndata: b\n\ndata:  c\n\ndata:\td\n\n')).toEqual(['a', 'b', ' c', '\td'])
})

test('sse: data without a value is a frame of no text, a frame without data is none', () => {
  expect(dataOf('data\n\ndata:\n\nevent: x\n\nid: 3\n\n')).toEqual(['', ''])
})

test('sse: id and event belong to their frame alone', () => {
  expect(decode([utf8('id: 12\nevent: delta\ndata: a\n\ndata: b\n\n')])).toEqual([
    { id: '12', event: 'delta', data: 'a' },
    { id: undefined, event: undefined, data: 'b' },
  ])
})

test('sse: an id with a NUL is ignored', () => {
  expect(decode([utf8('id: 1\0\ndata: a\n\n')])).toEqual([{ id: undefined, event: undefined, data: 'a' }])
})

test('sse: comments are no frames, and put nothing into one', () => {
  expect(dataOf(': keep-alive\n\n:\n\ndata: a\n: between\ndata: b\n\n')).toEqual(['a\nb'])
})

test('sse: a frame that the end of the body cuts off is never given out', () => {
  const whole = utf8('data: a\n\ndata: b\n\n')
  for (let cut = 0; cut < whole.length; cut++) {
    expect(decode([whole.subarray(0, cut)])).toHaveLength(cut < 9 ? 0 : 1)
  }
})

test('sse: bytes that are no UTF-8 become U+FFFD', () => {
  expect(decode([utf8('data: a'), Uint8Array.of(0xff), utf8('b\n\n')])[0]?.data).toBe('a\uFFFDb')
})

test('sse: a frame that grows too long is overflow, after what came before it and ever after', () => {
  const decoder = createSseDecoder({ maxChars: 10 })
  expect(decoder.push(utf8('data: ok\n\ndata: 12345678901')).map(({ data }) => data)).toEqual(['ok'])
  expect(() => decoder.push(utf8('\n\n'))).toThrow(expect.objectContaining({ code: 'overflow' }))
  expect(() => decoder.push(utf8('data: ok\n\n'))).toThrow(expect.objectContaining({ code: 'overflow' }))
})

test('sse: many short lines of one frame are too long together', () => {
  const decoder = createSseDecoder({ maxChars: 100 })
  const push = (): void => {
    for (let i = 0; i < 100; i++) decoder.push(utf8('data: 12345\n'))
  }
  expect(push).toThrow(expect.objectContaining({ code: 'overflow' }))
})

test('sse: an endless line is overflow at the limit, not memory', () => {
  const decoder = createSseDecoder({ maxChars: 1_000 })
  let pushed = 0
  const push = (): void => {
    for (decoder.push(utf8('data: ')); pushed < 100; pushed++) decoder.push(utf8('x'.repeat(100)))
  }
  expect(push).toThrow(expect.objectContaining({ code: 'overflow' }))
  expect(pushed).toBeLessThanOrEqual(10)
})

test('sse: an endless line of an unknown field costs nothing and is survived', () => {
  const decoder = createSseDecoder({ maxChars: 100 })
  for (let i = 0; i < 100; i++) expect(decoder.push(utf8('x'.repeat(100)))).toEqual([])
  expect(decoder.push(utf8('\ndata: a\n\n')).map(({ data }) => data)).toEqual(['a'])
})

test('sse: a position is the id of a frame, and a frame without one has none', () => {
  expect(encodeSse('{"message":"a"}', 1)).toBe('id: 1\ndata: {"message":"a"}\n\n')
  expect(encodeSse('{"ping":"keepalive"}')).toBe('data: {"ping":"keepalive"}\n\n')
  expect(encodeSse('{"done":true}', 0)).toBe('id: 0\ndata: {"done":true}\n\n')
})

test('sse: what is encoded decodes to the same JSON, whatever text it holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), cuts, (message, position, at) => {
      const frames = decode(cutAt(utf8(encodeSse(JSON.stringify({ message }), position)), at))
      expect(frames.map(({ id, data }) => [id, JSON.parse(data)])).toEqual([[String(position), { message }]])
    }),
  )
})

test('sseDecode: frames come out as they complete', async () => {
  const frames = await all(streamOf(eachByte(utf8('data: a\n\ndata: b\n\ndata: c'))).pipeThrough(sseDecode()))
  expect(frames.map(({ data }) => data)).toEqual(['a', 'b'])
})

test('sseDecode: overflow fails the stream, also when the body ends right there', async () => {
  const frames = streamOf([utf8('data: ok\n\ndata: 12345678901')]).pipeThrough(sseDecode({ maxChars: 10 }))
  const reader = frames.getReader()
  expect((await reader.read()).value?.data).toBe('ok')
  await expect(reader.read()).rejects.toMatchObject({ code: 'overflow' })
})

test('sseDecode: a reader that does not read stops the source', async () => {
  const source = endless(() => utf8('data: a\n\n'))
  const reader = source.readable.pipeThrough(sseDecode()).getReader()
  await reader.read()
  expect(source.given).toBeLessThanOrEqual(3)
  await reader.cancel()
})

test('sseDecode: cancel reaches the source', async () => {
  const source = endless(() => utf8('data: a\n\n'))
  const reader = source.readable.pipeThrough(sseDecode()).getReader()
  await reader.read()
  await reader.cancel('enough')
  expect(await source.cancelled).toBe('enough')
})

test('sse: comments are given out where they are asked for, in their place, at any split', () => {
  const body = utf8(':\n\ndata: a\n\n: ping\n\ndata: b\n: inside\n\n')
  const decodeWith = (pieces: readonly Uint8Array[]): string[] => {
    const decoder = createSseDecoder({ comments: true })
    return pieces.flatMap((piece) => decoder.push(piece)).map(({ event = '', data }) => `${event}:${data}`)
  }
  const seen = ['comment:', ':a', 'comment:ping', 'comment:inside', ':b']
  expect(decodeWith([body])).toEqual(seen)
  expect(decodeWith(eachByte(body))).toEqual(seen)
  expect(decode([body]).map(({ data }) => data)).toEqual(['a', 'b'])
})
