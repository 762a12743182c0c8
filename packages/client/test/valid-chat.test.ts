import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergeChats } from '../src/merge-chats.ts'
import { persist } from '../src/persist.ts'
import { parseChat, type ValidChat } from '../src/valid-chat.ts'
import type { ChatMessage } from '../src/message.ts'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { key, memory, setup, transcript, turn } from './support.ts'

/** What is kept of a stored conversation in which something makes no sense: everything else. */

const sessionId = `sess_${'0'.repeat(32)}`
const runId = `run_${'0'.repeat(32)}`
const question: ChatMessage = { id: 'q1', role: 'user', content: 'Hello', state: 'done', version: 1 }
const answer: ChatMessage = { id: 'r1', role: 'assistant', content: 'Hi', state: 'done', reason: 'stop', version: 1 }
const more: ChatMessage = { id: 'q2', role: 'user', content: 'Tell me', state: 'done', version: 2 }
const growing: ChatMessage = { id: 'r2', role: 'assistant', content: 'Once', state: 'streaming', version: 2 }
const run = { runId, before: { ...growing, content: '' }, isOpen: true }
const good: KeptChat = {
  sessionId,
  version: 2,
  messages: [question, answer, more, growing],
  runs: [run],
  removed: [['q0', 0]],
  cleared: 0,
}
const parsed = (chat: unknown): ValidChat | undefined => parseChat(JSON.parse(JSON.stringify(chat)), sessionId)
const lines = (chat: unknown): string[] =>
  (parsed(chat)?.chat.messages ?? []).map(({ content, state }) => `${content} (${state})`)
const whole = ['Hello (done)', 'Hi (done)', 'Tell me (done)', 'Once (streaming)']
const lost = [...whole.slice(0, 3), 'Once (dropped)']

test('stored chat: one that makes sense is taken as it is', () => {
  expect(parsed(good)).toEqual({ chat: parsed(good)!.chat, dropped: 0 })
  expect(lines(good)).toEqual(whole)
  expect(parsed(good)!.chat.runs).toHaveLength(1)
})

test.for<[what: string, change: object, shown: readonly string[]]>([
  ['no runs', { runs: undefined }, lost],
  ['runs that are no list', { runs: { 0: run } }, lost],
  ['a run that is null', { runs: [null] }, lost],
  ['a run without an id', { runs: [{ ...run, runId: undefined }] }, lost],
  ['a run whose id is a path', { runs: [{ ...run, runId: '../x' }] }, lost],
  ['a run without a reply', { runs: [{ runId, isOpen: true }] }, lost],
  ['a run of a reply that is not there', { runs: [{ ...run, before: { ...growing, id: 'r9' } }] }, lost],
  ['a run of a question', { runs: [{ ...run, before: more }] }, lost],
  ['a run of a reply that has ended', { runs: [run, { ...run, before: answer }] }, whole],
  ['two runs of one reply', { runs: [run, { ...run, runId: `run_${'1'.repeat(32)}` }] }, whole],
  ['a broken run beside a good one', { runs: [{ runId: 1 }, run] }, whole],
  ['a session id that is none', { sessionId: 'mine' }, whole],
  ['no session id', { sessionId: undefined }, whole],
  ['a version that is a text', { version: '2' }, whole],
  ['no version', { version: undefined }, whole],
  ['a removed list that is none', { removed: 1 }, whole],
  ['a time of clearing that is none', { cleared: {} }, whole],
  ['a question that streams', { messages: [{ ...question, state: 'streaming' }, answer, more, growing] }, whole],
  ['a state that is none', { messages: [{ ...question, state: 'asked' }, answer, more, growing] }, whole],
  [
    'a reply of a state that is none',
    { messages: [question, { ...answer, state: null }, more, growing] },
    ['Hello (done)', 'Hi (dropped)', 'Tell me (done)', 'Once (streaming)'],
  ],
  [
    'a second reply that streams',
    { messages: [question, { ...answer, state: 'streaming' }, more, growing] },
    ['Hello (done)', 'Hi (dropped)', 'Tell me (done)', 'Once (streaming)'],
  ],
  ['a message without an id', { messages: [question, { ...answer, id: '' }, more, growing] }, whole.toSpliced(1, 1)],
  ['one id twice', { messages: [question, answer, { ...answer, content: 'Again' }, more, growing] }, whole],
])('stored chat: with %s it keeps all that makes sense', ([, change, shown]) => {
  expect(lines({ ...good, ...change })).toEqual(shown)
})

test('stored chat: a reply of which nobody knows how it ended is not said to be interrupted by a person', () => {
  const reply = parsed({ ...good, runs: [] })!.chat.messages.at(-1)!
  expect(reply).toMatchObject({ content: 'Once', state: 'dropped', error: { code: 'dropped', retryable: true } })
})

test('stored chat: whatever one message is, the others stay, and what was kept is whole when it is written', () => {
  const anything = fc.jsonValue()
  const names = fc.constantFrom(
    'role',
    'content',
    'state',
    'thinking',
    'toolCalls',
    'data',
    'reason',
    'error',
    'version',
  )
  const broken = fc.oneof(
    anything.map((value) => () => value),
    fc.tuple(names, anything).map(([name, value]) => (one: object) => ({ ...one, [name]: value })),
  )
  fc.assert(
    fc.property(fc.nat(good.messages.length - 1), broken, (at, breaks) => {
      const messages = good.messages.map((one, n): unknown => (n === at ? breaks(one) : one))
      const found = parsed({ ...good, messages })!
      const left = found.chat.messages.filter(({ id }) => id !== good.messages[at]!.id)
      expect(left).toEqual(parsed(good)!.chat.messages.filter((_, n) => n !== at))
      // What is taken is taken whole the next time.
      expect(parsed(found.chat)).toEqual({ chat: found.chat, dropped: 0 })
    }),
    { numRuns: 2_000 },
  )
})

test('stored chat: whatever one of its other fields is, the messages stay', () => {
  const names = fc.constantFrom('sessionId', 'version', 'runs', 'removed', 'cleared', 'other')
  fc.assert(
    fc.property(names, fc.oneof(fc.jsonValue(), fc.integer()), (name, value) => {
      const found = parsed({ ...good, [name]: value })!
      // Also where it is met.
      const met = mergeChats(found.chat, { ...good, messages: [], runs: [], removed: [] })
      for (const { messages } of [found.chat, met])
        expect(messages.map(({ id }) => id)).toEqual(['q1', 'r1', 'q2', 'r2'])
      expect(parsed(found.chat)).toEqual({ chat: found.chat, dropped: 0 })
    }),
    { numRuns: 2_000 },
  )
})

test('persist: a stored chat whose run is broken is shown, told of once, and gone on with', async () => {
  const storage = memory()
  storage.items.set(key, JSON.stringify({ ...good, runs: [{ runId: 'x' }] }))
  const heard: string[] = []
  const { session, upstream, requests } = setup({
    onError: ({ code }) => heard.push(code),
    extensions: [persist(storage)],
  })
  await turn()
  expect(transcript(session.getSnapshot())).toEqual(['> Hello', 'Hi (done)', '> Tell me', 'Once (dropped)'])
  expect(session.getSnapshot().notice?.code).toBe('stored_invalid')
  expect(requests).toEqual([])
  const ended = session.continue()
  const reply = await upstream.next()
  reply.send(' upon')
  reply.finish()
  expect(await ended).toMatchObject({ state: 'done' })
  expect(heard).toEqual(['stored_invalid'])
})
