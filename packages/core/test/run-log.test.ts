import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { blockBytes, boundaryBytes, stringBytes } from '../src/run/held-bytes.ts'
import type { LogEntry, Partial } from '../src/run/log-view.ts'
import { createRunLog, type RunLog } from '../src/run/run-log.ts'
import type { LogEvent, ToolCall } from '../src/wire/events.ts'
import { heapBytes } from '@midstream/test-support/heap'

type Unit =
  | { readonly kind: 'message' | 'thinking'; readonly code: string }
  | { readonly kind: 'event'; readonly event: LogEvent }

/** The log as docs/design.md §1 defines it: one entry a unit, without a thought of speed. */
function createModel() {
  let units: Unit[] = []
  let ends: number[] = []
  let half: Unit | undefined
  const codeAt = (i: number): string => {
    const unit = units[i]
    return unit && unit.kind !== 'event' ? unit.code : ''
  }
  return {
    get length() {
      return units.length
    },
    get urgentTo() {
      return units.findLastIndex(({ kind }) => kind === 'event') + 1
    },
    append(event: LogEvent): void {
      const before = units.length
      const kind = 'message' in event ? 'message' : 'thinking' in event ? 'thinking' : 'event'
      const text = 'message' in event ? event.message : 'thinking' in event ? event.thinking : undefined
      if (text === '') return
      if (half) units.push(half)
      if (kind === 'event') units.push({ kind, event })
      else units.push(...(text ?? '').split('').map((code): Unit => ({ kind, code })))
      // A high half at the end is not there until something comes after it.
      const last = units.at(-1)
      half = last && last.kind !== 'event' && /[\ud800-\udbff]/.test(last.code) ? units.pop() : undefined
      if (units.length > before) ends.push(units.length)
    },
    read(from: number, to: number): LogEntry[] {
      const entries: LogEntry[] = []
      for (const [i, unit] of units.entries()) {
        if (i < from || i >= to) continue
        const last = entries.at(-1)
        if (unit.kind === 'event') entries.push({ event: unit.event, position: i + 1 })
        else if (unit.kind === 'message') {
          const text = last && 'message' in last.event ? (entries.pop(), last.event.message) : ''
          entries.push({ event: { message: text + unit.code }, position: i + 1 })
        } else {
          const text = last && 'thinking' in last.event ? (entries.pop(), last.event.thinking) : ''
          entries.push({ event: { thinking: text + unit.code }, position: i + 1 })
        }
      }
      return entries
    },
    place(position: number): number {
      const at = Math.min(position, units.length)
      const isPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(codeAt(at - 1) + codeAt(at))
      return isPair && units[at - 1]?.kind === units[at]?.kind ? at - 1 : at
    },
    cut(position: number): void {
      half = undefined
      units = units.slice(0, position)
      ends = ends.filter((end) => end <= position)
    },
    boundary: (position: number): number => ends.findLast((end) => end <= position) ?? 0,
    deltaEnds: (): number[] =>
      ends
        .filter((end) => units[end - 1]?.kind === 'message')
        .map((end) => units.slice(0, end).filter(({ kind }) => kind === 'message').length),
    partial(to: number): Partial {
      let content = ''
      let thinking = ''
      const calls: ToolCall[] = []
      for (const unit of units.slice(0, to)) {
        if (unit.kind !== 'event') {
          if (unit.kind === 'message') content += unit.code
          else thinking += unit.code
        } else if ('reset' in unit.event) thinking = ''
        else if ('tool_call' in unit.event) calls.push(unit.event.tool_call)
      }
      return { content, ...(thinking ? { thinking } : {}), ...(calls.length > 0 ? { tool_calls: calls } : {}) }
    },
  }
}

const call: LogEvent = { tool_call: { id: 'call_1', name: 'now', arguments: {} } }
const data: LogEvent = { data: { type: 'sources' } }
const reset: LogEvent = { reset: 'thinking' }
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.string({ unit: fc.constantFrom('a', ' ', '春', '😀', '\ud83d', '\ude00'), maxLength: 6 }),
  },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(4_095), '😀'.repeat(2_048), 'y'.repeat(9_001)) },
)
const event: fc.Arbitrary<LogEvent> = fc.oneof(
  { weight: 6, arbitrary: piece.map((message) => ({ message })) },
  { weight: 3, arbitrary: piece.map((thinking) => ({ thinking })) },
  { weight: 2, arbitrary: fc.constantFrom(call, data, reset) },
)
const fraction = fc.double({ min: 0, max: 1, noNaN: true })
const filled = (events: readonly LogEvent[]): RunLog => {
  const log = createRunLog()
  for (const one of events) log.append(one)
  return log
}
const plain = (log: RunLog, from: number, to?: number): LogEvent[] => log.read(from, to).map((entry) => entry.event)

