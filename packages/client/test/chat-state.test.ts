import { createRunLog, type ChatEvent, type LogEvent, type RunLog, type TerminalEvent } from '@midstream/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyChat, stepChat, type ChatState } from '../src/state/chat-state.ts'
import { type KeptChat } from '../src/state/kept-chat.ts'
import type { ChatMessage } from '../src/message.ts'

const question: ChatMessage = { id: 'msg_1', role: 'user', content: 'Tell me', state: 'done' }
const empty: ChatMessage = { id: 'msg_2', role: 'assistant', content: '', state: 'streaming' }

const submit = (reply = empty, runId = 'run_1', from = emptyChat): ChatState =>
  stepChat(from, { type: 'submit', runId, messages: [question], reply })
const start = (continues?: { readonly position: number }): ChatEvent => ({
  session_id: 'sess_1',
  run_id: 'run_1',
  model: 'm',
  heartbeat_ms: 5_000,
  ...(continues && { continues }),
})
const interrupted = (position: number): TerminalEvent => ({ done: true, reason: 'interrupted', by: 'person', position })
const last = ({ snapshot }: ChatState): ChatMessage => snapshot.messages.at(-1)!

/** Feeds what a connection brings: events with the position after each, where they have one. */
function feed(state: ChatState, events: readonly (readonly [ChatEvent, number?])[], runId = 'run_1'): ChatState {
  return events.reduce(
    (before, [event, position]) => stepChat(before, { type: 'event', runId, event, position }),
    state,
  )
}

test('chat state: what belongs to another run changes nothing', () => {
  const state = submit()
  expect(feed(state, [[{ message: 'late' }, 4]], 'run_0')).toBe(state)
  expect(feed(state, [[interrupted(0)]], 'run_0')).toBe(state)
  expect(stepChat(state, { type: 'reconnect', runId: 'run_0', attempt: 1 })).toBe(state)
  const error = { code: 'network', message: '', retryable: true } as const
  expect(stepChat(state, { type: 'lose', runId: 'run_0', error })).toBe(state)
})

test('chat state: what the gateway says of the run is told until text comes', () => {
  const progress = { stage: 'prompt', done: 512, total: 4_096 } as const
  const waiting = feed(submit(), [[start()], [{ status: 'waiting', progress }]])
  expect(waiting.snapshot).toMatchObject({ status: 'waiting', runStatus: { status: 'waiting', progress } })
  expect(feed(waiting, [[{ message: 'A' }, 1]]).snapshot).toMatchObject({ status: 'streaming', runStatus: null })
  expect(feed(waiting, [[interrupted(0)]]).snapshot.runStatus).toBeNull()
})

test('chat state: a run that recovers is told from one that waits', () => {
  const recovering = { status: 'recovering', attempt: 2, retry_in_ms: 500 } as const
  const state = feed(submit(), [[start()], [{ message: 'A' }, 1], [recovering]])
  expect(state.snapshot).toMatchObject({ status: 'waiting', runStatus: recovering })
})

test('chat state: the model that goes on with a reply is the model from then on', () => {
  const moved = { status: 'recovering', attempt: 1, retry_in_ms: 0, upstream: 'vllm', model: 'b' } as const
  const state = feed(submit(), [[start()], [{ message: 'A' }, 1], [moved], [{ message: 'B' }, 2]])
  expect(state.snapshot).toMatchObject({ model: 'b', status: 'streaming' })
})

test('chat state: a run that has ended takes nothing more', () => {
  const state = feed(submit(), [[start()], [{ message: 'All' }, 3], [{ done: true, reason: 'stop' }]])
  expect(last(state)).toMatchObject({ content: 'All', state: 'done', reason: 'stop' })
  expect(feed(state, [[{ message: ' late' }, 8]])).toBe(state)
})

test('chat state: a frozen reply takes nothing more', () => {
  const state = feed(submit(), [[start()], [{ message: 'All' }, 3]])
  const frozen = stepChat(state, { type: 'freeze', reply: { ...last(state), state: 'interrupted' } })
  expect(frozen.snapshot.status).toBe('interrupting')
  expect(feed(frozen, [[{ message: ' late' }, 8]])).toBe(frozen)
})

