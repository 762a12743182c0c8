import { manualClock } from '@midstream/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { turn } from './support.ts'

/** A page asks how the gateway is whenever it gets the focus: an answer that fails, at whatever moment, is an error of that question alone. */

const unhandled: unknown[] = []
const hear = (reason: unknown): void => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', hear)
})
afterEach(() => void process.off('unhandledRejection', hear))

const broken = new TypeError('The body broke off')
const moments: readonly (readonly [string, (fail: () => void, abort: () => void, late: () => void) => void])[] = [
  ['at once', (fail) => fail()],
  ['after its question was given up', (fail, abort) => (abort(), fail())],
  ['in the moment in which its question is given up', (fail, abort) => (fail(), abort())],
  ['after its time was up', (fail, _, late) => (late(), fail())],
  ['never', (_, __, late) => late()],
]
for (const status of [200, 500]) {
  test.for(moments)(`status: a body (HTTP ${status}) that fails %s is no unhandled rejection`, async ([, happen]) => {
    const clock = manualClock()
    let fail = (): void => undefined
    const fetch = (): Promise<Response> =>
      Promise.resolve({
        ok: status === 200,
        status,
        headers: new Headers({ 'content-type': 'application/json' }),
        json: () => new Promise((_, reject) => (fail = () => reject(broken))),
      } as unknown as Response)
    const client = createChatClient({ url: '/api/chat', fetch, clock })
    const abort = new AbortController()
    const asked = client.status(abort.signal).then(
      () => 'answered',
      () => 'failed',
    )
    await turn()
    happen(
      () => fail(),
      () => abort.abort(),
      () => clock.advance(10_000),
    )
    expect(await asked).toBe('failed')
    await turn()
    expect(unhandled).toEqual([])
    expect(clock.timers).toBe(0)
  })
}

test('status: a body whose json() throws, or that is no JSON, is no unhandled rejection', async () => {
  const bodies: readonly (() => unknown)[] = [
    () => {
      throw broken
    },
    () => Promise.reject(broken),
    () => Promise.resolve(null),
    () => 'a text',
  ]
  for (const json of bodies) {
    const fetch = (): Promise<Response> =>
      Promise.resolve({ ok: true, status: 200, headers: new Headers(), json } as unknown as Response)
    const client = createChatClient({ url: '/api/chat', fetch, clock: manualClock() })
    await expect(client.status()).rejects.toBeInstanceOf(Error)
  }
  await turn()
  expect(unhandled).toEqual([])
})
