import { seededRandom } from '@midstream/core/testing'
import { createParser } from 'eventsource-parser'
import { expect, test } from 'vitest'
import { createEventStream } from '../src/connection/event-stream.ts'

type Parsed = [data: string, id: string | undefined]

function parse(parts: readonly string[], maxChars = 1_000): { events: Parsed[]; isTooLong: boolean } {
  const events: Parsed[] = []
  const stream = createEventStream(maxChars, (data, id) => events.push([data, id]))
  return { events, isTooLong: parts.map((part) => stream.feed(part)).includes(true) }
}
/** What the common parser makes of the same text. */
function expected(text: string): Parsed[] {
  const events: Parsed[] = []
  createParser({ onEvent: ({ data, id }) => events.push([data, id]) }).feed(text)
  return events
}

test('event stream: in any split, any text gives the events that eventsource-parser gives', () => {
  const random = seededRandom(7)
  const pieces = [
    'data',
    'id',
    'event',
    ':',
    ': ',
    ' ',
    '\n',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    'x',
    '{"a":1}',
    '\0',
    'é',
    'datax',
  ] as const
  for (let round = 0; round < 5_000; round++) {
    const parts = Array.from({ length: random.below(24) }, () => random.pick([...pieces]) as string)
    expect({ parts, events: parse(parts).events }).toEqual({ parts, events: expected(parts.join('')) })
  }
})

test('event stream: a CR and its LF in two reads end one line, also with an empty read in between', () => {
  const parts = ['data: a\r', '', '\ndata: b\r', '\n\r', '\n']
  expect(parse(parts).events).toEqual([['a\nb', undefined]])
})

test.each([
  ['one line', ['data: ' + 'x'.repeat(600), 'x'.repeat(600)]],
  ['many lines', Array.from({ length: 600 }, () => 'data: x\n')],
  ['a comment', [':' + 'x'.repeat(1_200)]],
])('event stream: %s of more than maxChars is too long', (_what, parts) => {
  expect(parse(parts).isTooLong).toBe(true)
})

test('event stream: the end of an event begins the count anew', () => {
  expect(parse(Array.from({ length: 600 }, () => 'data: x\n\n')).isTooLong).toBe(false)
})

test('event stream: without blank lines, a JSON object ends where the next one, or its id, begins', () => {
  const a = '{"a":{}}'
  const events = (...lines: string[]): Parsed[] => parse(lines.map((line) => `${line}\n`)).events
  expect(events(`data: ${a}`, 'id: 1', `data: ${a}`, 'id: 2', `data: ${a}`, '')).toEqual([
    [a, undefined],
    [a, '1'],
    [a, '2'],
  ])
  expect(events(`data: ${a}`, `data: ${a}`, '')).toEqual([
    [a, undefined],
    [a, undefined],
  ])
  // Behind its data, where blank lines are.
  expect(events(`data: ${a}`, '', `data: ${a}`, 'id: 1', '')).toEqual([
    [a, undefined],
    [a, '1'],
  ])
  expect(events('data: {"a":', 'data: {}', 'data: ,"b":[{}', 'data: ,{}]}', '')).toEqual([
    ['{"a":\n{}\n,"b":[{}\n,{}]}', undefined],
  ])
})
