import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyChat, stepChat, type ChatState } from '../src/state/chat-state.ts'
import type { KeptChat, KeptRun } from '../src/state/kept-chat.ts'
import { mergeChats, viewOf } from '../src/merge-chats.ts'
import type { ChatMessage } from '../src/message.ts'

/** What becomes of two copies of one conversation; `q` is a question, `r` a reply, and the number behind `@` a version. */

const sessionId = `sess_${'0'.repeat(32)}`
const message = (said: string): ChatMessage => {
  const [id = '', version = '1'] = said.split('@')
  return { id, role: id.startsWith('q') ? 'user' : 'assistant', content: id, state: 'done', version: Number(version) }
}
const chat = (version: number, said: string, change: Partial<KeptChat> = {}): KeptChat => ({
  sessionId,
  version,
  runs: [],
  removed: [],
  cleared: 0,
  messages: said.split(' ').filter(Boolean).map(message),
  ...change,
})
/** A copy whose last reply grows. */
const growing = (version: number, said: string): KeptChat => {
  const { messages } = chat(version, said)
  const last: ChatMessage = { ...messages.at(-1)!, state: 'streaming' }
  const run: KeptRun = { runId: `run_${last.id}`, before: { ...last, content: '' }, isOpen: true }
  return chat(version, '', { messages: [...messages.slice(0, -1), last], runs: [run] })
}
/** What was taken away in version 1. */
const taken = (...gone: string[]): KeptChat['removed'] => gone.map((id) => [id, 1])
const ids = ({ messages }: KeptChat): string => messages.map(({ id }) => id).join(' ')

test.each<[what: string, a: KeptChat, b: KeptChat, result: string]>([
  ['what one has more is in both', chat(1, 'q1 r1'), chat(2, 'q1 r1 q2@2 r2@2'), 'q1 r1 q2 r2'],
  [
    'what was said at once stays, in one order',
    chat(3, 'q1 r1 qa@3 ra@3'),
    chat(2, 'q1 r1 qb@2 rb@2'),
    'q1 r1 qb rb qa ra',
  ],
  [
    'of one version the lower id comes first',
    chat(2, 'q1 r1 qb@2 rb@2'),
    chat(2, 'q1 r1 qa@2 ra@2'),
    'q1 r1 qa ra qb rb',
  ],
  [
    'the first questions of two sessions stay',
    chat(1, 'qa ra'),
    chat(1, 'qb rb', { sessionId: `sess_${'1'.repeat(32)}` }),
    'qa ra qb rb',
  ],
  [
    'what was removed in one does not come back',
    chat(2, 'q1 r1 q2 r2 qa@2 ra@2'),
    chat(3, 'q1 r1 qb@3 rb@3', {
      removed: [
        ['q2', 1],
        ['r2', 1],
      ],
    }),
    'q1 r1 qa ra qb rb',
  ],
  [
    'one question answered anew in both keeps both answers',
    chat(2, 'q1 ra@2', { removed: [['r1', 1]] }),
    chat(3, 'q1 rb@3', { removed: [['r1', 1]] }),
    'q1 ra rb',
  ],
  [
    'what is answered anew keeps its question, though that was edited away at the same time',
    chat(2, 'q1 ra@2', { removed: [['r1', 1]] }),
    chat(3, 'q2@3 r2@3', {
      removed: [
        ['q1', 1],
        ['r1', 1],
      ],
    }),
    'q1 ra q2 r2',
  ],
  [
    'a reply that was gone on with stays, though it was edited away at the same time',
    chat(2, 'q1 r1@2'),
    chat(3, 'q2@3 r2@3', {
      removed: [
        ['q1', 1],
        ['r1', 1],
      ],
    }),
    'q1 r1 q2 r2',
  ],
  ['a cleared conversation stays cleared', chat(1, 'q1 r1'), chat(3, '', { removed: taken('q1', 'r1') }), ''],
  [
    'what was said meanwhile stays, whatever its version',
    chat(2, 'q1 r1 qa@2 ra@2'),
    chat(3, '', { removed: taken('q1', 'r1') }),
    'qa ra',
  ],
  [
    'what is said after that stays, also by a clock that is behind',
    chat(1, 'qa@1 ra@1'),
    chat(9, '', { removed: taken('q1', 'r1') }),
    'qa ra',
  ],
  [
    'what is more than can be remembered goes by its version',
    chat(3, 'q1 r1 q2@3 r2@3'),
    chat(4, '', { cleared: 3 }),
    'q2 r2',
  ],
  ['what several runs grow is in one copy', growing(2, 'qa@2 ra@2'), growing(3, 'qb@3 rb@3'), 'qa ra qb rb'],
  [
    'a part of a conversation takes nothing from the whole',
    chat(2, 'q2@2 r2@2'),
    chat(2, 'q1 r1 q2@2 r2@2'),
    'q1 r1 q2 r2',
  ],
])('merge: %s', (_what, a, b, result) => {
  expect(ids(mergeChats(a, b))).toBe(result)
  expect(ids(mergeChats(b, a))).toBe(result)
})

