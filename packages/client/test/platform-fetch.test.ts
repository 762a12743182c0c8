import { http, HttpResponse } from 'msw/http'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { streamChat } from '../src/stream-chat.ts'

/** The platform's own `fetch`, answered by msw; aborts and real sockets are tested over loopback elsewhere. */
const url = 'https://chat.example/api/chat'
const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const start = { session_id: `sess_${'0'.repeat(32)}`, run_id: `run_${'0'.repeat(32)}`, model: 'm', heartbeat_ms: 5_000 }
const frames = (...events: object[]): string => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
const sse = (body: BodyInit): HttpResponse<BodyInit> =>
  new HttpResponse(body, { headers: { 'content-type': 'text/event-stream' } })

test('client: uses the platform’s fetch, with its own headers, as JSON', async () => {
  let seen: { headers: Headers; body: unknown } | undefined
  server.use(
    http.post(url, async ({ request }) => {
      seen = { headers: request.headers, body: await request.json() }
      return sse(frames(start, { done: true, reason: 'stop' }))
    }),
  )
  const client = createChatClient({
    url,
    headers: { authorization: 'Bearer t' },
    body: { options: { temperature: 0 } },
  })
  expect(await client.session().send('Hello')).toMatchObject({ state: 'done', content: '' })
  expect(seen?.headers.get('content-type')).toBe('application/json')
  expect(seen?.headers.get('authorization')).toBe('Bearer t')
  expect(seen?.body).toMatchObject({
    messages: [{ role: 'user', content: 'Hello' }],
    options: { temperature: 0 },
    reconnect: true,
  })
})

test('client: an answer that comes in pieces, inside a character, is whole', async () => {
  const bytes = new TextEncoder().encode(
    `data: ${JSON.stringify(start)}\n\nid: 2\ndata: {"message":"春光"}\n\nid: 4\ndata: {"message":"明媚"}\n\ndata: {"done":true,"reason":"stop"}\n\n`,
  )
  let at = 0
  server.use(
    http.post(url, () =>
      sse(
        new ReadableStream({
          pull(out) {
            out.enqueue(bytes.slice(at, (at += 7)))
            if (at >= bytes.length) out.close()
          },
        }),
      ),
    ),
  )
  expect(await createChatClient({ url }).session().send('你好')).toMatchObject({ content: '春光明媚', state: 'done' })
})

test('client: a redirect to a page that is no gateway is told, not shown', async () => {
  server.use(http.post(url, () => HttpResponse.html('<h1>Sign in</h1>')))
  const reply = await createChatClient({ url }).session().send('Hello')
  expect(reply).toMatchObject({ state: 'failed', content: '', error: { code: 'network', retryable: false } })
  expect(reply?.error?.message).toContain('HTTP 200 (text/html)')
})

test('streamChat: a refusal over the platform’s fetch has the gateway’s code', async () => {
  const error = { code: 'session_busy', message: 'Another run is still going.', retryable: true }
  server.use(http.post(url, () => HttpResponse.json({ error }, { status: 409 })))
  const read = streamChat({ url, messages: [{ role: 'user', content: 'Hello' }] }).next()
  await expect(read).rejects.toMatchObject(error)
})