test('chat state: a cut counts thinking, tool calls and data events, each in its own list', () => {
  const call = { id: 'call_1', name: 'look', arguments: {} }
  const said = feed(submit(), [
    [start()],
    [{ thinking: 'hm' }, 2],
    [{ message: 'One' }, 5],
    [{ data: { type: 'a' } }, 6],
    [{ data: { type: 'b' } }, 7],
    [{ message: ' two' }, 11],
    [{ tool_call: call }, 12],
  ])
  const cut = (position: number): ChatMessage => last(feed(said, [[interrupted(position)]]))
  expect(cut(12)).toMatchObject({ content: 'One two', toolCalls: [call], data: [{ type: 'a' }, { type: 'b' }] })
  expect(cut(11)).toMatchObject({ content: 'One two', toolCalls: undefined })
  expect(cut(8)).toMatchObject({ content: 'One ', data: [{ type: 'a' }, { type: 'b' }] })
  expect(cut(6)).toMatchObject({ content: 'One', data: [{ type: 'a' }] })
  expect(cut(4)).toMatchObject({ thinking: 'hm', content: 'On', data: undefined })
  expect(cut(1)).toMatchObject({ thinking: 'h', content: '' })
})

test('chat state: a continuation keeps the old text until there is new text, then cuts it where it was told to', () => {
  const partial = { ...empty, content: 'Once upon a ti' }
  const begun = feed(submit(partial), [[start({ position: 11 })], [{ status: 'waiting' }], [{ thinking: 'hm' }, 2]])
  expect(last(begun).content).toBe('Once upon a ti')
  const grown = feed(begun, [[{ message: ' time' }, 7]])
  expect(last(grown)).toMatchObject({ content: 'Once upon a time', thinking: 'hm' })
  expect(last(feed(grown, [[interrupted(4)]])).content).toBe('Once upon a t')
  // Nothing of this run is left: it is the old text again.
  expect(last(feed(grown, [[interrupted(2)]])).content).toBe('Once upon a ti')
})

test('chat state: a continuation that fails before its first text leaves the old text whole', () => {
  const partial = { ...empty, content: 'Once upon a ti' }
  const begun = feed(submit(partial), [[start({ position: 11 })]])
  const error = { code: 'upstream_failed', message: '', retryable: true } as const
  const failed = feed(begun, [[{ done: true, reason: 'error', error, position: 0 }]])
  expect(last(failed)).toMatchObject({ content: 'Once upon a ti', state: 'failed' })
})

test('chat state: a reset voids the thinking of this run alone, and a cut before it brings that back', () => {
  const partial = { ...empty, content: 'Once', thinking: 'old' }
  const said = feed(submit(partial), [
    [start({ position: 4 })],
    [{ thinking: 'first' }, 5],
    [{ reset: 'thinking' }, 6],
    [{ thinking: 'second' }, 12],
  ])
  expect(last(said).thinking).toBe('oldsecond')
  expect(last(feed(said, [[interrupted(9)]])).thinking).toBe('oldsec')
  expect(last(feed(said, [[interrupted(6)]])).thinking).toBe('old')
  expect(last(feed(said, [[interrupted(3)]])).thinking).toBe('oldfir')
})

test('chat state: the first event of another connection changes no text', () => {
  const said = feed(submit({ ...empty, content: 'Once upon' }), [[start({ position: 4 })], [{ message: ' a' }, 2]])
  expect(last(feed(said, [[start({ position: 4 })]])).content).toBe('Once a')
})

test('chat state: what is restored is shown, and read again from its start', () => {
  const before = { ...empty, content: 'Once upon' }
  const chat: KeptChat = {
    sessionId: 'sess_1',
    messages: [question, { ...before, content: 'Once a ti', thinking: 'h' }],
    runs: [{ runId: 'run_1', before, isOpen: true }],
    version: 2,
    removed: [],
    cleared: 0,
  }
  const state = stepChat(emptyChat, { type: 'restore', kept: chat })
  expect(last(state).content).toBe('Once a ti')
  // Nobody knows yet how far the run is: as after a drop.
  expect(state.snapshot.status).toBe('reconnecting')
  const read = feed(state, [[start({ position: 4 })], [{ thinking: 'hm' }, 2], [{ message: ' a time' }, 9]])
  expect(last(read)).toMatchObject({ id: 'msg_2', content: 'Once a time', thinking: 'hm' })
  expect(last(feed(read, [[interrupted(4)]]))).toMatchObject({ content: 'Once a', state: 'interrupted' })
})

test('chat state: what the gateway confirms touches the frozen reply alone, and not what has grown out of it', () => {
  const said = feed(submit(), [[start()], [{ message: 'Once upon' }, 9]])
  const frozen: ChatMessage = { ...last(said), state: 'interrupted' }
  const state = stepChat(said, { type: 'freeze', reply: frozen })
  const confirm = { type: 'confirm', frozen, reply: { ...frozen, content: 'Once' } } as const
  expect(last(stepChat(state, confirm)).content).toBe('Once')

  // Continued meanwhile: the same message, with another run in it.
  const continued = submit({ ...frozen, state: 'streaming' }, 'run_2', state)
  expect(stepChat(continued, confirm).snapshot).toBe(continued.snapshot)

  // Followed up meanwhile: the request has told the model what was shown.
  const reply = { ...empty, id: 'msg_4' }
  const messages = [question, frozen, { ...question, id: 'msg_3' }]
  const followed = stepChat(state, { type: 'submit', runId: 'run_2', messages, reply })
  expect(stepChat(followed, confirm).snapshot).toBe(followed.snapshot)
})

