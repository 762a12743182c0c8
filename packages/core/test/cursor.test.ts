import { expect, test } from 'vitest'
import { createCursor, type Cursor } from '../src/read/cursor.ts'
import type { Output } from '../src/read/output/output.ts'
import type { LogView } from '../src/run/log-view.ts'
import { createRunLog } from '../src/run/run-log.ts'
import { runStart, type RunState } from '../src/run/run-state.ts'
import type { LogEvent, Progress } from '../src/wire/events.ts'

/** A log as it might come from another machine: nothing of it is a run. */
interface View extends LogView {
  state: RunState
  changes: number
  progress: Progress | undefined
  append(event: LogEvent): void
  turn(state: RunState): void
}
function view(): View {
  const log = createRunLog()
  return {
    runId: 'run_1',
    sessionId: 'sess_1',
    model: 'm',
    startedAt: 0,
    continues: undefined,
    log,
    state: runStart,
    changes: 0,
    progress: undefined,
    attach: () => () => undefined,
    append: log.append,
    turn(state) {
      this.state = state
      this.changes += 1
    },
  }
}
const output: Output = {
  start: () => '<start>',
  entry: ({ event }) => ('message' in event ? event.message : '<event>'),
  state: ({ phase }, progress) => `<${progress ? progress.stage : phase}>`,
  ping: '<ping>',
}
const cursorOf = (of: View): Cursor => createCursor(of, output, { position: 0, heartbeatMs: 5_000 })
const generating: RunState = { phase: 'generating' }
const ended: RunState = { phase: 'ended', terminal: { done: true, reason: 'stop' } }

test('cursor: what is new of the state bears no delay, and neither does anything but text', () => {
  const log = view()
  const cursor = cursorOf(log)
  expect(cursor.waiting()).toBe('other')
  expect(cursor.read(0)).toBe('<start><waiting>')
  expect([cursor.waiting(), cursor.tookText]).toEqual([undefined, false])
  log.turn(generating)
  expect(cursor.waiting()).toBe('other')
  log.append({ message: 'Once' })
  expect(cursor.read(0)).toBe('<generating>Once')
  expect(cursor.tookText).toBe(true)
  log.append({ message: ' upon' })
  expect(cursor.waiting()).toBe('text')
  log.append({ data: { type: 'x' } })
  expect(cursor.waiting()).toBe('other')
  expect(cursor.read(0)).toBe(' upon<event>')
  log.progress = { stage: 'tool_call' }
  expect(cursor.waiting()).toBe('text')
  expect(cursor.read(0)).toBe('<tool_call>')
})

test('cursor: the terminal event is last, and nothing waits behind it, whatever the log then says', () => {
  const log = view()
  const cursor = cursorOf(log)
  log.turn(generating)
  log.append({ message: 'Once' })
  log.turn(ended)
  expect(cursor.read(0)).toBe('<start>Once<ended>')
  expect([cursor.isOver, cursor.waiting()]).toEqual([true, undefined])
  log.append({ data: { type: 'late' } })
  log.turn(generating)
  log.progress = { stage: 'prompt' }
  expect(cursor.waiting()).toBeUndefined()
})
