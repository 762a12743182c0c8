import { storedChat } from '@midstream/test-support/stored-chat'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { persist } from '../src/persist.ts'
import { tabs, type TabsChannel } from '../src/tabs.ts'
import type { ChatClient } from '../src/chat-client.ts'
import { key, bus, memory, reply, setup, shows, transcript, turn, when, type Setup } from './support.ts'

/** A client whose channels say whether they are closed. */
function life(): Setup & { readonly client: ChatClient; readonly channels: Set<string> } {
  const all = setup()
  const channels = new Set<string>()
  const channel = (name: string): TabsChannel => {
    channels.add(name)
    return { postMessage: () => undefined, addEventListener: () => undefined, close: () => void channels.delete(name) }
  }
  const client = createChatClient({
    url: '/api/chat',
    clock: all.clock,
    fetch: all.fetch,
    extensions: [tabs(channel)],
  })
  return { ...all, client, channels }
}

test('life: a named session that nobody observes is let go after gcMs, and its channel is closed', () => {
  const { client, clock, channels } = life()
  const leave = client.session('a').subscribe(() => undefined)
  clock.advance(400_000)
  expect(channels.size).toBe(1)
  leave()
  clock.advance(299_999)
  expect(channels.size).toBe(1)
  clock.advance(1)
  expect(channels.size).toBe(0)
  expect(clock.timers).toBe(0)
})

test('life: a session that was let go and is still held comes back when it is used', async () => {
  const { client, clock, channels, upstream } = life()
  const session = client.session('a')
  clock.advance(300_000)
  expect(channels.size).toBe(0)
  const sent = session.send('Hello')
  expect(channels.size).toBe(1)
  expect(client.session('a')).toBe(session)
  ;(await upstream.next()).finish()
  await sent
})

test('life: a session whose run goes on is not let go', async () => {
  const { client, clock, channels, upstream } = life()
  void client.session('a').send('Hello')
  const run = await upstream.next()
  for (let s = 0; s < 100; s++) {
    run.send('word ')
    await turn()
    clock.advance(4_000)
  }
  expect(channels.size).toBe(1)
  client.close()
})

test('life: of many sessions at rest the longest is let go first', () => {
  const { client, channels } = life()
  for (let n = 0; n < 40; n++) client.session(`${n}`)
  expect(channels.size).toBe(32)
  expect(channels.has('midstream /api/chat 0')).toBe(false)
})

test('life: the main session stays, and leaves no timer', () => {
  const { client, clock, channels } = life()
  client.session().subscribe(() => undefined)()
  expect(clock.timers).toBe(0)
  expect(channels.size).toBe(1)
})

test('life: close gives up the reader, tells its listeners once, and the name is free', async () => {
  const { client, upstream, channels } = life()
  const session = client.session('a')
  const sent = session.send('Hello')
  ;(await upstream.next()).send('Hi')
  await when(session, shows('Hi'))
  let calls = 0
  session.subscribe(() => (calls += 1))
  session.close()
  const said = { content: 'Hi', state: 'dropped', error: { code: 'closed' } }
  expect(await sent).toMatchObject(said)
  expect([calls, channels.size]).toEqual([1, 0])
  const isOver = { status: 'error', error: { code: 'closed', retryable: false } }
  expect(session.getSnapshot()).toMatchObject({ ...isOver, messages: [{ content: 'Hello' }, said] })
  expect(() => session.send('More')).toThrow(TypeError)
  expect(client.session('a')).not.toBe(session)
  session.close()
  session.subscribe(() => (calls += 1))
  await session.clear()
  expect(calls).toBe(1)
  client.close()
})

