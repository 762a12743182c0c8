import { afterEach, expect, test, vi } from 'vitest'
import { persist, type ChatStorage } from '../src/persist.ts'
import { full } from './storages.ts'
import { memory, setup, turn } from './support.ts'

/** A page without a storage that works: the chat goes on, and it is told once that nothing is kept. */

afterEach(() => void vi.unstubAllGlobals())

const part = (...names: (keyof ChatStorage)[]): ChatStorage =>
  Object.fromEntries(names.map((name) => [name, memory()[name]])) as unknown as ChatStorage
const stubbed = (name: 'localStorage' | 'sessionStorage', value: unknown) => () => {
  vi.stubGlobal(name, value)
  return persist(name === 'localStorage' ? 'local' : 'session')
}
const refused = (): ReturnType<typeof persist> => {
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    get: () => {
      throw new DOMException('The operation is insecure.', 'SecurityError')
    },
  })
  return persist('local')
}
const none = 'There is no storage: the conversation is not kept'
const noRoom = 'The storage is full or broken: the conversation is not kept'
const forbidden = 'The browser forbids the storage: the conversation is not kept'

test.for<[what: string, make: () => ReturnType<typeof persist>, message: string]>([
  ['whose localStorage is null', stubbed('localStorage', null), none],
  ['whose localStorage is undefined', stubbed('localStorage', undefined), none],
  ['whose sessionStorage is null', stubbed('sessionStorage', null), none],
  ['whose localStorage is a text', stubbed('localStorage', 'none'), none],
  ['whose localStorage cannot be looked at', refused, forbidden],
  ['whose storage is null', () => persist(null as never), none],
  ['whose storage is undefined', () => persist(undefined), none],
  ['whose storage is a function that returns null', () => persist(() => null as never), none],
  ['whose storage is a function that throws', () => persist(full), forbidden],
  ['whose storage has no setItem', () => persist(part('getItem', 'removeItem')), none],
  ['whose storage has no removeItem', () => persist(part('getItem', 'setItem')), none],
  ['whose storage has no getItem', () => persist(part('setItem', 'removeItem')), none],
  ['whose storage has no room at all', () => persist({ ...memory(), setItem: full }), noRoom],
])('no storage: a page %s answers, and says so once', async ([, make, message]) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'localStorage')
  try {
    const heard: string[] = []
    const { session, upstream } = setup({
      onError: (error) => heard.push(`${error.code}: ${error.message}`),
      extensions: [make()],
    })
    await turn()
    for (const text of ['One', 'Two']) {
      const sent = session.send(text)
      ;(await upstream.next()).finish()
      expect(await sent).toMatchObject({ state: 'done' })
    }
    expect(heard).toEqual([`storage_failed: ${message}`])
    expect(session.getSnapshot()).toMatchObject({ error: null, notice: { code: 'storage_failed', message } })
  } finally {
    if (own) Object.defineProperty(globalThis, 'localStorage', own)
    else Reflect.deleteProperty(globalThis, 'localStorage')
  }
})
