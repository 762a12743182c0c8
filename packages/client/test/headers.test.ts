import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { ChatClientOptions, RequestHeaders } from '../src/options.ts'
import { setup, shows, when } from './support.ts'

/** The app's headers, in every form that `fetch` takes. */

const token = 'Bearer t'
const forms: readonly (readonly [string, RequestHeaders])[] = [
  ['an object', { Authorization: token }],
  ['Headers', new Headers({ authorization: token })],
  ['pairs', [['Authorization', token]]],
  ['a Map', new Map([['authorization', token]])],
]
const ways: readonly (readonly [string, (headers: RequestHeaders) => ChatClientOptions['headers']])[] = [
  ['as they are', (headers) => headers],
  ['by a function', (headers) => () => headers],
  ['by a promise', (headers) => () => Promise.resolve(headers)],
]
/** The headers of a message, of its reconnect, of its interrupt and of the status. */
async function headersSent(headers: ChatClientOptions['headers']): Promise<Headers[]> {
  const seen: Headers[] = []
  const all = setup()
  const fetch: typeof globalThis.fetch = (input, init) => {
    seen.push(new Headers(init?.headers))
    return all.fetch(input, init)
  }
  const client = createChatClient({ url: '/api/chat', fetch, headers, clock: all.clock })
  const sent = client.session().send('Hi')
  const run = await all.upstream.next()
  run.send('Yes')
  await when(client.session(), shows('Yes'))
  await client.session().interrupt()
  await sent
  await client.status()
  return seen
}

test.for(forms.flatMap(([form, headers]) => ways.map(([way, given]) => [form, way, given(headers)] as const)))(
  'headers: %s, given %s, go with every request',
  async ([, , headers]) => {
    const seen = await headersSent(headers)
    expect(seen.map((each) => each.get('authorization'))).toEqual([token, token, token])
    expect(seen[0]!.get('content-type')).toBe('application/json')
  },
)

test('headers: what the client says takes the place of what the app says, values of one name are joined, what has none is not sent', async () => {
  const [seen] = await headersSent([
    ['Content-Type', 'text/plain'],
    ['X-Many', 'a'],
    ['x-many', 'b'],
    ['x-none', undefined as never],
    ['constructor', 'c'],
  ])
  expect(Object.fromEntries(seen!)).toEqual({
    'content-type': 'application/json',
    'x-many': 'a, b',
    constructor: 'c',
  })
  expect(await headersSent(() => null as never)).toHaveLength(3)
})

test.for<[string, unknown]>([
  ['a text', 'Bearer t'],
  ['a list of texts', ['authorization', token]],
  ['a value with a line end in it', [['a', 'b\nc']]],
  ['an empty name', [['', 'b']]],
])('headers: %s is said at once', async ([, headers]) => {
  for (const given of [headers, () => headers, () => Promise.resolve(headers)]) {
    const { session, requests } = setup({ headers: given as never })
    await session.send('Hi')
    expect(session.getSnapshot().error).toMatchObject({ code: 'headers_failed', retryable: false })
    expect(requests).toEqual([])
  }
})