test('run log: does what a naive array of units does', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: event.map((one) => ({ append: one })) },
    { weight: 1, arbitrary: fraction.map((cut) => ({ cut })) },
  )
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.tuple(fraction, fraction), { maxLength: 8 }),
      (steps, ranges) => {
        const log = createRunLog()
        const model = createModel()
        for (const one of steps) {
          if ('append' in one) {
            log.append(one.append)
            model.append(one.append)
          } else {
            const at = Math.round(one.cut * model.length)
            log.cut(at)
            model.cut(at)
          }
          expect(log.length).toBe(model.length)
          if (!('cut' in one)) continue
          expect(log.urgentTo).toBeLessThanOrEqual(log.length)
        }
        for (const [a, b] of ranges) {
          const from = Math.round(a * log.length)
          const to = Math.round(b * log.length)
          expect(log.read(from, to)).toEqual(model.read(from, to))
          expect(log.place(from)).toBe(model.place(from))
          expect(log.boundary(from)).toBe(model.boundary(from))
          expect(log.partial(to)).toEqual(model.partial(to))
        }
        expect(log.read(0)).toEqual(model.read(0, model.length))
        expect(log.partial()).toEqual(model.partial(model.length))
        expect(log.deltaEnds()).toEqual(model.deltaEnds())
      },
    ),
    { numRuns: 300 },
  )
})

test('run log: urgentTo is the end of the last event that is no text', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const log = createRunLog()
      const model = createModel()
      for (const one of events) {
        log.append(one)
        model.append(one)
        expect(log.urgentTo).toBe(model.urgentTo)
      }
    }),
  )
})

test('run log: what stands before a position and what stands after it are the whole, for every position', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '春', '😀'), maxLength: 6 })
  const short = fc.oneof(
    text.map((message): LogEvent => ({ message })),
    text.map((thinking): LogEvent => ({ thinking })),
    fc.constantFrom(call, data, reset),
  )
  fc.assert(
    fc.property(fc.array(short, { maxLength: 12 }), (events) => {
      const log = filled(events)
      const whole = log.partial()
      for (let n = 0; n <= log.length; n++) {
        const joined = filled([...plain(log, 0, n), ...plain(log, n)])
        expect(joined.read(0)).toEqual(log.read(0))
        expect(joined.partial()).toEqual(whole)
      }
    }),
  )
})

test('run log: an empty one has a length of 0 and nothing to read', () => {
  const log = createRunLog()
  expect([log.length, log.urgentTo, log.boundary(0), log.place(undefined), log.place(7)]).toEqual([0, 0, 0, 0, 0])
  expect(log.read(0)).toEqual([])
  expect(log.partial()).toStrictEqual({ content: '' })
})

test('run log: neighbours of one kind are one event when read, with the position after it', () => {
  const log = filled([{ message: 'ab' }, { message: 'c' }, { thinking: 'd' }, { message: 'e' }])
  expect(log.read(0)).toEqual([
    { event: { message: 'abc' }, position: 3 },
    { event: { thinking: 'd' }, position: 4 },
    { event: { message: 'e' }, position: 5 },
  ])
  expect(log.read(1, 4)).toEqual([
    { event: { message: 'bc' }, position: 3 },
    { event: { thinking: 'd' }, position: 4 },
  ])
})

test('run log: text of no length leaves no trace, also between others', () => {
  const log = filled([{ message: '' }, { message: 'a' }, { thinking: '' }, { message: 'b' }, { message: '' }])
  expect(log.read(0)).toEqual([{ event: { message: 'ab' }, position: 2 }])
  expect(log.boundary(1)).toBe(1)
})

test('run log: an event that is no text is one unit', () => {
  const log = filled([{ message: 'a' }, call, data, { message: 'b' }])
  expect(log.length).toBe(4)
  expect(log.urgentTo).toBe(3)
  expect(log.read(1, 3)).toEqual([
    { event: call, position: 2 },
    { event: data, position: 3 },
  ])
})

test('run log: a reset takes one unit and rewinds no position', () => {
  const log = filled([{ thinking: 'abc' }, reset, { thinking: 'd' }, { message: 'e' }])
  expect(log.length).toBe(6)
  expect(log.partial()).toStrictEqual({ content: 'e', thinking: 'd' })
  expect(log.partial(3)).toStrictEqual({ content: '', thinking: 'abc' })
  expect(log.partial(4)).toStrictEqual({ content: '' })
})

test.for([
  [undefined, 5],
  [0, 0],
  [-3, 0],
  [Number.NaN, 0],
  [2, 2],
  [3, 2],
  [3.9, 2],
  [4, 4],
  [5, 5],
  [6, 5],
  [Infinity, 5],
] as const)('run log: position %s from outside is %s in "ab😀c"', ([position, at]) => {
  expect(filled([{ message: 'ab\ud83d' }, { message: '\ude00c' }]).place(position)).toBe(at)
})

