import { afterEach, expect, test, vi } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import { createChatClient } from '../src/client.ts'
import type { SessionExtension } from '../src/extension.ts'
import { bus, memory, setup, transcript, turn, type Bus } from './support.ts'

/** Two gateways on one origin: neither sees what is said to the other, where the app tells them apart; one gateway is the same however its URL is written, or where it has moved. */

afterEach(() => vi.unstubAllGlobals())

type Make = () => { readonly extension: (url: string) => SessionExtension }
const inTabs: Make = () => {
  const channel: Bus = bus()
  return { extension: () => tabs(channel.open) }
}
const makes: readonly (readonly [string, Make])[] = [
  [
    'persist with a prefix for each',
    () => {
      const storage = memory()
      return { extension: (url) => persist(storage, { prefix: url }) }
    },
  ],
  ['tabs', inTabs],
]

/** Says something at one URL. @returns What a page shows that asks another one. */
async function shownAt(make: Make, one: string, other: string, name?: string): Promise<string[]> {
  const { extension } = make()
  const { upstream, fetch, clock } = setup()
  const through: typeof fetch = (input, init) => fetch((input as string).replace(/^.*chat/, '/api/chat'), init)
  const open = (url: string): ReturnType<typeof createChatClient> =>
    createChatClient({ url, clock, fetch: through, extensions: [extension(url)] })
  const first = open(one)
  await turn()
  const sent = first.session().send('Hello')
  ;(await upstream.next()).finish()
  await sent
  const second = open(other).session(name)
  await turn()
  await turn()
  const shown = transcript(second.getSnapshot())
  // And what is said there takes nothing from the first.
  const also = second.send('Bye')
  ;(await upstream.next()).finish()
  await also
  await turn()
  expect(transcript(first.session().getSnapshot())[0]).toBe('> Hello')
  expect(transcript(first.session().getSnapshot()).includes('> Bye')).toBe(make === inTabs && shown.length > 0)
  return shown
}

test.for(makes)('two gateways on one origin: %s keeps their conversations apart', async ([, make]) => {
  expect(await shownAt(make, '/one/chat', '/two/chat')).toEqual([])
  expect(await shownAt(make, 'https://one.test/chat', 'https://two.test/chat')).toEqual([])
  expect(await shownAt(make, 'https://one.test/chat', 'http://one.test/chat')).toEqual([])
  expect(await shownAt(make, 'https://one.test/chat', 'https://one.test:8443/chat')).toEqual([])
  expect(await shownAt(make, '/chat', '/chat', 'other')).toEqual([])
})

const stored: Make = () => {
  const storage = memory()
  return { extension: () => persist(storage) }
}

test('a gateway that has moved: persist finds what was said before', async () => {
  expect(await shownAt(stored, '/api/chat', 'https://elsewhere.test/v2/chat')).toEqual(['> Hello', ' (done)'])
})

test.for([
  ['persist', stored],
  ['tabs', inTabs],
] as const)('one gateway whose URL is written in another way: %s has one conversation', async ([, make]) => {
  vi.stubGlobal('location', new URL('https://app.test/shop/page?item=1'))
  for (const other of [
    '/api/chat/',
    'https://app.test/api/chat',
    'https://APP.test:443/api/chat',
    '../api/chat',
    '/shop/../api/chat',
  ]) {
    expect({ other, shown: await shownAt(make, '/api/chat', other) }).toMatchObject({ shown: ['> Hello', ' (done)'] })
  }
  // A relative URL is another one in another folder.
  expect(await shownAt(inTabs, '/api/chat', 'api/chat')).toEqual([])
})

test('a URL with a password in it: no key and no channel holds the password', async () => {
  vi.stubGlobal('location', new URL('https://app.test/'))
  const storage = memory()
  const names: string[] = []
  const open = (name: string): never => {
    names.push(name)
    throw new Error('none')
  }
  const { upstream, open: page } = setup()
  const session = page({
    url: 'https://me:secret@app.test/api/chat',
    extensions: [persist(storage), tabs(open)],
    fetch: () => Promise.reject(new TypeError('url')),
  })
  await turn()
  await session.send('Hello')
  expect([...storage.items.keys(), ...names].join()).not.toContain('secret')
  expect(names).toEqual(['midstream https://app.test/api/chat'])
  expect(upstream.replies).toEqual([])
})
