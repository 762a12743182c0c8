import type { ChatError } from '@midstream/core'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { SessionExtension } from '../src/extension.ts'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import { isIdle, key, memory, setup, shows, tell, turn, when } from './support.ts'

const broken = (): never => {
  throw new Error('broken')
}
const rejects = (): Promise<never> => Promise.reject(new Error('broken'))
const channel = (change: object): SessionExtension =>
  tabs(() => ({ postMessage() {}, addEventListener() {}, ...change }))

/** Extensions and channels of an app, each of which fails in one way. */
const failing: Readonly<Record<string, SessionExtension>> = {
  'an extension that throws': broken,
  'an extension that rejects': rejects as unknown as SessionExtension,
  'an extension whose look throws': (handle) => handle.before(broken),
  'an extension whose look returns nothing': (handle) => handle.before((() => undefined) as never),
  'an undo that throws': () => broken,
  'an undo that rejects': () => rejects,
  'no extension at all': null as unknown as SessionExtension,
  'a channel that cannot be listened to': channel({ addEventListener: undefined }),
  'a channel whose addEventListener throws': channel({ addEventListener: broken }),
  'a channel whose removeEventListener throws': channel({ removeEventListener: broken }),
  'a channel whose close throws': channel({ close: broken }),
}

test.for(Object.entries(failing))(
  'extension: %s costs nothing else, and onError hears of it once',
  async ([, extension]) => {
    const told: ChatError[] = []
    const storage = memory()
    const { session, upstream, clock, fetch } = setup({
      extensions: [extension, persist(storage)],
      onError: (error) => told.push(error),
    })
    const run = await tell(session, upstream, 'Once')
    run.finish()
    await when(session, isIdle)
    expect(storage.items.get(key)).toContain('Once')
    session.close()
    expect(session.getSnapshot().error?.code).toBe('closed')
    await turn()
    expect(told).toMatchObject([{ code: 'extension_failed', cause: expect.any(Error) }])

    // What a client does for all of its conversations, it does for each.
    const client = createChatClient({ url: '/api/chat', clock, fetch, extensions: [extension], onError: () => {} })
    client.session('rests')
    clock.advance(300_000)
    const both = [client.session('a'), client.session('b')]
    client.close()
    expect(both.map((one) => one.getSnapshot().error?.code)).toEqual(['closed', 'closed'])
    await turn()
  },
)

test.for([
  ['throws', broken],
  ['rejects', rejects],
] as const)(
  'tabs: a channel whose postMessage %s tells nobody anything, and the chat goes on',
  async ([, postMessage]) => {
    const told: ChatError[] = []
    const { session, upstream } = setup({
      extensions: [channel({ postMessage })],
      onError: (error) => told.push(error),
    })
    const run = await tell(session, upstream, 'Once')
    run.finish()
    await when(session, isIdle)
    expect(shows('Once')(session.getSnapshot())).toBe(true)
    session.close()
    expect(told).toEqual([])
  },
)

test('tabs: a channel whose removeEventListener throws is closed all the same', () => {
  let isClosed = false
  const { session } = setup({
    extensions: [channel({ removeEventListener: broken, close: () => (isClosed = true) })],
    onError: () => {},
  })
  session.close()
  expect(isClosed).toBe(true)
})