test('life: a closed client gives its conversations as they were, closed; one that it never had is empty and closed', async () => {
  const { client, upstream, channels } = life()
  const session = client.session('a')
  const sent = session.send('Hello')
  ;(await upstream.next()).send('Hi')
  await when(session, shows('Hi'))
  client.close()
  await sent
  expect(client.session('a')).toBe(session)
  expect(session.getSnapshot().messages.map(({ content }) => content)).toEqual(['Hello', 'Hi'])
  const isOver = { status: 'error', error: { code: 'closed' } }
  const other = client.session('b')
  expect(other.getSnapshot()).toMatchObject({ ...isOver, messages: [] })
  expect(client.session('b')).toBe(other)
  expect(channels.size).toBe(0)
  for (const closed of [session, other]) {
    for (const act of ['send', 'continue', 'regenerate'] as const)
      expect(() => closed[act]('More')).toThrow('is closed')
    expect(() => closed.edit('msg_1', 'More')).toThrow('is closed')
    expect(closed.takeBack('msg_1')).toBe(false)
    closed.subscribe(() => undefined)()
    closed.close()
  }
  client.close()
  expect(await other.interrupt()).toEqual({ outcome: 'already_done' })
})

test('life: `using` closes a session, where the platform has it', () => {
  const { client, channels } = life()
  {
    using session = client.session('a')
    session.getSnapshot()
  }
  expect(channels.size).toBe(0)
})

test('life: a session that was closed never writes over a newer one of its key', async () => {
  const storage = memory()
  const { open, upstream } = setup({ extensions: [persist(storage)] })
  const old = open()
  await turn()
  void old.send('One')
  ;(await upstream.next()).send('Eins')
  await when(old, shows('Eins'))
  void old.interrupt()
  old.close()
  const next = open()
  await when(next, shows('Eins'))
  const sent = next.send('Two')
  ;(await upstream.next()).finish()
  await sent
  expect(storage.items.get(key)).toContain('Two')
})

test('two tabs: what is sent in the same instant stays in both, and after a reload', async () => {
  const storage = memory()
  const channel = bus()
  const { open, upstream } = setup({ extensions: [persist(storage), tabs(channel.open)] })
  const [a, b] = [open(), open()]
  await turn()
  const first = a.send('Hello')
  ;(await upstream.next()).finish()
  await first
  await when(b, ({ messages, status }) => messages.length === 2 && status === 'idle')
  const both = [a.send('From A'), b.send('From B')]
  for (let n = 0; n < 2; n++) {
    const run = await upstream.next()
    run.send(`answer ${n}`)
    await turn()
    run.finish()
  }
  await Promise.all(both)
  const isWhole = ({ messages, status }: ReturnType<typeof a.getSnapshot>): boolean =>
    status === 'idle' && ['From A', 'From B'].every((text) => messages.some(({ content }) => content === text))
  await Promise.all([when(a, isWhole), when(b, isWhole)])
  expect(transcript(b.getSnapshot())).toEqual(transcript(a.getSnapshot()))
  const reloaded = open()
  await when(reloaded, isWhole)
  expect(transcript(reloaded.getSnapshot())).toEqual(transcript(a.getSnapshot()))
})

test('too long: one message over the limit fails before it is sent, and later requests leave it out', async () => {
  const { session, upstream, requests } = setup()
  expect(await session.send('x'.repeat(1_100_000))).toMatchObject({ state: 'failed', error: { code: 'too_large' } })
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  const sent = session.send('short')
  ;(await upstream.next()).finish()
  await sent
  expect(requests.at(-1)?.body).toMatchObject({ omitted: 1, messages: [{ content: 'short' }] })
  expect(session.getSnapshot().omitted).toBe(1)
  expect(reply(session.getSnapshot()).state).not.toBe('streaming')
})

test('too long: a gateway that takes less says so, and is asked again with less', async () => {
  const { session, upstream, requests } = setup({ gateway: { limits: { messages: 3 } } })
  for (const text of ['One', 'Two', 'Three']) {
    const sent = session.send(text)
    const run = await upstream.next()
    run.send('Yes')
    run.finish()
    expect(await sent).toMatchObject({ state: 'done' })
  }
  expect(requests.at(-1)?.body).toMatchObject({ omitted: 2, messages: { length: 3 } })
})

