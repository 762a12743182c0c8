import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { streamChat } from '../src/stream-chat.ts'

const messages = [{ role: 'user' as const, content: 'Hello' }]

test('streamChat: yields every event of one reply and ends after the terminal one', async () => {
  const upstream = scriptedUpstream({ script: (run) => (run.send('Hi'), run.finish('stop', { completion_tokens: 1 })) })
  const fetch = gatewayFetch(createGateway({ upstream }))
  const kinds: string[] = []
  for await (const event of streamChat({ url: '/api/chat', fetch, messages })) kinds.push(Object.keys(event)[0]!)
  expect(kinds).toEqual(['session_id', 'status', 'message', 'done'].filter((kind) => kinds.includes(kind)))
  expect(kinds.at(-1)).toBe('done')
})

test('streamChat: leaving the loop ends the run', async () => {
  const upstream = scriptedUpstream({ script: (run) => run.send('Hi') })
  const fetch = gatewayFetch(createGateway({ upstream }))
  for await (const event of streamChat({ url: '/api/chat', fetch, messages })) if ('message' in event) break
  await upstream.replies[0]!.left
  expect(upstream.openReplies).toBe(0)
})

test('streamChat: aborting throws the reason of the signal and ends the run', async () => {
  const upstream = scriptedUpstream({ script: (run) => run.send('Hi') })
  const fetch = gatewayFetch(createGateway({ upstream }))
  const abort = new AbortController()
  const read = async (): Promise<void> => {
    for await (const event of streamChat({ url: '/api/chat', fetch, messages, signal: abort.signal })) {
      if ('message' in event) abort.abort(new Error('enough'))
    }
  }
  await expect(read()).rejects.toThrow('enough')
  await upstream.replies[0]!.left
})

test('streamChat: a body without a terminal event is a drop', async () => {
  const fetch = (): Promise<Response> => Promise.resolve(new Response('data: {"message":"Hi"}\n\n'))
  const read = async (): Promise<void> => {
    for await (const event of streamChat({ url: '/api/chat', fetch, messages }))
      expect(event).toEqual({ message: 'Hi' })
  }
  await expect(read()).rejects.toMatchObject({ code: 'dropped', retryable: true })
})

test('streamChat: what the gateway refuses is thrown with its code', async () => {
  const fetch = gatewayFetch(createGateway({ upstream: scriptedUpstream() }))
  const read = streamChat({ url: '/api/chat', fetch, messages: [] }).next()
  await expect(read).rejects.toMatchObject({ code: 'bad_request' })
})

test('streamChat: a frame without an end is an error, after what came before it', async () => {
  const body = `data: {"message":"Hi"}\n\ndata: ${'x'.repeat(4_194_304)}`
  const fetch = (): Promise<Response> => Promise.resolve(new Response(body))
  const events: unknown[] = []
  const read = async (): Promise<void> => {
    for await (const event of streamChat({ url: '/api/chat', fetch, messages })) events.push(event)
  }
  await expect(read()).rejects.toMatchObject({ code: 'overflow', retryable: false })
  expect(events).toEqual([{ message: 'Hi' }])
})

const circle: Record<string, unknown> = {}
circle['self'] = circle
test.for([
  ['a BigInt', { options: { seed: 7n } }],
  ['a circle', circle],
  [
    'a toJSON that throws',
    {
      toJSON() {
        throw new Error('no')
      },
    },
  ],
])('body: %s is the app’s fault: nothing is asked, nothing is retried', async ([, body]) => {
  let requests = 0
  const fetch = (): Promise<Response> => {
    requests += 1
    return Promise.reject(new TypeError('fetch failed'))
  }
  const said = {
    code: 'bad_request',
    retryable: false,
    message: expect.stringContaining('cannot be written as JSON') as string,
  }
  const options = { url: '/api/chat', fetch, body: { options: body as Record<string, unknown> } }
  await expect(streamChat({ ...options, messages }).next()).rejects.toMatchObject(said)
  const session = createChatClient(options).session()
  expect(await session.send('Hello')).toMatchObject({ state: 'failed', error: said })
  expect(requests).toBe(0)
  session.close()
})
