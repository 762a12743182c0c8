import { afterEach, expect, test, vi } from 'vitest'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { persist, type ChatStorage } from '../src/persist.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { storedChat } from '@midstream/test-support/stored-chat'
import { bounded, full, slowly } from './storages.ts'
import { asked, isIdle, key, memory, reply, setup, shows, transcript, turn, when } from './support.ts'

const keptIn = (storage: Pick<ReturnType<typeof memory>, 'items'>): KeptChat =>
  JSON.parse(storage.items.get(key)!) as KeptChat

/** What JSON makes of it: without what is undefined. */
const asStored = (session: ChatSession): unknown => JSON.parse(JSON.stringify(session.getSnapshot().messages))

/** A gateway, a storage, and a page that is loaded now and may be loaded again. */
function page(storage: ChatStorage = memory()): ReturnType<typeof setup> {
  return setup({ extensions: [persist(storage)] })
}
/** A page that has been closed reads nothing more: its connections break, and nobody is there to mend them. */
function closable(all: ReturnType<typeof setup>, storage: ChatStorage): ReturnType<typeof setup> & { close(): void } {
  const closed = new AbortController()
  const session = all.open({
    extensions: [persist(storage)],
    fetch: (input, init) => {
      if (closed.signal.aborted) return new Promise(() => {})
      const signal = init?.signal ? AbortSignal.any([init.signal, closed.signal]) : closed.signal
      return all.fetch(input, { ...init, signal })
    },
  })
  return { ...all, session, close: () => closed.abort() }
}

test('persist: a reload shows finished turns again, and the next request is of the same session', async () => {
  const storage = memory()
  const { session, upstream, requests, open } = page(storage)
  await turn()
  const sent = session.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  await sent
  const reloaded = open()
  await when(reloaded, shows('Hi'))
  expect(reloaded.getSnapshot()).toMatchObject({ messages: asStored(session), status: 'idle' })
  void reloaded.send('How are you?')
  await upstream.next()
  expect(asked(requests)[1]).toMatchObject({
    session_id: asked(requests)[0]!['session_id'],
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: 'How are you?' },
    ],
  })
  await reloaded.clear()
})

test('persist: a reload mid-answer joins the run from position 0, and the text is whole', async () => {
  const storage = memory()
  const all = page(memory())
  const first = closable(all, storage)
  await turn()
  void first.session.send('Tell me')
  const run = await all.upstream.next()
  run.send({ thinking: 'hm' }, 'Once upon')
  await when(first.session, shows('Once upon'))
  all.clock.advance(500)
  first.close()
  await turn()
  run.send(' a ti')
  const second = all.open({ extensions: [persist(storage)] })
  await when(second, shows('Once upon'))
  await when(second, shows('Once upon a ti'))
  expect(all.requests.at(-1)).toMatchObject({
    method: 'GET',
    path: `/api/chat/runs/${keptIn(storage).runs[0]!.runId}?after=0`,
  })
  run.send('me')
  run.finish()
  await when(second, isIdle)
  expect(reply(second.getSnapshot())).toMatchObject({ content: 'Once upon a time', thinking: 'hm', state: 'done' })
  expect(all.upstream.replies).toHaveLength(1)
})

test('persist: a reload in the middle of a continuation joins that, behind what it goes on from', async () => {
  const storage = memory()
  const all = page(memory())
  const first = closable(all, storage)
  await turn()
  void first.session.send('Tell me')
  const told = await all.upstream.next()
  told.send('Once')
  told.send(' ')
  await when(first.session, shows('Once '))
  await first.session.interrupt()
  void first.session.continue()
  const run = await all.upstream.next()
  expect(run.request.prefill).toBe('Once')
  run.send(' upon')
  await when(first.session, shows('Once upon'))
  const { id } = reply(first.session.getSnapshot())
  first.close()
  const second = all.open({ extensions: [persist(storage)] })
  await when(second, shows('Once upon'))
  run.send(' a time')
  run.finish()
  await when(second, isIdle)
  expect(reply(second.getSnapshot())).toMatchObject({ id, content: 'Once upon a time', state: 'done' })
  expect(second.getSnapshot().messages).toHaveLength(2)
})