test('run log: the high half of a pair is not there until its low half is', () => {
  const log = filled([{ message: 'a\ud83d' }])
  expect(log.read(0)).toEqual([{ event: { message: 'a' }, position: 1 }])
  log.append({ message: '' })
  log.append({ message: '\ude00b' })
  expect(log.read(1)).toEqual([{ event: { message: '😀b' }, position: 4 }])
  expect([1, 2, 3, 4].map((at) => log.boundary(at))).toEqual([1, 1, 1, 4])
})

test('run log: the high half of a pair that something else follows stays one', () => {
  const log = filled([{ message: 'a\ud83d' }, call, { message: '\ude00\ud83d' }, { thinking: 'b\ud83d' }])
  expect(plain(log, 0)).toEqual([{ message: 'a\ud83d' }, call, { message: '\ude00\ud83d' }, { thinking: 'b' }])
})

test('run log: a cut forgets a waiting half', () => {
  const log = filled([{ message: 'a\ud83d' }])
  log.cut(1)
  log.append({ message: 'b' })
  expect(log.partial().content).toBe('ab')
})

test('run log: two halves of a pair that different kinds hold are no pair', () => {
  expect(filled([{ message: 'a\ud83d' }, { thinking: '\ude00' }]).place(2)).toBe(2)
})

test('run log: what was cut never comes back, and writing goes on from there', () => {
  const log = filled([{ message: 'Hello' }, call, { message: 'world' }])
  log.cut(3)
  log.cut(99)
  log.append({ message: 'p' })
  expect(log.read(0)).toEqual([{ event: { message: 'Help' }, position: 4 }])
  expect(log.partial()).toStrictEqual({ content: 'Help' })
})

test('run log: a boundary is where a delta of the upstream ended, at or before the position', () => {
  const log = filled([{ message: 'Hello' }, { message: ' wor' }, { message: 'ld' }])
  expect([0, 4, 5, 8, 9, 10, 11, 99].map((at) => log.boundary(at))).toEqual([0, 0, 5, 5, 9, 9, 11, 11])
})

test('run log: ends of deltas of text are counted in the text, whatever stands between', () => {
  const log = filled([
    { thinking: 'Hm' },
    { message: 'Hello' },
    call,
    { message: ' wor' },
    { thinking: '!' },
    { message: 'ld' },
  ])
  expect(log.deltaEnds()).toEqual([5, 9, 11])
})

test('run log: a MiB in deltas of one character, which nobody reads, costs less than 24 bytes a delta', () => {
  const before = heapBytes()
  const log = createRunLog()
  for (let i = 0; i < 1_048_576; i++) log.append({ message: 'x' })
  expect((heapBytes() - before) / 1_048_576).toBeLessThan(24)
  expect(log.length).toBe(1_048_576)
})

test('run log: a MiB in deltas of ordinary size costs less than 4 bytes a character', () => {
  const before = heapBytes()
  const log = createRunLog()
  for (let i = 0; i < 131_072; i++) log.append({ message: ` token${i % 10}` })
  expect((heapBytes() - before) / log.length).toBeLessThan(4)
})

test('run log: bytes are those of its text and events, and of what keeps them', () => {
  const log = createRunLog()
  log.append({ message: '春光' })
  log.append({ data: { type: 'x' } })
  expect(log.bytes()).toBe(
    2 * (blockBytes + boundaryBytes) + stringBytes('春光') + stringBytes(JSON.stringify({ data: { type: 'x' } })),
  )
  expect([stringBytes('春光') - stringBytes(''), stringBytes('é') - stringBytes('')]).toEqual([4, 1])
  log.cut(1)
  expect(log.bytes()).toBe(blockBytes + stringBytes('春'))
})

test('run log: what is closed is read as before', () => {
  const log = filled([{ message: 'ab' }, { message: 'c' }, { data: { type: 'x' } }])
  const before = [log.read(0), log.deltaEnds(), log.length]
  log.close()
  expect([log.read(0), log.deltaEnds(), log.length]).toEqual(before)
})

test('log: text of megabytes is read in events that a reader can bear, none of which ends inside a pair', () => {
  const log = createRunLog()
  for (let i = 0; i < 3_000; i++) log.append({ message: `${'"'.repeat(999)}😀` })
  const entries = log.read(0)
  const texts = entries.map(({ event }) => ('message' in event ? event.message : ''))
  expect(texts.join('')).toBe(log.partial().content)
  expect(entries.length).toBeGreaterThan(1)
  expect(entries.at(-1)?.position).toBe(log.length)
  expect(texts.every((text) => text.isWellFormed() && JSON.stringify(text).length < 1_048_576)).toBe(true)
})