test('merge: a run that goes on by itself gives way to one that a gateway has taken, and to nothing less', () => {
  const reply: ChatMessage = { ...message('r1@1'), state: 'dropped' }
  const copy = (version: number, state: ChatMessage['state'], run?: Partial<KeptRun>): KeptChat =>
    chat(version, '', {
      messages: [message('q1@1'), { ...reply, state, version }],
      runs: run ? [{ runId: 'run_1', before: reply, isOpen: false, ...run }] : [],
    })
  const waits = copy(9, 'streaming', { ask: { busy: 'reject' } })
  const better = (a: KeptChat, b: KeptChat): string | undefined => {
    expect(mergeChats(a, b)).toEqual(mergeChats(b, a))
    const { messages, runs } = mergeChats(a, b)
    return runs[0]?.runId ?? messages.at(-1)?.state
  }
  expect(better(waits, copy(5, 'streaming', { runId: 'run_2', isOpen: true }))).toBe('run_2')
  expect(better(waits, copy(5, 'interrupted'))).toBe('interrupted')
  expect(better(waits, copy(1, 'dropped'))).toBe('run_1')
  expect(better(waits, copy(1, 'failed'))).toBe('run_1')
  // What a person asks for has its own version.
  expect(better(copy(9, 'streaming', {}), copy(5, 'streaming', { runId: 'run_2', isOpen: true }))).toBe('run_1')
})

test('merge: of one reply the one that a person acted on last is right, and of one version the one of which most is known', () => {
  const last = (a: string, b: string): unknown => {
    const copy = (said: string): KeptChat => {
      const [state, version = 1] = said.split('@')
      const reply = { ...message(`r1@${version}`), state: state as 'done' }
      return chat(1, '', { messages: [message('q1'), reply] })
    }
    return mergeChats(copy(a), copy(b)).messages.at(-1)?.state
  }
  expect(last('interrupted@2', 'done@1')).toBe('interrupted')
  for (const [more, less] of [
    ['done', 'interrupted'],
    ['interrupted', 'dropped'],
    ['done', 'failed'],
  ] as const) {
    expect(last(more, less)).toBe(more)
    expect(last(less, more)).toBe(more)
  }
})

test('view: the run that is read grows the last message; of what others grow, only what was there before is shown', () => {
  const before: ChatMessage = { ...message('r1@1'), content: 'Once' }
  const continued: KeptChat = chat(9, '', {
    messages: [message('q1'), { ...before, content: 'Once upon', state: 'streaming', version: 9 }],
    runs: [{ runId: 'run_r1', before: { ...before, state: 'streaming' }, isOpen: true }],
  })
  const all = mergeChats(continued, mergeChats(growing(7, 'qa@7 ra@7'), growing(8, 'qb@8 rb@8')))
  const view = viewOf(all, 'run_ra')
  expect(view.messages.map(({ id, content, state }) => `${id} ${content} ${state}`)).toEqual([
    'q1 q1 done',
    'r1 Once interrupted',
    'qa qa done',
    'ra ra streaming',
  ])
  expect(view.runs.map(({ runId }) => runId)).toEqual(['run_ra'])
  // What is shown instead takes nothing from what others grow.
  expect(mergeChats(view, all)).toEqual(all)
})

