import { ChatError } from '@midstream/core'
import { afterEach, expect, test, vi } from 'vitest'
import { streamChat } from '../src/stream-chat.ts'
import { setup, shows, turn, when } from './support.ts'

/** What cannot heal is said at once; only what may pass is asked for again. */

afterEach(() => vi.unstubAllGlobals())

type Fetch = typeof globalThis.fetch
const answers =
  (body: BodyInit | null, init?: ResponseInit): Fetch =>
  () =>
    Promise.resolve(new Response(body, init))
/** A body that brings this and stays open. */
const open = (...chunks: readonly string[]): ReadableStream =>
  new ReadableStream({
    start(out) {
      for (const chunk of chunks) out.enqueue(new TextEncoder().encode(chunk))
    },
  })
const json = { headers: { 'content-type': 'application/json' } }
const sse = { headers: { 'content-type': 'text/event-stream' } }
const text = { headers: { 'content-type': 'text/plain' } }

test.for([
  ['one word', answers('ok')],
  ['one letter of no field', answers('x')],
  ['the name of a field, as a document', answers('data')],
  ['a sentence', answers('The service is being updated')],
  ['a word and a colon', answers('note: no such page')],
  ['a number', answers('1')],
  ['a JSON string', answers('"ok"', json)],
  ['JSON', answers('{"ok":true}', json)],
  ['JSON without a content type', answers(new TextEncoder().encode('{"ok":true}'))],
  ['no content', answers(null, { status: 204 })],
  ['nothing', answers(null)],
  ['nothing, as JSON', answers('', json)],
  ['nothing, as text', answers('', text)],
  ['nothing but blank lines', answers('\r\n \n')],
  ['nothing, of length 0', answers('', { headers: { 'content-length': '0' } })],
  ['another API’s stream', answers('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n', sse)],
  ['another API’s error', answers('data: {"error":{"message":"Rate limit","code":"429"}}\n\n', sse)],
  ['another API’s named events', answers('event: start\ndata: {"type":"message_start"}\n\n: bye\n\n', sse)],
  ['another API’s stream without a type', answers('data: {"choices":[]}\n\n')],
  ['JSON that stays open', answers(open('{"ok":'), json)],
  ['text that stays open, letter by letter', answers(open('O', 'K'), text)],
  ['a page without a content type that stays open', answers(open('\n\n', ' <', '!doctype html>'))],
] as const)('heal: HTTP 200 with %s is said at once, and asked once', async ([, fetch]) => {
  const { session, requests } = setup({ fetch })
  expect(await session.send('Hello')).toMatchObject({
    state: 'failed',
    error: {
      code: 'network',
      retryable: false,
      message: expect.stringContaining('no answer of the gateway') as string,
    },
  })
  expect(requests).toHaveLength(1)
})

test.for(['d', 'data', 'data: {"sess', ':', ': comment\n\n', 'id: 1\nda', 'event', 'retry: 3', ''])(
  'heal: an event stream that was cut after %j may come whole the next time',
  async (head) => {
    const { session, requests } = setup({
      fetch: answers(head, { headers: { 'content-type': 'text/event-stream' } }),
      reconnect: { maxMs: 0 },
    })
    expect(await session.send('Hello')).toMatchObject({ error: { code: 'dropped', retryable: true } })
    expect(requests).toHaveLength(1)
  },
)

test.for([
  ['what keeps a connection open', 'data: keep-alive\n\n: ping\n\n'],
  ['the word that it is done', 'data: [DONE]\n\n'],
])('heal: an event stream that brought %s, and ended, is a lost connection', async ([, body]) => {
  const { session } = setup({ fetch: answers(body!, sse), reconnect: { maxMs: 0 } })
  expect(await session.send('Hello')).toMatchObject({ error: { code: 'dropped', retryable: true } })
})

test('heal: frames of a layer before those of the gateway are none of another API', async () => {
  const { session, upstream, fetch } = setup()
  void upstream.next().then((run) => (run.send('Hi'), run.finish()))
  const streamed = streamChat({
    url: '/api/chat',
    messages: [{ role: 'user', content: 'Hello' }],
    fetch: async (...asked) => new Response(`data: {"type":"ping"}\n\n${await (await fetch(...asked)).text()}`, sse),
  })
  const seen: object[] = []
  for await (const event of streamed) seen.push(event)
  expect(seen).toContainEqual({ message: 'Hi' })
  session.close()
})

