import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import { driveFuse } from '../src/run/drive-fuse.ts'
import {
  fuseDefaults,
  fuseDueAt,
  fuseInput,
  resolveFuse,
  startFuse,
  stepFuse,
  type FuseInput,
  type FuseState,
} from '../src/run/fuse.ts'
import { fuse } from '../src/transforms/fuse.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { utf8 } from './support/bytes.ts'
import { turn } from './support/event-loop.ts'
import { drained, endless } from './support/streams.ts'

const policy = fuseDefaults
const bad: FuseInput = { type: 'malformed' }
const alive = (now = 0): FuseInput => ({ type: 'alive', now })
const delta = (now: number, bytes = 1): FuseInput => ({ type: 'delta', now, bytes })
const tick = (now: number): FuseInput => ({ type: 'tick', now })

function after(inputs: readonly FuseInput[], limits = policy): FuseState {
  return inputs.reduce((state, input) => stepFuse(state, input, limits), startFuse(0))
}
const codeOf = (state: FuseState): string => (state.phase === 'blown' ? state.error.code : 'intact')
const text = (message: string): UpstreamEvent => ({ message })

test('fuse options: the defaults are those of the design, and what is not above 0 throws', () => {
  expect(resolveFuse()).toEqual({
    malformed: 3,
    stallMs: 30_000,
    toolStallMs: 60_000,
    progressMs: 120_000,
    firstDeltaMs: 300_000,
    maxBytes: 4 * 1024 * 1024,
    maxRunMs: 3_600_000,
  })
  for (const name of Object.keys(fuseDefaults)) {
    expect(() => resolveFuse({ [name]: 0 })).toThrow(`fuse.${name}`)
    expect(() => resolveFuse({ [name]: Number.NaN })).toThrow(RangeError)
  }
  expect(resolveFuse({ stallMs: undefined, malformed: 1 })).toMatchObject({ stallMs: 30_000, malformed: 1 })
})

test('fuse machine: three malformed frames in a row blow it', () => {
  expect(codeOf(after([bad, bad]))).toBe('intact')
  expect(after([bad, bad, bad])).toMatchObject({
    phase: 'blown',
    error: { code: 'upstream_malformed', retryable: true },
  })
})

test.for([
  ['a delta', delta(1)],
  ['a valid frame without progress', alive()],
] as const)('fuse machine: two malformed frames, %s and two more do not blow it', ([, good]) => {
  expect(codeOf(after([bad, bad, good, bad, bad]))).toBe('intact')
  expect(codeOf(after([bad, bad, good, bad, bad, bad]))).toBe('upstream_malformed')
})

test('fuse machine: it is stalled stallMs after the last delta, and no earlier', () => {
  const flowing = after([delta(1_000), delta(2_000)])
  expect(fuseDueAt(flowing, policy)).toBe(32_000)
  expect(codeOf(stepFuse(flowing, tick(31_999), policy))).toBe('intact')
  expect(stepFuse(flowing, tick(32_000), policy)).toMatchObject({
    error: { code: 'upstream_stalled', retryable: true },
  })
})

test('fuse machine: before the first delta only firstDeltaMs counts', () => {
  const waiting = after([alive(1), bad, alive(2)])
  expect(fuseDueAt(waiting, policy)).toBe(300_000)
  expect(codeOf(stepFuse(waiting, tick(120_000), policy))).toBe('intact')
  expect(stepFuse(waiting, tick(300_000), policy)).toMatchObject({
    error: { code: 'upstream_silent', retryable: true },
  })
})

test('fuse machine: frames without progress put a stall off by stallMs each, up to progressMs, and unreadable ones do not', () => {
  const flowing = after([delta(1_000), alive(20_000), bad])
  expect(fuseDueAt(flowing, policy)).toBe(50_000)
  expect(codeOf(stepFuse(flowing, tick(49_999), policy))).toBe('intact')
  expect(stepFuse(flowing, tick(50_000), policy)).toMatchObject({
    error: { message: expect.stringContaining('silent') },
  })
  const alone = after([delta(1_000), ...[20, 40, 60, 80, 100, 119].map((s) => alive(s * 1_000))])
  expect(fuseDueAt(alone, policy)).toBe(121_000)
  expect(stepFuse(alone, tick(121_000), policy)).toMatchObject({
    error: { code: 'upstream_stalled', retryable: true, message: expect.stringContaining('no progress') },
  })
  expect(fuseDueAt(stepFuse(alone, delta(120_000), policy), policy)).toBe(150_000)
})