test('chat state: what a person does is a new version, and so is a run that the gateway speaks of for the first time', () => {
  const submitted = submit()
  expect(submitted.version).toBe(1)
  expect(submitted.snapshot.messages.map(({ version }) => version)).toEqual([1, 1])
  const started = feed(submitted, [[start()]])
  expect(started.version).toBe(2)
  expect(feed(started, [[{ message: 'a' }, 1], [start()]]).version).toBe(2)
  expect(last(started).version).toBe(1)
  expect(stepChat(started, { type: 'freeze', reply: last(started) }).version).toBe(3)
})

test('chat state: a reply that is lost is news, as its question was, and one that stood back for another tab’s is what it was before', () => {
  const lose = (code: 'session_busy' | 'network', before: ChatMessage): ChatState => {
    const error = { code, message: '', retryable: true }
    const asked = stepChat(emptyChat, { type: 'submit', runId: 'run_1', messages: [], reply: before, version: 9 })
    return stepChat(asked, { type: 'lose', runId: 'run_1', error })
  }
  expect(lose('network', { ...empty, version: 4 }).version).toBe(10)
  expect(last(lose('network', { ...empty, version: 4 })).version).toBe(9)
  expect(last(lose('session_busy', { ...empty, version: 4 })).version).toBe(4)
})

test('chat state: an error that says no more than its code is a whole one', () => {
  const end = { done: true, reason: 'error', position: 0, error: { code: 'boom' } } as unknown as TerminalEvent
  const error = { code: 'boom', message: 'boom', retryable: false }
  expect(last(stepChat(submit(), { type: 'event', runId: 'run_1', event: end, position: undefined })).error).toEqual(
    error,
  )
})

const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', 'é', '春', '🐈'), minLength: 1, maxLength: 6 })
const logEvent: fc.Arbitrary<LogEvent> = fc.oneof(
  { weight: 4, arbitrary: text.map((message) => ({ message })) },
  { weight: 3, arbitrary: text.map((thinking) => ({ thinking })) },
  fc.nat(9).map((n) => ({ data: { type: 'n', n } })),
  fc.nat(9).map((n) => ({ tool_call: { id: `call_${n}`, name: 'look', arguments: {} } })),
  fc.constant({ reset: 'thinking' } as const),
)

/** What the log says a message is, over what was there before the run. */
function ofLog(log: RunLog, before: ChatMessage, keeps: number): object {
  const { content, thinking = '', tool_calls: calls = [] } = log.partial()
  const data = log.read(0).flatMap(({ event }) => ('data' in event ? [event.data] : []))
  return {
    content: content === '' ? before.content : before.content.slice(0, keeps) + content,
    thinking: (before.thinking ?? '') + thinking,
    toolCalls: calls,
    data: [...(before.data ?? []), ...data],
  }
}
const ofMessage = ({ content, thinking = '', toolCalls = [], data = [] }: ChatMessage): object => ({
  content,
  thinking,
  toolCalls,
  data,
})

test('chat state: for any events, in any pieces, cut anywhere, the message is what the run log says', () => {
  const run = fc.record({
    events: fc.array(logEvent, { maxLength: 12 }),
    cuts: fc.array(fc.nat(40), { maxLength: 6 }),
    at: fc.nat(50),
    old: fc.option(fc.record({ content: text, thinking: fc.option(text, { nil: undefined }) }), { nil: undefined }),
    keeps: fc.nat(6),
  })
  fc.assert(
    fc.property(run, ({ events, cuts, at, old, keeps }) => {
      const log = createRunLog()
      for (const event of events) log.append(event)
      const before: ChatMessage = { ...empty, ...old, ...(old && { data: [{ type: 'old' }] }) }
      const kept = Math.min(keeps, before.content.length)
      // A reader's frames: wherever it happened to look, the log was so long.
      const ends = [...new Set([...cuts, log.length].map((cut) => log.place(cut)))].sort((a, b) => a - b)
      const entries = ends.flatMap((end, i) => log.read(ends[i - 1] ?? 0, end))
      const said = feed(submit(before), [
        [start(old && { position: kept })],
        ...entries.map(({ event, position }) => [event, position] as const),
      ])
      expect(ofMessage(last(said))).toEqual(ofLog(log, before, kept))
      const position = log.place(at)
      log.cut(position)
      expect(ofMessage(last(feed(said, [[interrupted(position)]])))).toEqual(ofLog(log, before, kept))
    }),
    { numRuns: 2_000 },
  )
})