test.for([
  ['nothing', open(), text],
  ['blank lines for ever', undefined, json],
] as const)('heal: a document that stays open and brings %s is given up after 5 s', async ([, body, init]) => {
  let drip: (() => void) | undefined
  const dripping = new ReadableStream({
    start(out) {
      drip = () => out.enqueue(new TextEncoder().encode('\n'))
    },
  })
  const { session, clock, requests } = setup({ fetch: answers(body ?? dripping, init) })
  const ended = session.send('Hello')
  for (let second = 0; second < 5; second++) {
    // oxlint-disable-next-line no-await-in-loop -- second by second
    await turn()
    if (!body) drip?.()
    // oxlint-disable-next-line no-await-in-loop -- second by second
    await turn()
    clock.advance(1_000)
  }
  await turn()
  clock.advance(0)
  expect(await ended).toMatchObject({ state: 'failed', error: { code: 'network', retryable: false } })
  expect(requests).toHaveLength(1)
})

test('heal: comments and blank lines are no sign of a gateway: the connection is a lost one after three heartbeats', async () => {
  let drip!: (chunk: string) => void
  let asked = 0
  const { session, clock } = setup({
    fetch: () => {
      asked += 1
      const body = new ReadableStream({
        start: (out) => void (drip = (chunk) => out.enqueue(new TextEncoder().encode(chunk))),
      })
      return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
    },
  })
  void session.send('Hello')
  await turn()
  drip('data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":1000}\n\ndata: {"message":"Once"}\n\n')
  await when(session, shows('Once'))
  for (let second = 0; second < 3; second++) {
    drip(second % 2 ? '\r\n' : ': proxy\n\n')
    // oxlint-disable-next-line no-await-in-loop -- second by second
    await turn()
    clock.advance(1_000)
  }
  clock.advance(0)
  await turn()
  expect(session.getSnapshot().status).toBe('reconnecting')
  clock.advance(1_000)
  await turn()
  drip('data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":1000,"position":4}\n\n')
  // A large event on a slow line is a sign of life, byte by byte.
  for (const byte of 'data: {"message":" upon"}') {
    drip(byte)
    // oxlint-disable-next-line no-await-in-loop -- second by second
    await turn()
    clock.advance(1_000)
  }
  drip('\n\n')
  await when(session, shows('Once upon'))
  expect(asked).toBe(2)
  session.close()
})

test.for([
  ['returns undefined', (() => undefined) as unknown as Fetch, 'returned no Response'],
  ['resolves to null', (() => Promise.resolve(null)) as unknown as Fetch, 'returned no Response'],
  [
    'resolves to the body',
    (() => Promise.resolve({ ok: true, status: 200 })) as unknown as Fetch,
    'returned no Response',
  ],
  ['reads the body for itself', readFirst as Fetch, 'returned no Response that can be read'],
  ['throws an error of its own', () => raise(new Error('No session token')), 'failed: No session token'],
  ['throws no error', () => raise('oops'), 'failed: oops'],
  ['is broken', () => raise(new ReferenceError('axios is not defined')), 'failed: axios is not defined'],
] as const)('heal: a fetch that %s is said at once, and called once', async ([, fetch, words]) => {
  const { session, requests } = setup({ fetch })
  expect(await session.send('Hello')).toMatchObject({
    state: 'failed',
    error: { code: 'network', retryable: false, message: expect.stringContaining(words) as string },
  })
  expect(requests).toHaveLength(1)
})

test('heal: a fetch that rejects with a ChatError has the last word', async () => {
  const { session, requests } = setup({ fetch: () => Promise.reject(new ChatError('unauthorized', 'Signed out')) })
  expect(await session.send('Hello')).toMatchObject({ error: { code: 'unauthorized', message: 'Signed out' } })
  expect(requests).toHaveLength(1)
})

test.for([
  '/api/chat',
  'localhost:3000/api/chat',
  'https://user:secret@gateway.example/chat',
  'http://',
  'file:///chat',
])('heal: the url %j can never be asked, and is said at once', async (url) => {
  vi.stubGlobal('fetch', async (input: string) => new Response(await Promise.reject(new TypeError(`Failed: ${input}`))))
  const { session } = setup({ url, fetch: (...args) => globalThis.fetch(...args) })
  const of = async (own: object): Promise<unknown> => {
    const iterator = streamChat({ url, messages: [], ...own })
    return iterator.next().catch((error: unknown) => error)
  }
  expect(await of({})).toMatchObject({
    code: 'network',
    retryable: false,
    message: expect.stringContaining('option `url` leads nowhere') as string,
  })
  // One of the app's own may take any URL.
  expect(await of({ fetch: () => Promise.reject(new TypeError('down')) })).toMatchObject({ retryable: true })
  session.close()
})

test('heal: a wrapper around the platform’s fetch that is asked for a relative URL outside of a page says so at once', async () => {
  const { session } = setup({ fetch: (input, init) => globalThis.fetch(input, init) })
  expect(await session.send('Hello')).toMatchObject({
    state: 'failed',
    error: { code: 'network', retryable: false, message: expect.stringContaining('has to be absolute') as string },
  })
})