test('fuse machine: a progressMs below stallMs counts as stallMs', () => {
  const limits = resolveFuse({ stallMs: 200_000 })
  expect(fuseDueAt(after([delta(1_000), alive(2_000)], limits), limits)).toBe(201_000)
  expect(fuseDueAt(after([delta(1_000)], limits), limits)).toBe(201_000)
})

test('fuse machine: what an attempt heard before another one is no life sign of that', () => {
  const asked = after([delta(0), alive(9_000), { type: 'rest' }, { type: 'ask', now: 10_000 }, delta(11_000)])
  expect(fuseDueAt(asked, policy)).toBe(41_000)
})

test('fuse machine: a run that goes on for maxRunMs ends, deltas or not', () => {
  const flowing = after([delta(3_599_999)])
  expect(fuseDueAt(flowing, policy)).toBe(3_600_000)
  expect(stepFuse(flowing, tick(3_600_000), policy)).toMatchObject({
    error: { code: 'run_too_long', retryable: false },
  })
})

test('fuse machine: maxBytes is passed by the delta that goes beyond it', () => {
  const limits = resolveFuse({ maxBytes: 10 })
  expect(codeOf(after([delta(0, 6), delta(0, 4)], limits))).toBe('intact')
  expect(after([delta(0, 6), delta(0, 5)], limits)).toMatchObject({ error: { code: 'overflow', retryable: false } })
})

test('fuse machine: a tick that came too early and a good frame change nothing, to the object', () => {
  const state = after([delta(1_000)])
  expect(stepFuse(state, tick(2_000), policy)).toBe(state)
  expect(stepFuse(state, alive(0), policy)).toBe(state)
})

test('fuse machine: once blown it absorbs everything and wants no more ticks', () => {
  const input = fc.oneof(
    fc.constant(bad),
    fc.constant(alive()),
    fc.nat().map(tick),
    fc.tuple(fc.nat(), fc.nat()).map(([now, bytes]) => delta(now, bytes)),
  )
  const blown = after([bad, bad, bad])
  fc.assert(
    fc.property(
      fc.array(input),
      (inputs) => inputs.reduce((state, one) => stepFuse(state, one, policy), blown) === blown,
    ),
  )
  expect(fuseDueAt(blown, policy)).toBe(Infinity)
})

test('fuse input: text and thinking count in UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('message', 'thinking'), (value, kind) => {
      fc.pre(value !== '')
      const event = kind === 'message' ? { message: value } : { thinking: value }
      expect(fuseInput(event, 7)).toEqual({ type: 'delta', now: 7, bytes: utf8(value).length })
    }),
  )
})

test('fuse input: text cut anywhere, also inside a surrogate pair, counts the same in all', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(), (value, cut) => {
      const at = cut % (value.length + 1)
      const bytes = [value.slice(0, at), value.slice(at)].map((part) => fuseInput(text(part), 0))
      const sum = bytes.reduce((total, input) => total + (input.type === 'delta' ? input.bytes : 0), 0)
      expect(sum).toBe(utf8(value).length)
    }),
  )
})

test.for<[what: string, event: UpstreamEvent, type: FuseInput['type']]>([
  ['an empty delta of text', { message: '' }, 'alive'],
  ['an empty delta of thinking', { thinking: '' }, 'alive'],
  ['a frame without progress', { alive: true }, 'alive'],
  ['an unreadable frame', { malformed: '<html>' }, 'malformed'],
  ['a tool call', { tool_call: { id: 'call_1', name: 'now', arguments: {} } }, 'delta'],
  ['data of the app', { data: { type: 'sources' } }, 'data'],
  ['thinking', { thinking: 'Hm' }, 'delta'],
  ['an error', { error: new ChatError('upstream_failed', 'No.') }, 'alive'],
])('fuse input: %s is %s', ([, event, type]) => {
  expect(fuseInput(event, 0).type).toBe(type)
})

