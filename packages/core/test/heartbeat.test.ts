import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import { heartbeatDefaults, heartbeatDueAt, ping, resolveHeartbeat } from '../src/read/heartbeat.ts'
import { heartbeat } from '../src/transforms/heartbeat.ts'
import type { ChatEvent } from '../src/wire/events.ts'
import { turn } from './support/event-loop.ts'
import { drained, endless } from './support/streams.ts'

const message = (text: string): ChatEvent => ({ message: text })

test('heartbeat options: the interval is 5 s, 0 and NaN throw', () => {
  expect(resolveHeartbeat()).toEqual({ intervalMs: 5_000 })
  expect(() => resolveHeartbeat({ intervalMs: 0 })).toThrow(RangeError)
  expect(() => resolveHeartbeat({ intervalMs: Number.NaN })).toThrow(RangeError)
  expect(() => heartbeat({ intervalMs: -1 })).toThrow(RangeError)
})

test('heartbeat machine: a ping is due one interval after the reader last got anything', () => {
  expect(heartbeatDueAt(1_000, heartbeatDefaults)).toBe(6_000)
})

test('heartbeat: a ping goes out after each interval of silence', async () => {
  const clock = manualClock()
  const { out } = drained(heartbeat({ clock }))
  await turn()
  clock.advance(4_999)
  await turn()
  expect(out).toEqual([])
  clock.advance(1)
  await turn()
  expect(out).toEqual([ping])
  for (let i = 0; i < 3; i++) {
    clock.advance(5_000)
    await turn()
  }
  expect(out).toHaveLength(4)
})

test('heartbeat: an event puts the ping off by a whole interval, and one timer serves them all', async () => {
  const clock = manualClock()
  const { writer, out } = drained(heartbeat({ clock }))
  for (let i = 0; i < 10; i++) {
    clock.advance(3_000)
    await writer.write(message('a'))
    expect(clock.timers).toBe(1)
  }
  await turn()
  expect(out).not.toContainEqual(ping)
  clock.advance(4_999)
  await turn()
  expect(out).toHaveLength(10)
  clock.advance(1)
  await turn()
  expect(out.at(-1)).toEqual(ping)
})

test('heartbeat: a reader that does not read finds one ping at most, however long it was away', async () => {
  const clock = manualClock()
  const reader = heartbeat({ clock }).readable.getReader()
  await turn()
  clock.advance(60_000)
  expect((await reader.read()).value).toEqual(ping)
  let late: unknown
  const next = reader.read().then(({ value }) => (late = value))
  await turn()
  expect(late).toBeUndefined()
  clock.advance(5_000)
  await next
  expect(late).toEqual(ping)
})

test('heartbeat: a reader that does not read stops the source', async () => {
  const clock = manualClock()
  const source = endless((i) => message(String(i)))
  const reader = source.readable.pipeThrough(heartbeat({ clock })).getReader()
  await turn()
  const { given } = source
  expect(given).toBeLessThanOrEqual(3)
  clock.advance(60_000)
  await turn()
  expect(source.given).toBe(given)
  expect((await reader.read()).value).toEqual(message('0'))
  await reader.cancel()
})

test('heartbeat: after a sleep one ping goes out, not one for each interval slept through', async () => {
  const clock = manualClock()
  const { out } = drained(heartbeat({ clock }))
  await turn()
  clock.sleep(3_600_000)
  clock.advance(0)
  await turn()
  expect(out).toEqual([ping])
})

test('heartbeat: no timer stays when the source ends', async () => {
  const clock = manualClock()
  const { writer, out, ended } = drained(heartbeat({ clock }))
  await writer.write(message('a'))
  await writer.close()
  await ended
  expect(out).toEqual([message('a')])
  expect(clock.timers).toBe(0)
})

test('heartbeat: no timer stays when the source fails', async () => {
  const clock = manualClock()
  const { writer, ended } = drained(heartbeat({ clock }))
  await writer.abort(new Error('reset'))
  await expect(ended).rejects.toThrow('reset')
  expect(clock.timers).toBe(0)
})

test('heartbeat: cancel of the reader reaches the source and leaves no timer', async () => {
  const clock = manualClock()
  const source = endless(() => message('a'))
  const reader = source.readable.pipeThrough(heartbeat({ clock })).getReader()
  await reader.read()
  await reader.cancel('enough')
  expect(await source.cancelled).toBe('enough')
  expect(clock.timers).toBe(0)
})
