import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { coalesceDefaults, coalesceDueAt, coalesceSent, coalesceStart, resolveCoalesce } from '../src/read/coalesce.ts'
import { coalesce } from '../src/transforms/coalesce.ts'
import { manualClock } from '../src/testing/manual-clock.ts'
import type { ChatEvent } from '../src/wire/events.ts'
import { turn } from './support/event-loop.ts'
import { drained, endless } from './support/streams.ts'

const message = (text: string): ChatEvent => ({ message: text })
const thinking = (text: string): ChatEvent => ({ thinking: text })
const call: ChatEvent = { tool_call: { id: 'call_1', name: 'now', arguments: {} } }
const done: ChatEvent = { done: true, reason: 'stop' }

test('coalesce options: the window is 100 ms, 0 is allowed, less and NaN throw', () => {
  expect(resolveCoalesce()).toEqual({ windowMs: 100 })
  expect(resolveCoalesce({ windowMs: 0 })).toEqual({ windowMs: 0 })
  expect(() => resolveCoalesce({ windowMs: -1 })).toThrow(RangeError)
  expect(() => resolveCoalesce({ windowMs: Number.NaN })).toThrow(RangeError)
  expect(() => coalesce({ windowMs: -1 })).toThrow(RangeError)
})

test('coalesce machine: the first text is due at once, the next a window after it was sent', () => {
  expect(coalesceDueAt(coalesceStart, 'text')).toBe(-Infinity)
  expect(coalesceDueAt(coalesceSent(1_000, coalesceDefaults), 'text')).toBe(1_100)
})

test('coalesce machine: what is no text is due at once, also within a window', () => {
  expect(coalesceDueAt(coalesceSent(1_000, coalesceDefaults), 'other')).toBe(-Infinity)
})

test('coalesce: the first delta goes at once, the next ones together when the window is over', async () => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock }))
  await writer.write(message('a'))
  await turn()
  expect(out).toEqual([message('a')])
  await writer.write(message('b'))
  clock.advance(99)
  await writer.write(message('c'))
  await turn()
  expect(out).toHaveLength(1)
  clock.advance(1)
  await turn()
  expect(out).toEqual([message('a'), message('bc')])
})

test('coalesce: a delta after a silent window goes at once', async () => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock }))
  await writer.write(message('a'))
  clock.advance(100)
  await writer.write(message('b'))
  await turn()
  expect(out).toEqual([message('a'), message('b')])
  expect(clock.timers).toBe(0)
})

test('coalesce: there is at most one text event in any window, and all text arrives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 150 }))),
      async (deltas) => {
        const clock = manualClock()
        const stage = coalesce({ clock })
        const writer = stage.writable.getWriter()
        const reader = stage.readable.getReader()
        const sent: { at: number; text: string }[] = []
        const drain = (async () => {
          for (let next = await reader.read(); !next.done; next = await reader.read()) {
            sent.push({ at: clock.now(), text: 'message' in next.value ? next.value.message : '' })
          }
        })()
        for (const [text, wait] of deltas) {
          await writer.write(message(text))
          await turn()
          for (let step = 0; step < wait; step++) {
            const before = clock.timers
            clock.advance(1)
            if (clock.timers !== before) await turn()
          }
        }
        clock.advance(100)
        await turn()
        await writer.close()
        await drain
        expect(sent.map(({ text }) => text).join('')).toBe(deltas.map(([text]) => text).join(''))
        for (const [i, { at }] of sent.entries())
          if (i > 0) expect(at - (sent[i - 1]?.at ?? 0)).toBeGreaterThanOrEqual(100)
        expect(clock.timers).toBe(0)
      },
    ),
    { numRuns: 30 },
  )
})

test('coalesce: thinking and text of one window stay apart and in order', async () => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock }))
  for (const event of [thinking('a'), thinking('b'), message('c'), message('d'), thinking('e')])
    await writer.write(event)
  clock.advance(100)
  await turn()
  expect(out).toEqual([thinking('a'), thinking('b'), message('cd'), thinking('e')])
})

test.for([
  ['a tool call', call],
  ['a status', { status: 'generating' }],
  ['a reset', { reset: 'thinking' }],
  ['data', { data: { type: 'sources' } }],
  ['a ping', { ping: 'keepalive' }],
  ['the terminal event', done],
] as const)('coalesce: %s goes at once, and the text before it goes first', async ([, event]) => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock }))
  for (const item of [message('a'), message('b'), message('c'), event]) await writer.write(item)
  await turn()
  expect(out).toEqual([message('a'), message('bc'), event])
  expect(clock.timers).toBe(0)
})

test('coalesce: text that a flush sent closes the window again', async () => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock }))
  for (const item of [message('a'), message('b'), call, message('c')]) await writer.write(item)
  clock.advance(99)
  await turn()
  expect(out).toHaveLength(3)
  clock.advance(1)
  await turn()
  expect(out.at(-1)).toEqual(message('c'))
})

test('coalesce: what is left goes out when the source ends, and no timer stays', async () => {
  const clock = manualClock()
  const { writer, out, ended } = drained(coalesce({ clock }))
  await writer.write(message('a'))
  await writer.write(message('b'))
  expect(clock.timers).toBe(1)
  await writer.close()
  await ended
  expect(out).toEqual([message('a'), message('b')])
  expect(clock.timers).toBe(0)
})

test('coalesce: a window of 0 sends every delta by itself', async () => {
  const clock = manualClock()
  const { writer, out } = drained(coalesce({ clock, windowMs: 0 }))
  for (const text of ['a', 'b', 'c']) await writer.write(message(text))
  await turn()
  expect(out).toEqual(['a', 'b', 'c'].map(message))
})

test('coalesce: a reader that does not read stops the source, and later reads on without a gap', async () => {
  const clock = manualClock()
  const source = endless((i) => message(`${i} `), turn)
  const reader = source.readable.pipeThrough(coalesce({ clock })).getReader()
  const pass = async (windows: number): Promise<void> => {
    for (let i = 0; i < windows; i++) {
      await turn()
      await turn()
      clock.advance(100)
    }
  }
  await pass(10)
  const { given } = source
  expect(given).toBeLessThanOrEqual(3)
  await pass(10)
  expect(source.given).toBe(given)
  let text = ''
  for (let i = 0; i < 5; i++) {
    const { value } = await reader.read()
    if (value && 'message' in value) text += value.message
    await pass(2)
  }
  expect(text).toBe(Array.from({ length: text.split(' ').length - 1 }, (_, i) => `${i} `).join(''))
  await reader.cancel()
  expect(clock.timers).toBe(0)
})

test('coalesce: cancel of the reader reaches the source and ends the timer', async () => {
  const clock = manualClock()
  const source = endless(() => message('a'), turn)
  const reader = source.readable.pipeThrough(coalesce({ clock })).getReader()
  await reader.read()
  await turn()
  await turn()
  expect(clock.timers).toBe(1)
  await reader.cancel('enough')
  expect(await source.cancelled).toBe('enough')
  expect(clock.timers).toBe(0)
})

test('coalesce: a source that fails ends the timer, and the reader learns why', async () => {
  const clock = manualClock()
  const { writer, ended } = drained(coalesce({ clock }))
  await writer.write(message('a'))
  await writer.write(message('b'))
  expect(clock.timers).toBe(1)
  await writer.abort(new Error('reset'))
  await expect(ended).rejects.toThrow('reset')
  expect(clock.timers).toBe(0)
  clock.advance(1_000)
})
