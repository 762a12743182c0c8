import { expect, test } from 'vitest'
import { createSseFrames } from '../src/upstream/reply/sse-frames.ts'
import { eachByte, utf8 } from './support/bytes.ts'

// How a body is cut into frames, whoever reads them. Shapes are those of real servers and proxies, or siblings of them.

const framesOf = (body: string, isLines = false): string[] => {
  const cut = (pieces: readonly Uint8Array[]): string[] => {
    const decoder = createSseFrames({ isLines })
    const frames = [...pieces.flatMap((piece) => decoder.push(piece)), ...decoder.end()]
    return frames.map(({ event, data }) => (event === undefined ? data : `${event}: ${data}`))
  }
  const frames = cut([utf8(body)])
  expect(cut(eachByte(utf8(body)))).toEqual(frames)
  return frames
}

test.for<[string, string]>([
  ['in capitals', 'Event: x\nData: {"a":1}\n\nDATA: {"b":2}\n\n'],
  ['with a space before the colon', 'event : x\ndata : {"a":1}\n\ndata : {"b":2}\n\n'],
  ['indented', '  event: x\n  data: {"a":1}\n\n\tData: {"b":2}\n\n'],
  ['with an id and a wait in capitals', 'ID: 7\nRetry: 5\nevent:x\ndata:{"a":1}\n\nId: 8\nDATA:{"b":2}\n\n'],
])('frames: names of fields %s are those fields', ([, body]) => {
  expect(framesOf(body)).toEqual(['x: {"a":1}', '{"b":2}'])
})

test.for(['Data: and so on', 'Error: not found', 'error: 1', 'ID: 7', 'id : 7', 'Event: x'])(
  'frames: a line of a text that holds line breaks may begin like a field, %s, and is text',
  (line) => {
    expect(framesOf(`data: {"a":"x\n${line}"}\n\n`)).toEqual([`{"a":"x\n${line}"}`])
  },
)

test('frames: an object on many lines may have fields in capitals, too', () => {
  expect(framesOf('Data: {\nData: "a":1\nData: }\n\n')).toEqual(['{\n"a":1\n}'])
})

const error = { error: { code: 429, message: 'Too many', status: 'RESOURCE_EXHAUSTED' } }
const pretty = JSON.stringify(error, null, 2)
test.for<[string, string]>([
  ['an object', pretty],
  ['an object that begins in its first line', `{ "error": {\n"code": 429 }\n}`],
  ['a list', JSON.stringify([error], null, 2)],
  ['a list that begins in the line of its object', `[${pretty}\n]`],
  ['a list with marks in lines of their own', `[\n${pretty}\n]`],
  ['an object with blank lines in it', pretty.replaceAll('\n', '\n\n')],
  ['an object in carriage returns', pretty.replaceAll('\n', '\r\n')],
  ['a list in one field', `data: ${JSON.stringify([error], null, 2)}`],
  ['a list in fields', JSON.stringify([error], null, 2).replaceAll(/^/gm, 'data: ')],
])('frames: %s on many lines is one frame, in every kind of body', ([, body]) => {
  for (const isLines of [false, true])
    for (const end of ['', '\n', '\n\n']) {
      const objects = framesOf(body + end, isLines).filter((data) => data.includes('{'))
      expect(objects).toHaveLength(1)
      expect(JSON.parse(objects[0]!.replace(/\]\s*$/, ''))).toMatchObject({ error: { code: 429 } })
    }
})

test('frames: the objects of a list come one by one, while it goes on', () => {
  const decoder = createSseFrames()
  const heard = ['[{"a":1}\n', ',\n{"b":\n2}\n', ', {"c":3},\n', ']\n'].map((piece) =>
    decoder
      .push(utf8(piece))
      .map(({ data }) => data)
      .filter((data) => data !== ''),
  )
  expect(heard.map((one) => one.map((data) => data.replaceAll(/[\s,]/g, '')))).toEqual([
    ['{"a":1}'],
    ['{"b":2}'],
    ['{"c":3}'],
    [],
  ])
})

test('frames: an object that was torn does not swallow what follows it', () => {
  const torn = '{"a":"lost'
  const after = ['data: {"b":2}\n\n', '{"b":2}\n', 'event: y\ndata: {"b":2}\n\n']
  for (const next of after) {
    const frames = framesOf(`${torn}\n${next}`)
    expect([frames[0], frames[1]?.slice(-7)]).toEqual([torn, '{"b":2}'])
    expect(framesOf(`data: ${torn}\n${next}`)[0]).toBe(torn)
  }
})

test('frames: a field whose name is broken, or of nobody, is read where it holds an object', () => {
  expect(framesOf('dta: {"a":1}\n\nmeta: {"b":2}\n\nnote: hello\n\n')).toEqual(['{"a":1}', '{"b":2}'])
})

test('frames: an object in a comment, or behind the name of an event, stood in a field whose name was torn off', () => {
  expect(framesOf(': {"a":1}\n\n:ta: {"b":2}\n\n: ping {now}\n\n')).toEqual([
    '{"a":1}',
    '{"b":2}',
    'comment: ping {now}',
  ])
  expect(framesOf('event: xdata: {"a":1}\n\nid: 7data: {"b":2}\n\n')).toEqual(['{"a":1}', '{"b":2}'])
  expect(framesOf('da: ta: {"a":1}\n\n:"x","choices":[{"b":2}]}\n\n')[0]).toBe('{"a":1}')
})

test.for<[string, string[]]>([
  ['Internal Server Error', ['line: Internal Server Error']],
  ['overloaded', ['line: overloaded']],
  ['<h1>502 Bad Gateway</h1>', ['line: <h1>502 Bad Gateway</h1>']],
  ['ces":[{"delta":{"content":"Hi"}}]}', ['line: ces":[{"delta":{"content":"Hi"}}]}']],
  ['春光', ['line: 春光']],
  ['[DONE]', ['line: [DONE]']],
  ['x-note: fine', []],
  ['1a3', []],
  ['err', []],
])('frames: a line that is no field, %s, is one where it may mean something', ([line, frames]) => {
  expect(framesOf(`${line}\ndata: {"a":1}\n\n`)).toEqual([...frames, '{"a":1}'])
})

test.for(['{x', '{x}', '{{', '{ nothing', '{1', '{,'])(
  'frames: %j waits for no other line, as no object begins like it',
  (line) => {
    const decoder = createSseFrames({ isLines: true })
    expect(decoder.push(utf8(`${line}\n`)).map(({ data }) => data)).toEqual([line])
    expect(decoder.push(utf8(`${line}\n{"a":1}\n`)).map(({ data }) => data)).toEqual([line, '{"a":1}'])
  },
)

test('frames: of objects in no field that do not end, each is a frame by itself: of lines at once, else once the next one begins', () => {
  const torn = '{"message":'
  const body = utf8(`${torn}\n${torn}\n${torn}\n`)
  const given = (isLines: boolean): string[] =>
    createSseFrames({ isLines })
      .push(body)
      .map(({ data }) => data)
  expect(given(true)).toEqual([torn, torn, torn])
  expect(given(false)).toEqual([torn, torn])
})

test('frames: what was cut off at the end of a body is no frame', () => {
  for (const cut of ['data: {"b', 'data: [DON', 'erro', 'error', 'error: {"a', 'da', 'id: 5'])
    expect(framesOf(`data: {"a":1}\n\n${cut}`)).toEqual(['{"a":1}'])
})
