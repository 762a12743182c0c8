import type { ManualClock } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import type { KeptChat } from '../src/state/kept-chat.ts'
import { persist, type ChatStorage } from '../src/persist.ts'
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

/** A storage whose writes take as long as it is told, one after the other. */
function delayed(waits: number[]): {
  readonly storage: ReturnType<typeof memory>
  readonly slow: ChatStorage
  use(clock: ManualClock): void
} {
  const storage = memory()
  let clock!: ManualClock
  const later = <Value>(ms: number, act: () => Value): Promise<Value> =>
    new Promise((resolve) => clock.after(ms, () => resolve(act())))
  return {
    storage,
    use: (own) => (clock = own),
    slow: {
      getItem: (key) => later(10, () => storage.items.get(key) ?? null),
      setItem: (key, value) => later(waits.shift() ?? 10, () => storage.setItem(key, value)),
      removeItem: (key) => later(10, () => storage.removeItem(key)),
    },
  }
}

test.for([
  ['that was interrupted', true],
  ['that streams', false],
] as const)(
  'persist: a write that lands after close() overwrites nothing newer of the same name, after an answer %s',
  async ([, isInterrupted]) => {
    const { storage, slow, use } = delayed([10, 10, 3_000])
    const { open, upstream, clock } = setup()
    use(clock)
    const step = async (ms: number): Promise<void> => {
      for (let at = 0; at < ms; at += 10) {
        clock.advance(10)
        // oxlint-disable-next-line no-await-in-loop -- one step after the other
        await turn()
      }
    }
    const old = open({ extensions: [persist(slow)] })
    await step(50)
    void old.send('One')
    const run = await upstream.next()
    run.send('Eins')
    await step(600)
    // This write takes 3 s, and another one is due behind it.
    run.send(' zwei')
    await step(600)
    run.send(' drei')
    await step(50)
    if (isInterrupted) void old.interrupt()
    await step(10)
    old.close()
    await step(50)
    const next = open({ extensions: [persist(slow)] })
    await step(50)
    void next.send('Two')
    const second = await upstream.next()
    second.send('Deux')
    second.finish()
    if (!isInterrupted) run.finish()
    await step(6_000)
    const kept = JSON.parse(storage.items.get(key) ?? '{}') as KeptChat
    expect(kept.messages.map(({ content }) => content)).toEqual(['One', 'Eins zwei drei', 'Two', 'Deux'])
    expect(next.getSnapshot().messages.map(({ content }) => content)).toEqual(['One', 'Eins zwei drei', 'Two', 'Deux'])
    next.close()
    expect(clock.timers).toBe(0)
  },
)

test('persist: a session that was closed while it wrote, into a storage that never answers, holds up the next one for 10 s', async () => {
  const storage = memory()
  let isStuck = false
  const own = {
    ...storage,
    getItem: (key: string) => Promise.resolve(storage.getItem(key)),
    setItem: (key: string, value: string) =>
      isStuck ? new Promise(() => undefined) : Promise.resolve(storage.setItem(key, value)),
  }
  const { open, upstream, clock } = setup({ onError: () => undefined })
  const old = open({ extensions: [persist(own)] })
  await turn()
  const sent = old.send('One')
  ;(await upstream.next()).finish()
  await sent
  await turn()
  isStuck = true
  void old.send('Two')
  await turn()
  old.close()
  const next = open({ extensions: [persist(own)] })
  for (let n = 0; n < 4; n++) {
    clock.advance(10_000)
    // oxlint-disable-next-line no-await-in-loop -- one step after the other
    for (let m = 0; m < 3; m++) await turn()
  }
  expect(next.getSnapshot().messages[0]).toMatchObject({ content: 'One' })
  next.close()
})