/** Copies that come of one conversation, each by what its person did. */
const act = fc.oneof(
  fc.record({ type: fc.constant('send' as const), id: fc.nat(99), width: fc.integer({ min: 1, max: 1_023 }) }),
  fc.record({
    type: fc.constantFrom('edit', 'regenerate', 'continue', 'clear', 'end', 'interrupt', 'lose' as const),
    id: fc.nat(99),
    width: fc.integer({ min: 1, max: 1_023 }),
  }),
)
function played(from: ChatState, who: string, acts: readonly { type: string; id: number; width: number }[]): ChatState {
  let state = from
  /** Each page has a clock of its own. */
  const ahead = 5_000 * (acts[0]?.id ?? 0)
  acts.forEach(({ type, id, width }, n) => {
    const { messages } = state.snapshot
    const runId = `run_${who}${n}`
    const version = Math.max(state.highest, ahead) + width
    const question: ChatMessage = { id: `q${who}${n}`, role: 'user', content: '?', state: 'done' }
    const submit = (said: readonly ChatMessage[], before?: ChatMessage): void => {
      const reply: ChatMessage = {
        ...(before ?? { id: `r${who}${n}`, role: 'assistant', content: '' }),
        state: 'streaming',
      }
      state = stepChat(state, { type: 'submit', runId, messages: said, reply, version })
      if (id % 2) state = stepChat(state, { type: 'event', runId, event: { message: `${who}${n}` }, position: 2 })
    }
    const active = state.run?.runId ?? ''
    const last = messages.at(-1)
    if (type === 'end')
      state = stepChat(state, {
        type: 'event',
        runId: active,
        event: { done: true, reason: 'stop', usage: {} } as never,
        position: 9,
      })
    else if (type === 'lose')
      state = stepChat(state, { type: 'lose', runId: active, error: { code: 'network', message: '', retryable: true } })
    else if (type === 'interrupt' && state.run)
      state = stepChat(state, { type: 'freeze', reply: { ...last!, state: 'interrupted', version: state.highest + 1 } })
    else if (type === 'clear') state = stepChat(state, { type: 'clear', sessionId: `sess_${who}${n}`, version })
    else if (type === 'send') submit([...messages, question])
    else if (type === 'continue' && last && !state.run) submit(messages.slice(0, -1), last)
    else if (type === 'regenerate' && last) submit(messages.slice(0, -1))
    else if (type === 'edit' && last)
      submit([
        ...messages.slice(
          0,
          messages.findLastIndex(({ role }) => role === 'user'),
        ),
        question,
      ])
  })
  return state
}
const keptOf = ({ sessionId: session, snapshot, run, version, removed, cleared }: ChatState): KeptChat => ({
  sessionId: session,
  messages: snapshot.messages,
  runs: run ? [{ runId: run.runId, before: run.before, isOpen: run.isOpen, ask: run.ask }] : [],
  version,
  removed,
  cleared,
})
const acts = fc.array(act, { maxLength: 8 })
const copies = fc.tuple(acts, fc.array(acts, { minLength: 2, maxLength: 5 })).map(([first, each]) => {
  const begun = played({ ...emptyChat, sessionId }, 'o', first)
  return each.map((more, n) => keptOf(played(begun, 'abcde'[n]!, more)))
})
const allOf = (chats: readonly KeptChat[]): KeptChat => chats.reduce((all, one) => mergeChats(all, one))

test('merge: for any copies it makes no difference which is which, in which order they are merged, and how often', () => {
  fc.assert(
    fc.property(copies, fc.infiniteStream(fc.nat()), (chats, order) => {
      const all = allOf(chats)
      expect(mergeChats(all, all)).toEqual(all)
      for (const one of chats) expect(mergeChats(one, all)).toEqual(all)
      const keys = [...order.take(chats.length)]
      const shuffled = chats.map((one, n) => ({ one, key: keys[n]! })).toSorted((a, b) => a.key - b.key)
      expect(allOf(shuffled.map(({ one }) => one))).toEqual(all)
      // In pairs: what is known of two, of what is known of the others.
      const half = Math.floor(chats.length / 2)
      expect(mergeChats(allOf(chats.slice(half)), allOf(chats.slice(0, half)))).toEqual(all)
    }),
    { numRuns: 1_000 },
  )
})

test('merge: for any copies no question is lost that nobody took away, and nothing stands twice', () => {
  fc.assert(
    fc.property(copies, (chats) => {
      const { messages, removed } = allOf(chats)
      const there = new Set(messages.map(({ id }) => id))
      expect(there.size).toBe(messages.length)
      const gone = new Set(removed.map(([id]) => id))
      for (const { id } of chats.flatMap((one) => one.messages)) {
        if (!gone.has(id)) expect(there).toContain(id)
      }
    }),
    { numRuns: 500 },
  )
})

test('merge: what was lost in one page takes nothing from another that has it, and ends only what nobody has heard of', () => {
  const lost = (change: Partial<ChatMessage>): KeptChat => {
    const { messages } = chat(3, 'q1 r1')
    return chat(3, '', { messages: [messages[0]!, { ...messages[1]!, content: '', state: 'failed', ...change }] })
  }
  const unheard = growing(2, 'q1 r1')
  const waits: KeptChat = { ...unheard, runs: [{ ...unheard.runs[0]!, isOpen: false }] }
  const state = (a: KeptChat, b: KeptChat): unknown => {
    expect(mergeChats(a, b)).toEqual(mergeChats(b, a))
    return mergeChats(a, b).messages.at(-1)!.state
  }
  for (const failed of [lost({}), lost({ state: 'dropped' })]) {
    expect(state(failed, chat(2, 'q1 r1'))).toBe('done')
    expect(state(failed, growing(2, 'q1 r1'))).toBe('streaming')
    expect(state(failed, waits)).toBe(failed.messages.at(-1)!.state)
  }
})