test('too long: whenTooLong fail fails the reply, and sends nothing', async () => {
  const { session, requests } = setup({ whenTooLong: 'fail' })
  expect(await session.send('x'.repeat(1_100_000))).toMatchObject({ state: 'failed', error: { code: 'too_large' } })
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
})

test('persist: a request that never arrived is made again after a reload, once', async () => {
  const storage = memory()
  const { open, upstream, clock } = setup()
  const lost = open({ extensions: [persist(storage)], fetch: () => new Promise(() => undefined) })
  await turn()
  void lost.send('Tell me')
  const reloaded = open({ extensions: [persist(storage)] })
  // The gateway does not know the run: it is looked for, and then asked for.
  await turn()
  clock.advance(1_000)
  const run = await upstream.next()
  run.send('Once')
  run.finish()
  await when(reloaded, ({ status }) => status === 'idle')
  expect(transcript(reloaded.getSnapshot())).toEqual(['> Tell me', 'Once (done)'])
  expect(upstream.replies).toHaveLength(1)
})

test('persist: a storage that is full brings no older copy back, and is told once', async () => {
  const storage = memory()
  let isFull = false
  const errors: string[] = []
  const { session, upstream, open } = setup({
    onError: ({ code }) => errors.push(code),
    extensions: [
      persist({
        ...storage,
        setItem: (key, value) => {
          if (isFull) throw new DOMException('Full', 'QuotaExceededError')
          return storage.setItem(key, value)
        },
      }),
    ],
  })
  await turn()
  const sent = session.send('One')
  isFull = true
  const run = await upstream.next()
  run.send('Eins')
  run.finish()
  await sent
  expect(errors).toEqual(['storage_failed'])
  expect(session.getSnapshot().notice).toMatchObject({ code: 'storage_failed' })
  const reloaded = open()
  await turn()
  expect(reloaded.getSnapshot().messages).toEqual([])
})

test('persist: what makes no sense of a stored chat is left out, and the rest is shown', async () => {
  const storage = memory()
  const good = { id: 'msg_1', role: 'user', content: 'Hello', state: 'done' }
  const messages = [
    good,
    good,
    null,
    { ...good, id: 'msg_2', role: 'system' },
    { ...good, id: 'msg_3', toolCalls: 'x' },
  ]
  storage.items.set(key, storedChat(messages))
  const errors: string[] = []
  const { session } = setup({ onError: ({ code }) => errors.push(code), extensions: [persist(storage)] })
  await turn()
  expect(session.getSnapshot().messages.map(({ id }) => id)).toEqual(['msg_1', 'msg_3'])
  expect(errors).toEqual(['stored_invalid'])
})

test('persist: a storage that the browser forbids even to look at is none', async () => {
  const errors: string[] = []
  const forbidden = (): never => {
    throw new DOMException('Forbidden', 'SecurityError')
  }
  const { session, upstream } = setup({ onError: ({ code }) => errors.push(code), extensions: [persist(forbidden)] })
  const sent = session.send('Hello')
  ;(await upstream.next()).finish()
  await sent
  expect(errors).toEqual(['storage_failed'])
})

test('tabs: what another page says and makes no sense is not heard', async () => {
  const channel = bus()
  const { session, upstream } = setup({ extensions: [tabs(channel.open)] })
  const sent = session.send('Hello')
  ;(await upstream.next()).finish()
  await sent
  const before = session.getSnapshot()
  const { chat } = channel.words.at(-1)!
  for (const data of [null, 5, 'x', {}, { type: 'news' }, { type: 'news', chat: { ...chat, messages: [null] } }]) {
    channel.listeners[0]!.hear({ data })
  }
  expect(session.getSnapshot()).toBe(before)
})