test('persist: an interrupt right after a reload keeps what the gateway has, not what was stored', async () => {
  const storage = memory()
  const all = page(memory())
  const first = closable(all, storage)
  await turn()
  void first.session.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once upon')
  await when(first.session, shows('Once upon'))
  all.clock.advance(500)
  first.close()
  run.send(' a time')
  const second = all.open({ extensions: [persist(storage)] })
  await when(second, shows('Once upon'))
  expect(second.getSnapshot().status).toBe('reconnecting')
  expect(await second.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(all.requests.at(-1)!.body).toEqual({})
  expect(reply(second.getSnapshot())).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
})

test('persist: a run that the gateway lost is gone on with, from the text that was stored', async () => {
  const storage = memory()
  const { session, upstream, clock, open } = page(storage)
  await turn()
  void session.send('Tell me')
  const told = await upstream.next()
  told.send('Once upon')
  await when(session, shows('Once upon'))
  clock.advance(500)
  const chat = keptIn(storage)
  expect(Object.keys(chat.runs[0]!).toSorted()).toEqual(['before', 'isOpen', 'runId'])
  await session.clear()
  storage.items.set(key, JSON.stringify({ ...chat, runs: [{ ...chat.runs[0], runId: `run_${'0'.repeat(32)}` }] }))
  const reloaded = open()
  const run = await upstream.next()
  expect(run.request.prefill).not.toBe('')
  expect('Once upon'.startsWith(run.request.prefill)).toBe(true)
  run.send(' upon a time')
  run.finish()
  await when(reloaded, isIdle)
  expect(transcript(reloaded.getSnapshot())).toEqual(['> Tell me', 'Once upon a time (done)'])
})

test('persist: an interrupted partial is stored as it is shown, and sent so after a reload', async () => {
  const storage = memory()
  const { session, upstream, requests, open } = page(storage)
  await turn()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once upon a')
  await when(session, shows('Once upon a'))
  await turn()
  const settled = session.interrupt()
  // In the same tick, before anybody has confirmed it: the page may be closed now.
  expect(keptIn(storage)).toMatchObject({ messages: asStored(session), runs: [] })
  await settled
  const reloaded = open()
  await when(reloaded, shows('Once upon a'))
  void reloaded.send('Thanks')
  await upstream.next()
  expect((asked(requests).at(-1)!['messages'] as unknown[])[1]).toEqual({
    role: 'assistant',
    content: 'Once upon a',
    interrupted: true,
  })
  await reloaded.clear()
})

test('persist: clear wipes the storage, also while an answer streams', async () => {
  const storage = memory()
  const { session, upstream, open } = page(storage)
  await turn()
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  await turn()
  expect(storage.items.size).toBe(1)
  const cleared = session.clear()
  expect(storage.items.size).toBe(0)
  run.send(' upon')
  await cleared
  await turn()
  expect(storage.items.size).toBe(0)
  const reloaded = open()
  await turn()
  expect(reloaded.getSnapshot().messages).toEqual([])
})

test('persist: conversations of different names and prefixes lie apart', async () => {
  const storage = memory()
  const { upstream, open } = setup()
  const session = open({ extensions: [persist(storage, { prefix: 'app' })] })
  await turn()
  const sent = session.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  await sent
  expect([...storage.items.keys()]).toEqual(['app'])
})

const never = (): Promise<never> => new Promise(() => {})
const broken = (): Promise<never> => Promise.reject(new Error('The database is gone'))
const storages: readonly [string, () => ChatStorage | undefined][] = [
  ['that is not there', () => undefined],
  ['that is full', () => ({ ...memory(), setItem: full })],
  ['that fails at everything', () => ({ getItem: full, setItem: full, removeItem: full })],
  ['that fails later', () => ({ getItem: broken, setItem: broken, removeItem: broken })],
  ['that never answers', () => ({ getItem: never, setItem: never, removeItem: never })],
]
for (const [name, open] of storages) {
  test(`persist: a storage ${name} is no error for the person`, async () => {
    const { session, upstream } = setup({ extensions: [persist(open())] })
    const sent = session.send('Hello')
    const run = await upstream.next()
    run.send('Hi')
    run.finish()
    expect(await sent).toMatchObject({ content: 'Hi', state: 'done' })
    await session.clear()
    expect(session.getSnapshot()).toMatchObject({ messages: [], error: null })
  })
}

const message = { id: 'msg_1', role: 'user', content: 'Hello', state: 'done' }
const growing = { id: 'msg_2', role: 'assistant', content: 'Hi', state: 'streaming' }
const sessionId = `sess_${'0'.repeat(32)}`
const runId = `run_${'0'.repeat(32)}`
const corrupt: readonly unknown[] = [
  'no object',
  42,
  [],
  {},
  { sessionId, messages: 'none', runs: [], version: 1 },
  { sessionId, messages: [], runs: [], version: 1 },
  { sessionId, messages: [null], runs: [], version: 1 },
  { sessionId, messages: [{ ...message, role: 'system' }], runs: [], version: 1 },
  { sessionId, messages: [{ ...message, content: 1 }], runs: [], version: 1 },
  { sessionId, messages: [], runs: [{ runId, before: growing, isOpen: true }], version: 1 },
]
test('persist: what stands in the storage and makes no sense is an empty conversation that works', async () => {
  for (const text of ['', '{', 'null', ...corrupt.map((value) => JSON.stringify(value))]) {
    const storage = memory()
    storage.items.set(key, text)
    const { session, upstream, requests } = page(storage)
    await turn()
    expect({ text, ...session.getSnapshot() }).toEqual({ text, ...session.getServerSnapshot() })
    expect({ text, requests }).toEqual({ text, requests: [] })
    const sent = session.send('Hello')
    const run = await upstream.next()
    run.send('Hi')
    run.finish()
    expect(await sent).toMatchObject({ content: 'Hi', state: 'done' })
    expect(keptIn(storage).messages).toHaveLength(2)
  }
})

test('persist: what a person says while a slow storage is still read comes after what it holds', async () => {
  const storage = memory()
  const old = page(storage)
  await turn()
  const sent = old.session.send('Old')
  const told = await old.upstream.next()
  told.send('Answer')
  told.finish()
  await sent
  let answer = (): void => {}
  const slow: ChatStorage = {
    ...storage,
    getItem: (name) => new Promise((resolve) => (answer = () => resolve(storage.items.get(name) ?? null))),
  }
  const { session, upstream, clock } = page(slow)
  // Some time later than what was said before, as far as the page knows.
  clock.advance(10)
  const said = session.send('New')
  answer()
  const run = await upstream.next()
  run.send('Yes')
  run.finish()
  await said
  await turn()
  expect(transcript(session.getSnapshot())).toEqual(['> Old', 'Answer (done)', '> New', 'Yes (done)'])
  expect(keptIn(storage).messages.map(({ content }) => content)).toEqual(['Old', 'Answer', 'New', 'Yes'])
})

/** A storage that remembers how the last message stood at each write. */
function written(): ChatStorage & { readonly writes: string[]; readonly items: Map<string, string> } {
  const storage = memory()
  const writes: string[] = []
  const setItem = (name: string, value: string): void => {
    const { content, state } = (JSON.parse(value) as KeptChat).messages.at(-1)!
    writes.push(`${content} (${state})`)
    storage.items.set(name, value)
  }
  return { ...storage, writes, setItem }
}

test('persist: text that grows is written once in 500 ms, a question and the end of its answer at once', async () => {
  const { writes, ...storage } = written()
  const { session, upstream, clock } = page(storage)
  await turn()
  const sent = session.send('Count')
  expect(writes).toEqual([' (streaming)'])
  const run = await upstream.next()
  const counted = (length: number): string => Array.from({ length }, (_, n) => `${n} `).join('')
  for (let n = 0; n < 30; n++) {
    run.send(`${n} `)
    await when(session, shows(counted(n + 1)))
    clock.advance(50)
  }
  expect(writes.slice(1)).toEqual([10, 20, 30].map((length) => `${counted(length)} (streaming)`))
  run.send('and')
  run.finish()
  await sent
  expect(writes.slice(4)).toEqual([`${counted(30)}and (done)`])
  expect(clock.timers).toBe(0)
})

test('persist: the interval is an option, and what makes no sense as one is refused', async () => {
  for (const intervalMs of [-1, NaN]) expect(() => persist(memory(), { intervalMs })).toThrow(RangeError)
  const { writes, ...storage } = written()
  const { session, upstream, clock } = setup({ extensions: [persist(storage, { intervalMs: 2_000 })] })
  await turn()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  clock.advance(1_999)
  expect(writes).toEqual([' (streaming)'])
  clock.advance(1)
  expect(writes).toEqual([' (streaming)', 'Once (streaming)'])
  await session.clear()
})

afterEach(() => void vi.unstubAllGlobals())

test.each(['pagehide', 'visibilitychange'])('persist: what waits is written at %s, once', async (type) => {
  const window = new EventTarget()
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
  const { writes, ...storage } = written()
  const { session, upstream, clock } = page(storage)
  await turn()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  expect(writes).toEqual([' (streaming)'])
  // The document's event bubbles to its window.
  const leave = (): unknown => window.dispatchEvent(new Event(type))
  leave()
  expect(writes).toEqual([' (streaming)', 'Once (streaming)'])
  leave()
  clock.advance(500)
  expect(writes).toHaveLength(2)
  await session.clear()
})

interface SlowStorage extends ChatStorage {
  readonly items: Map<string, string>
  /** What is being written; each one ends when it is called. */
  readonly writes: (() => void)[]
  /** How many there were at a time, at most. */
  most: number
}
/** A storage that works in the background, and has nothing of what is written until that has ended. */
function slow(): SlowStorage {
  const items = new Map<string, string>()
  const writes: (() => void)[] = []
  const storage: SlowStorage = {
    items,
    writes,
    most: 0,
    getItem: () => Promise.resolve(null),
    setItem: (name, value) =>
      new Promise<void>((resolve) => {
        writes.push(() => (items.set(name, value), resolve()))
        storage.most = Math.max(storage.most, writes.length)
      }),
    removeItem: (name) => Promise.resolve(void items.delete(name)),
  }
  return storage
}

test('persist: an asynchronous storage is written one at a time, and the last is the newest', async () => {
  const storage = slow()
  const { writes } = storage
  const { session, upstream } = page(storage)
  await turn()
  const sent = session.send('Hello')
  const run = await upstream.next()
  for (const word of ['a', 'b', 'c']) {
    run.send(word)
    await turn()
  }
  run.finish()
  await sent
  while (writes.length > 0) {
    writes.shift()!()
    await turn()
  }
  expect(storage.most).toBe(1)
  expect(keptIn(storage)).toMatchObject({ messages: asStored(session), runs: [] })
  // And a wipe comes after a write that is still under way.
  const again = session.send('More')
  await upstream.next()
  await session.clear()
  await again
  while (writes.length > 0) {
    writes.shift()!()
    await turn()
  }
  expect(storage.items.size).toBe(0)
})

test.each(['pagehide', 'visibilitychange'])(
  'persist: what came during a slow write is written at its end, when %s was meanwhile',
  async (type) => {
    const window = new EventTarget()
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window))
    const storage = slow()
    const { session, upstream, clock } = page(storage)
    await turn()
    void session.send('Count')
    storage.writes.shift()!()
    const run = await upstream.next()
    run.send('one')
    await when(session, shows('one'))
    clock.advance(500)
    run.send(' two')
    await when(session, shows('one two'))
    window.dispatchEvent(new Event(type))
    storage.writes.shift()!()
    await turn()
    expect(keptIn(storage).messages.at(-1)!.content).toBe('one')
    // The page may be frozen now: no timer fires any more.
    expect(storage.writes).toHaveLength(1)
    storage.writes.shift()!()
    await turn()
    expect(keptIn(storage).messages.at(-1)!.content).toBe('one two')
    // Nothing is new: nothing is written, and nothing waits.
    expect(storage.writes).toEqual([])
    clock.advance(500)
    expect(storage.writes).toEqual([])
    await session.clear()
  },
)

