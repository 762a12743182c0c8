import { afterEach, expect, test, vi } from 'vitest'
import { ChatError } from '@midstream/core'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { persist } from '../src/persist.ts'
import type { SessionHandle } from '../src/extension.ts'
import { storedChat } from '@midstream/test-support/stored-chat'
import { bounded } from './storages.ts'
import { key, memory, setup, turn, type Setup } from './support.ts'

/** A storage that has no room: what is kept, and what is said of it. */

afterEach(() => void vi.unstubAllGlobals())

interface Full extends Setup {
  /** How many messages there is room for. */
  room: number
  /** What `onError` heard. */
  readonly heard: string[]
  /** How many messages each write had, whether there was room or not. */
  readonly tried: number[]
  keptMessages(): number | undefined
  say(): Promise<void>
  notice(): string | undefined
}

function full(stored?: string): Full {
  const storage = memory()
  if (stored !== undefined) storage.items.set(key, stored)
  const heard: string[] = []
  const tried: number[] = []
  const fits = (value: string): boolean => {
    const { length } = (JSON.parse(value) as KeptChat).messages
    tried.push(length)
    return length <= world.room
  }
  const all = setup({ onError: ({ message }) => heard.push(message), extensions: [persist(bounded(storage, fits))] })
  const world: Full = {
    ...all,
    room: Infinity,
    heard,
    tried,
    keptMessages() {
      const text = storage.items.get(key)
      return text === undefined ? undefined : (JSON.parse(text) as KeptChat).messages.length
    },
    async say() {
      const sent = all.session.send('More')
      ;(await all.upstream.next()).finish()
      await sent
    },
    notice: () => all.session.getSnapshot().notice?.message,
  }
  return world
}

const newest = 'The storage is full: only the newest part of the conversation is kept'
const none = 'The storage is full or broken: the conversation is not kept'

test('persist: a storage that has room again holds the whole conversation again, and the notice goes', async () => {
  const world = full()
  await turn()
  for (let n = 0; n < 4; n++) await world.say()
  world.room = 4
  await world.say()
  expect(world.keptMessages()).toBe(4)
  expect(world.notice()).toBe(newest)
  world.room = Infinity
  await world.say()
  expect(world.keptMessages()).toBe(12)
  expect(world.notice()).toBe(undefined)
  expect(world.heard).toEqual([newest])
})

test('persist: while a storage stays full, a write in mid-answer tries no more than fits, and it is said once', async () => {
  const world = full()
  await turn()
  for (let n = 0; n < 4; n++) await world.say()
  world.room = 4
  await world.say()
  const sent = world.session.send('Tell me')
  const run = await world.upstream.next()
  world.tried.length = 0
  for (let n = 0; n < 5; n++) {
    run.send('word ')
    await turn()
    world.clock.advance(500)
  }
  expect(world.tried).toEqual([2, 2, 2, 2, 2])
  run.finish()
  await sent
  expect(world.heard).toEqual([newest])
})

test('persist: where not even the last turn fits, it says that nothing is kept, and not that a part is', async () => {
  const world = full()
  await turn()
  for (let n = 0; n < 4; n++) await world.say()
  world.room = 1
  await world.say()
  expect(world.keptMessages()).toBe(undefined)
  expect(world.heard).toEqual([none])
  expect(world.notice()).toBe(none)
  world.room = 2
  await world.say()
  expect(world.keptMessages()).toBe(2)
  expect(world.notice()).toBe(newest)
  world.room = 1
  await world.say()
  expect(world.keptMessages()).toBe(undefined)
  expect(world.heard).toEqual([none, newest, none])
})

test('persist: that what was stored made no sense is still said after a write, and after a full storage has room', async () => {
  const good = { id: 'msg_1', role: 'user', content: 'Hello', state: 'done' }
  const world = full(storedChat([good, null]))
  await turn()
  const lost = 'Parts of the stored conversation made no sense (1): what could not be kept was left out'
  expect(world.notice()).toBe(lost)
  await world.say()
  expect(world.notice()).toBe(lost)
  world.room = 1
  await world.say()
  expect(world.notice()).toBe(none)
  world.room = Infinity
  for (let n = 0; n < 3; n++) await world.say()
  expect(world.notice()).toBe(lost)
  expect(world.heard).toEqual([lost, none])
})

test.each([1, 2, 3, 4, 5])(
  'persist: a storage that cannot be read any more, from look %i on, holds what is shown',
  async (from) => {
    const storage = memory()
    let looks = 0
    const getItem = (key: string): string | null => {
      looks += 1
      if (looks >= from) throw new Error('gone')
      return storage.items.get(key) ?? null
    }
    const { session, upstream } = setup({ extensions: [persist({ ...storage, getItem })] })
    await turn()
    for (let n = 0; n < 2; n++) {
      const sent = session.send(`Question ${n}`)
      const reply = await upstream.next()
      reply.send('Yes')
      await turn()
      reply.finish()
      await sent
    }
    await turn()
    const { messages } = JSON.parse(storage.items.get(key) ?? '{}') as KeptChat
    expect(messages).toEqual(session.getSnapshot().messages)
  },
)

test('report: the same words are told once, other words again; what is withdrawn can be told anew', () => {
  const heard: string[] = []
  let handle!: SessionHandle
  const extend = (own: SessionHandle): void => void (handle = own)
  const { session } = setup({ onError: ({ message }) => heard.push(message), extensions: [extend] })
  const say = (code: 'storage_failed' | 'stored_invalid', text: string, isShown?: boolean): void =>
    handle.report(new ChatError(code, text), isShown)
  const notice = (): string | undefined => session.getSnapshot().notice?.message
  say('stored_invalid', 'hidden', false)
  say('storage_failed', 'one')
  say('storage_failed', 'one')
  say('storage_failed', 'two')
  expect(heard).toEqual(['hidden', 'one', 'two'])
  expect(notice()).toBe('two')
  handle.withdraw('stored_invalid')
  expect(notice()).toBe('two')
  handle.withdraw('storage_failed')
  expect(notice()).toBe(undefined)
  say('storage_failed', 'two')
  expect(heard).toHaveLength(4)
})