test('fuse machine: progress before the first delta begins that wait anew', () => {
  const state = after([{ type: 'progress', now: 200_000 }])
  expect(fuseDueAt(state, policy)).toBe(500_000)
  expect(codeOf(stepFuse(state, tick(499_999), policy))).toBe('intact')
  expect(codeOf(stepFuse(state, tick(500_000), policy))).toBe('upstream_silent')
})

test('fuse machine: progress between deltas is no stall', () => {
  const state = after([delta(1_000), { type: 'progress', now: 4_000 }])
  expect(fuseDueAt(state, policy)).toBe(34_000)
})

test('fuse machine: a tool call in the making is the reply growing, reading the prompt is not', () => {
  expect(fuseInput({ progress: { stage: 'tool_call', done: 10 } }, 5)).toEqual({ type: 'delta', now: 5, bytes: 0 })
  expect(fuseInput({ progress: { stage: 'prompt', done: 10 } }, 5)).toEqual({ type: 'progress', now: 5 })
  expect(fuseInput({ usage: { completion_tokens: 3 } }, 5)).toEqual({ type: 'alive', now: 5 })
})

test('fuse: events pass as they are, and no timer stays when the source ends', async () => {
  const clock = manualClock()
  const { writer, out, ended } = drained(fuse({ clock }))
  const events: UpstreamEvent[] = [{ alive: true }, text('a'), { malformed: 'x' }, { finish: 'stop' }]
  for (const event of events) await writer.write(event)
  expect(clock.timers).toBe(1)
  await writer.close()
  await ended
  expect(out).toEqual(events)
  expect(clock.timers).toBe(0)
})

test('fuse: the third malformed frame in a row fails the stream, and the source is told', async () => {
  const clock = manualClock()
  const source = endless<UpstreamEvent>((i) => (i < 2 ? text('a') : { malformed: 'x' }))
  const reader = source.readable.pipeThrough(fuse({ clock })).getReader()
  for (let i = 0; i < 4; i++) await reader.read()
  await expect(reader.read()).rejects.toMatchObject({ code: 'upstream_malformed' })
  await expect(source.cancelled).resolves.toMatchObject({ code: 'upstream_malformed' })
  expect(clock.timers).toBe(0)
})

test('fuse: silence of stallMs after a delta fails the stream, silence before it does not', async () => {
  const clock = manualClock()
  const { writer, out, ended } = drained(fuse({ clock, stallMs: 5_000 }))
  await turn()
  clock.advance(120_000)
  await writer.write(text('a'))
  clock.advance(4_999)
  await writer.write(text('b'))
  clock.advance(4_999)
  await turn()
  expect(out).toEqual([text('a'), text('b')])
  clock.advance(1)
  await expect(ended).rejects.toMatchObject({ code: 'upstream_stalled' })
  expect(clock.timers).toBe(0)
})

test('fuse: no first delta within firstDeltaMs fails the stream, whatever else comes', async () => {
  const clock = manualClock()
  const { writer, ended } = drained(fuse({ clock }))
  for (let minute = 0; minute < 4; minute++) {
    clock.advance(60_000)
    await writer.write({ alive: true })
  }
  clock.advance(60_000)
  await expect(ended).rejects.toMatchObject({ code: 'upstream_silent' })
})

test('fuse: a reply beyond maxBytes fails the stream', async () => {
  const clock = manualClock()
  const { writer, out, ended } = drained(fuse({ clock, maxBytes: 6 }))
  await writer.write(text('春光'))
  void writer.write(text('a')).catch(() => undefined)
  await expect(ended).rejects.toMatchObject({ code: 'overflow' })
  expect(out).toEqual([text('春光')])
  expect(clock.timers).toBe(0)
})

test('fuse: after a sleep, a delta that waits in the socket wins over the timer that is late', async () => {
  const clock = manualClock()
  const ticks: number[] = []
  let dueAt = 5_000
  const driver = driveFuse(
    clock,
    () => dueAt,
    (now) => ticks.push(now),
  )
  clock.sleep(3_000_000)
  // The delta is taken up between the first look and the second, which comes after input had its turn.
  clock.after(0, () => {
    dueAt = clock.now() + 5_000
    driver.look()
  })
  clock.advance(0)
  expect(ticks).toEqual([])
  clock.advance(4_999)
  expect(ticks).toEqual([])
  driver.stop()
  expect(clock.timers).toBe(0)
})