test('persist: that parts of what was kept made no sense is said until the conversation is cleared', async () => {
  const storage = memory()
  const good = { id: 'msg_1', role: 'user', content: 'Hello', state: 'done' }
  storage.items.set(key, storedChat([good, null]))
  let isFull = false
  const heard: string[] = []
  const { session, upstream } = setup({
    onError: ({ code }) => heard.push(code),
    extensions: [persist(bounded(storage, () => !isFull))],
  })
  await turn()
  const say = async (): Promise<void> => {
    const sent = session.send('?')
    ;(await upstream.next()).finish()
    await sent
  }
  await say()
  expect(session.getSnapshot().notice?.code).toBe('stored_invalid')
  isFull = true
  await say()
  expect(session.getSnapshot().notice?.code).toBe('storage_failed')
  isFull = false
  await say()
  expect(session.getSnapshot().notice?.code).toBe('stored_invalid')
  expect(heard).toEqual(['stored_invalid', 'storage_failed'])
  await session.clear()
  expect(session.getSnapshot().notice).toBeNull()
})

test('persist: a storage that cannot be wiped is told of', async () => {
  const storage = memory()
  const heard: string[] = []
  const fails = (): never => {
    throw new Error('Broken')
  }
  const { session, upstream } = setup({
    onError: ({ message }) => heard.push(message),
    extensions: [persist({ ...storage, removeItem: fails })],
  })
  await turn()
  const sent = session.send('?')
  ;(await upstream.next()).finish()
  await sent
  await session.clear()
  expect(heard).toEqual(['The storage is broken: what it holds of the conversation could not be removed'])
})

/** Asks, and is answered. */
async function answered({ session, upstream }: ReturnType<typeof setup>, text: string): Promise<void> {
  const sent = session.send(text)
  const from = await upstream.next()
  from.send(`To ${text}`)
  from.finish()
  await sent
}

test('persist: what is said after somebody else has emptied the storage is stored, and the answer with it', async () => {
  const storage = memory()
  const all = page(storage)
  await answered(all, 'one')
  storage.items.clear()
  await answered(all, 'two')
  expect(
    keptIn(storage)
      .messages.map(({ content }) => content)
      .slice(-2),
  ).toEqual(['two', 'To two'])
})

test.for([
  ['at once', memory],
  ['later', () => slowly(memory())],
] as const)(
  'persist: a conversation that is cleared before a storage that answers %s is read is wiped',
  async ([, make]) => {
    const storage = make()
    const before = page(storage)
    await answered(before, 'one')
    await vi.waitFor(() => expect(storage.items.size).toBe(1))
    const session = before.open({ extensions: [persist(storage)] })
    await session.clear()
    await vi.waitFor(() => expect(storage.items.size).toBe(0))
    expect(session.getSnapshot().messages).toEqual([])
  },
)
