import { expect, test } from 'vitest'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { persist } from '../src/persist.ts'
import { key, memory, setup, turn } from './support.ts'

/** A storage that answers by promises, and some of them never. */

test('persist: a storage whose writes never settle is told of once, and is written again with what comes next', async () => {
  const storage = memory()
  const heard: string[] = []
  let isStuck = true
  let writes = 0
  const own = persist({
    ...storage,
    getItem: (key) => Promise.resolve(storage.getItem(key)),
    setItem(key, value) {
      writes += 1
      if (isStuck) return new Promise(() => undefined)
      return Promise.resolve(storage.setItem(key, value))
    },
  })
  const { session, upstream, clock } = setup({ onError: ({ message }) => heard.push(message), extensions: [own] })
  const say = async (): Promise<void> => {
    const sent = session.send('Hello')
    ;(await upstream.next()).finish()
    await sent
    await turn()
  }
  await turn()
  await say()
  expect(writes).toBe(1)
  for (let n = 0; n < 3; n++) clock.advance(10_000)
  await say()
  clock.advance(20_000)
  const message = 'The storage does not answer: the conversation is not kept'
  expect(heard).toEqual([message])
  expect(session.getSnapshot().notice).toMatchObject({ code: 'storage_failed', message })
  isStuck = false
  await say()
  expect((JSON.parse(storage.items.get(key) ?? '{}') as KeptChat).messages).toHaveLength(6)
  expect(session.getSnapshot().notice).toBe(null)
  expect(heard).toHaveLength(1)
  expect(clock.timers).toBe(0)
})

test('persist: what a storage gives after it was given up on is merged, and nothing is overwritten for good', async () => {
  const storage = memory()
  const before = setup({ extensions: [persist(storage)] })
  const old = before.open({ extensions: [persist(storage)] })
  await turn()
  const first = old.send('Old')
  ;(await before.upstream.next()).finish()
  await first
  old.close()
  let answer = (): void => {}
  const stored = storage.items.get(key)!
  const own = persist({
    ...storage,
    getItem: () => new Promise((resolve) => (answer = () => resolve(stored))),
    setItem: (key, value) => Promise.resolve(storage.setItem(key, value)),
  })
  const { session, upstream, clock } = setup({ onError: () => undefined, extensions: [own] })
  clock.advance(10_000)
  const sent = session.send('New')
  ;(await upstream.next()).finish()
  await sent
  answer()
  for (let n = 0; n < 5; n++) await turn()
  const { messages } = JSON.parse(storage.items.get(key) ?? '{}') as KeptChat
  expect(messages.filter(({ role }) => role === 'user').map(({ content }) => content)).toEqual(['Old', 'New'])
  session.close()
  expect(clock.timers).toBe(0)
})
