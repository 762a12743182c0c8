import { manualClock } from '@midstream/core/testing'
import { heapBytes } from '@midstream/test-support/heap'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { createLifetimes } from '../src/session/lifetimes.ts'
import { persist } from '../src/persist.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { SessionExtension } from '../src/extension.ts'
import { bounded, full } from './storages.ts'
import { memory, setup, turn } from './support.ts'

/** What a person said in a conversation that was let go is there when the conversation is shown again. */

/** The collector takes what nobody holds. */
async function collect(): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await turn()
    heapBytes()
  }
}

test.for([
  ['without persist', undefined],
  ['whose storage is full', persist({ ...memory(), setItem: full })],
  ['whose storage never answers', persist({ ...memory(), setItem: () => new Promise(() => undefined) })],
] as const)('only copy: a named conversation %s has its messages after gcMs, and beyond 32', async ([, extension]) => {
  const { fetch, upstream, clock } = setup()
  const extensions: SessionExtension[] = extension ? [extension] : []
  const client = createChatClient({ url: '/api/chat', clock, fetch, extensions, onError: () => undefined })
  const say = async (name: string): Promise<void> => {
    const sent = client.session(name).send(`To ${name}`)
    const run = await upstream.next()
    run.send('Hi')
    run.finish()
    await sent
  }
  for (let n = 0; n < 40; n++) await say(`${n}`)
  clock.advance(300_000)
  await collect()
  for (let n = 0; n < 40; n++) {
    const { messages } = client.session(`${n}`).getSnapshot()
    expect(messages.map(({ content }) => content)).toEqual([`To ${n}`, 'Hi'])
  }
  expect(clock.timers).toBe(0)
  client.close()
})

/** Conversations that are nothing but a name. */
function names(chars: number): { readonly made: string[]; get(name: string): ChatSession } {
  const made: string[] = []
  const lifetimes = createLifetimes(manualClock(), 300_000)
  const get = (name: string): ChatSession =>
    lifetimes.get(name, (host) => {
      made.push(name)
      const session = {} as ChatSession
      host.rest(session, true)
      return { session, letGo: () => undefined, onlyCopyChars: () => chars }
    })
  return { made, get }
}

test('only copy: of more than 1 000 the one at rest the longest goes first', async () => {
  const { made, get } = names(1)
  for (let n = 0; n < 1_034; n++) get(`${n}`)
  await collect()
  made.length = 0
  for (const name of ['0', '1', '2', '500', '1033']) get(name)
  expect(made).toEqual(['0', '1'])
})

test('only copy: of more than 8 Mi units of text the one at rest the longest goes first, and the last one stays whatever its size', async () => {
  const { made, get } = names(3_000_000)
  for (let n = 0; n < 40; n++) get(`${n}`)
  await collect()
  made.length = 0
  // 32 rest with their channels, and of the 8 that were let go before them two are held.
  for (const name of ['0', '5', '6', '7', '39']) get(name)
  expect(made).toEqual(['0', '5'])
  const large = names(9_000_000)
  for (let n = 0; n < 34; n++) large.get(`${n}`)
  await collect()
  large.made.length = 0
  for (const name of ['0', '1', '2']) large.get(name)
  expect(large.made).toEqual(['0'])
})

test('only copy: what is stored, or has no messages, is not held', async () => {
  const { made, get } = names(0)
  for (let n = 0; n < 34; n++) get(`${n}`)
  await collect()
  made.length = 0
  for (const name of ['0', '1', '2']) get(name)
  expect(made).toEqual(['0', '1'])
})

test('only copy: persist says when all of a conversation is stored, and when it is not', async () => {
  const said: boolean[] = []
  let isFull = false
  const storage = memory()
  const own = persist(bounded(storage, () => !isFull))
  const { session, upstream } = setup({
    onError: () => undefined,
    extensions: [(handle) => own({ ...handle, stored: (isWhole) => void said.push(isWhole) })],
  })
  await turn()
  const sent = session.send('Hello')
  expect(said.at(-1)).toBe(true)
  isFull = true
  ;(await upstream.next()).finish()
  await sent
  expect(said.at(-1)).toBe(false)
})
