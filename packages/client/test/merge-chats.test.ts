import { expect, test } from 'vitest'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { mergeChats } from '../src/merge-chats.ts'
import type { ChatMessage } from '../src/message.ts'

const sessionId = `sess_${'0'.repeat(32)}`
const message = (id: string): ChatMessage => ({
  id,
  role: id.startsWith('q') ? 'user' : 'assistant',
  content: id,
  state: 'done',
})
const chat = (version: number, ids: string, change: Partial<KeptChat> = {}): KeptChat => ({
  sessionId,
  version,
  run: null,
  removed: [],
  messages: ids.split(' ').filter(Boolean).map(message),
  ...change,
})
const running = (id: string): KeptChat['run'] => ({ runId: `run_${id}`, before: message(id), isOpen: true })
const ids = (of: string): ReadonlySet<string> => new Set(of.split(' ').filter(Boolean))
const merged = (...args: Parameters<typeof mergeChats>): unknown => {
  const meeting = mergeChats(...args)
  return typeof meeting === 'object' ? meeting.messages.map(({ id }) => id).join(' ') : meeting
}

test.each<[what: string, mine: KeptChat, theirs: KeptChat, own: string, result: string]>([
  ['a newer copy is taken', chat(1, 'q1 r1'), chat(2, 'q1 r1 q2 r2'), '', 'take'],
  ['an older copy changes nothing', chat(2, 'q1 r1 q2 r2'), chat(1, 'q1 r1'), 'q2 r2', 'same'],
  [
    'two questions at once stay, in one order',
    chat(2, 'q1 r1 qa ra'),
    chat(2, 'q1 r1 qb rb'),
    'qa ra',
    'q1 r1 qa ra qb rb',
  ],
  [
    'the other page comes to the same order',
    chat(2, 'q1 r1 qb rb'),
    chat(2, 'q1 r1 qa ra'),
    'qb rb',
    'q1 r1 qa ra qb rb',
  ],
  [
    'the turn whose run goes on comes last',
    chat(2, 'q1 r1 qb rb'),
    chat(3, 'q1 r1 qa ra', { run: running('ra') }),
    'qb rb',
    'q1 r1 qb rb qa ra',
  ],
  [
    'of two runs that go on one waits',
    chat(2, 'qa ra', { run: running('ra') }),
    chat(2, 'qb rb', { run: running('rb') }),
    'qa ra',
    'hold',
  ],
  ['the first questions of two sessions stay', chat(1, 'qa ra'), chat(1, 'qb rb'), 'qa ra', 'qa ra qb rb'],
  [
    'what was removed there does not come back',
    chat(2, 'q1 r1 q2 r2 qa ra'),
    chat(3, 'q1 r1 qb rb', { removed: ['q2', 'r2'] }),
    'qa ra',
    'q1 r1 qa ra qb rb',
  ],
  ['what was removed here does not come back', chat(2, 'q1 ra'), chat(2, 'q1 r1 q2 r2'), 'ra', 'q2 r2 q1 ra'],
  ['one question answered anew in both keeps both', chat(2, 'q1 ra'), chat(2, 'q1 rb'), 'ra', 'q1 ra rb'],
  [
    'a newer copy without anything new does not hide what was said here',
    chat(2, 'q1 r1 qa ra'),
    chat(3, 'q1 r1'),
    'qa ra',
    'q1 r1 qa ra',
  ],
  [
    'a reply that is continued elsewhere does not end up before what was said here',
    chat(2, 'q1 r1 qa ra'),
    chat(3, 'q1 r1', { run: running('r1') }),
    'qa ra',
    'same',
  ],
  [
    'a reply that is continued here keeps its question, though that was edited away there',
    chat(2, 'qa ra q1 r1', { run: running('r1') }),
    chat(3, 'q2 r2', { removed: ['q1', 'r1'] }),
    'qa ra',
    'q2 r2 qa ra q1 r1',
  ],
  ['an older copy without anything new changes nothing', chat(3, 'q1 r1 qa ra'), chat(2, 'q1 r1'), 'qa ra', 'same'],
  ['a cleared conversation wins', chat(2, 'q1 r1 qa ra'), chat(3, ''), 'qa ra', 'take'],
])('merge: %s', (_what, mine, theirs, own, result) => {
  // What is here was seen here, and so was r1, which was answered anew.
  const seen = new Set([...mine.messages.map(({ id }) => id), 'r1'])
  expect(merged(mine, theirs, ids(own), seen)).toBe(result)
})

test('merge: the version is beyond both, and the run that goes on is kept', () => {
  const meeting = mergeChats(chat(2, 'qb rb'), chat(7, 'qa ra', { run: running('ra') }), ids('qb rb'), ids('qb rb'))
  expect(meeting).toMatchObject({ version: 8, run: { runId: 'run_ra' } })
})