test.for([
  ['a reset', () => Promise.reject(new TypeError('fetch failed'))],
  ['a 500', answers('PayloadTooLargeError', { status: 500 })],
  ['a 403 of a firewall', answers('<html>', { status: 403 })],
  ['a 502', answers('', { status: 502 })],
] as const)(
  'size: where a large request meets %s, the error says how large it is; of a small one it does not',
  async ([, fetch]) => {
    for (const length of [10, 100_000]) {
      const { session } = setup({ fetch, reconnect: { maxMs: 0 } })
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const reply = await session.send('x'.repeat(length))
      expect(reply?.error?.code).toBe('network')
      expect(/a proxy may take less/.test(reply?.error?.message ?? '')).toBe(length > 10)
    }
  },
)

test('heal: what can be asked, and is not reached, is asked again', async () => {
  const down = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'))
  vi.stubGlobal('fetch', down)
  const iterator = streamChat({ url: 'http://gateway.example/chat', messages: [] })
  await expect(iterator.next()).rejects.toMatchObject({ code: 'network', retryable: true })
  vi.stubGlobal('location', { href: 'https://app.example/page' })
  await expect(streamChat({ url: '/api/chat', messages: [] }).next()).rejects.toMatchObject({ retryable: true })
})

async function readFirst(): Promise<Response> {
  const response = new Response('data: {"message":"Hi"}\n\n', { headers: { 'content-type': 'text/event-stream' } })
  await response.text()
  return response
}

function raise(error: unknown): never {
  throw error
}

/** A page's fetch, whose requests a proxy redirects: what a browser makes of it. */
function redirecting(to: 'another origin' | 'its own'): { fetch: Fetch; asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    fetch: (url, { method = 'GET', redirect = 'follow', body } = {}) => {
      asked.push(`${method} ${url as string} ${redirect}${body ? ' with a body' : ''}`)
      if (redirect === 'manual') return Promise.resolve(Object.defineProperties(new Response(), opaque))
      return to === 'its own' && method === 'GET'
        ? Promise.resolve(Response.json({}))
        : Promise.reject(new TypeError('Failed to fetch'))
    },
  }
}
const opaque = { type: { value: 'opaqueredirect' }, status: { value: 0 }, ok: { value: false } }

test('redirect: one to another origin, as to a sign-in, is said at once, by a reply and by streamChat', async () => {
  vi.stubGlobal('location', { href: 'https://app.example/page' })
  const said = {
    code: 'network',
    retryable: false,
    message: expect.stringContaining('whether the user is signed in') as string,
  }
  const { fetch, asked } = redirecting('another origin')
  const { session } = setup({ fetch })
  expect(await session.send('Hello')).toMatchObject({ state: 'failed', error: said })
  expect(asked).toEqual(['POST /api/chat follow with a body', 'GET /api/chat manual', 'GET /api/chat follow'])
  await expect(streamChat({ url: '/api/chat', fetch, messages: [] }).next()).rejects.toMatchObject(said)
})

test('redirect: one within the origin is none, nor is being offline, nor a fetch outside of a page', async () => {
  vi.stubGlobal('location', { href: 'https://app.example/page' })
  const own = redirecting('its own')
  const first = (fetch: Fetch): Promise<unknown> =>
    streamChat({ url: '/api/chat', fetch, messages: [] })
      .next()
      .catch((error: unknown) => error)
  expect(await first(own.fetch)).toMatchObject({ code: 'network', retryable: true })
  const offline = vi.fn<Fetch>(() => Promise.reject(new TypeError('Failed to fetch')))
  expect(await first(offline)).toMatchObject({ code: 'network', retryable: true })
  expect(offline).toHaveBeenCalledTimes(2)
  vi.stubGlobal('navigator', { onLine: false })
  expect(await first(offline)).toMatchObject({ code: 'network', retryable: true })
  expect(offline).toHaveBeenCalledTimes(3)
  vi.unstubAllGlobals()
  const outside = redirecting('another origin')
  expect(await first(outside.fetch)).toMatchObject({ code: 'network', retryable: true })
  expect(outside.asked).toHaveLength(1)
})

test('redirect: an abort while it is looked for is an abort', async () => {
  vi.stubGlobal('location', { href: 'https://app.example/page' })
  const abort = new AbortController()
  const fetch: Fetch = (_url, init) => {
    if (init?.redirect !== 'manual') return Promise.reject(new TypeError('Failed to fetch'))
    abort.abort(new Error('enough'))
    return new Promise(() => {})
  }
  const read = streamChat({ url: '/api/chat', fetch, messages: [], signal: abort.signal }).next()
  await expect(read).rejects.toThrow('enough')
})