test('fuse driver: with nothing waiting, the second look ticks at once', () => {
  const clock = manualClock()
  const ticks: number[] = []
  let dueAt = 5_000
  const tick = (now: number): void => {
    ticks.push(now)
    dueAt = Infinity
  }
  driveFuse(clock, () => dueAt, tick)
  clock.sleep(60_000)
  clock.advance(0)
  expect(ticks).toEqual([60_000])
  expect(clock.timers).toBe(0)
})

test('fuse driver: a later due time needs no new timer, an earlier one gets it', () => {
  const clock = manualClock()
  const ticks: number[] = []
  let dueAt = 10_000
  const driver = driveFuse(
    clock,
    () => dueAt,
    (now) => {
      ticks.push(now)
      dueAt = Infinity
    },
  )
  dueAt = 20_000
  driver.look()
  expect(clock.timers).toBe(1)
  dueAt = 3_000
  driver.look()
  expect(clock.timers).toBe(1)
  clock.advance(3_000)
  expect(ticks).toEqual([3_000])
})

test('fuse driver: once stopped it sets no timer, however often it is told to look', () => {
  const clock = manualClock()
  let dueAt = 10_000
  const driver = driveFuse(
    clock,
    () => dueAt,
    () => expect.unreachable(),
  )
  driver.stop()
  dueAt = 3_000
  driver.look()
  expect(clock.timers).toBe(0)
  clock.advance(60_000)
})

test('fuse: a reader that is slow is no stall of the upstream', async () => {
  const clock = manualClock()
  const source = endless((i) => text(`${i}`))
  const reader = source.readable.pipeThrough(fuse({ clock })).getReader()
  await turn()
  for (let second = 0; second < 60; second++) clock.advance(1_000)
  await turn()
  for (let i = 0; i < 10; i++) {
    expect((await reader.read()).value).toEqual(text(`${i}`))
    clock.advance(4_000)
  }
  await reader.cancel()
  expect(clock.timers).toBe(0)
})

test('fuse: a stall behind a slow reader is found once it reads again', async () => {
  const clock = manualClock()
  const stage = fuse({ clock, stallMs: 5_000 })
  const writer = stage.writable.getWriter()
  const reader = stage.readable.getReader()
  await Promise.all([writer.ready, writer.write(text('a'))])
  clock.advance(20_000)
  expect((await reader.read()).value).toEqual(text('a'))
  const next = reader.read()
  writer.closed.catch(() => undefined)
  clock.advance(10_000)
  await expect(next).rejects.toMatchObject({ code: 'upstream_stalled' })
  expect(clock.timers).toBe(0)
})

test('fuse: a reader that does not read stops the source', async () => {
  const clock = manualClock()
  const source = endless((i) => text(`${i}`))
  const reader = source.readable.pipeThrough(fuse({ clock })).getReader()
  await turn()
  expect(source.given).toBeLessThanOrEqual(3)
  await reader.cancel()
})

test('fuse: cancel of the reader reaches the source and leaves no timer', async () => {
  const clock = manualClock()
  const source = endless(() => text('a'))
  const reader = source.readable.pipeThrough(fuse({ clock })).getReader()
  await reader.read()
  await reader.cancel('enough')
  expect(await source.cancelled).toBe('enough')
  expect(clock.timers).toBe(0)
})

test('fuse: a source that fails leaves no timer', async () => {
  const clock = manualClock()
  const { writer, ended } = drained(fuse({ clock }))
  await writer.write(text('a'))
  await writer.abort(new Error('reset'))
  await expect(ended).rejects.toThrow('reset')
  expect(clock.timers).toBe(0)
})

test('fuse: tool calls and app events count towards maxBytes by their JSON', () => {
  const event: UpstreamEvent = { data: { type: 'sources', text: '北京' } }
  expect(fuseInput(event, 5)).toEqual({ type: 'data', bytes: utf8(JSON.stringify(event)).length })
})

test('fuse: sources sent before a cold model starts no stall clock', () => {
  const state = after([{ type: 'data', bytes: 10 }])
  expect(fuseDueAt(state, policy)).toBe(policy.firstDeltaMs)
  expect(stepFuse(state, tick(60_000), policy).phase).toBe('intact')
  expect(after([{ type: 'data', bytes: policy.maxBytes + 1 }]).phase).toBe('blown')
})
