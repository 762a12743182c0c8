import { manualClock } from '@midstream/core/testing'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createDingtalkApi } from '../src/dingtalk/api.ts'
import { sendJson } from '../src/send-json.ts'
import { app } from './support.ts'

/** A server that gives a token, and sends everybody who asks for more elsewhere: to `/taken`, of itself. */
async function startThief(): Promise<{ readonly url: string; readonly taken: IncomingMessage[] }> {
  const taken: IncomingMessage[] = []
  const server = createServer((request, response) => {
    if (request.url === '/taken') taken.push(request)
    if (request.url?.endsWith('accessToken')) response.end('{"accessToken":"T","expireIn":7200}')
    else if (request.url === '/taken') response.end('{}')
    else response.writeHead(307, { location: '/taken' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken }
}

test('send: a redirect is not followed: neither a token nor an answer goes anywhere else', async () => {
  const { url, taken } = await startThief()
  const clock = manualClock()
  expect(await sendJson({ fetch, clock }, 'POST', `${url}/response`, { an: 'answer' })).toBeUndefined()
  const { clientId, clientSecret } = app
  const api = createDingtalkApi({ clientId, clientSecret, apiUrl: url, webhookOrigin: url, fetch, clock })
  const called = api.call('POST', '/v1.0/card/instances/createAndDeliver', {}).catch((error: unknown) => error)
  while (clock.timers === 0) await new Promise((resolve) => setImmediate(resolve))
  clock.advance(1_000)
  expect(await called).toMatchObject({ name: 'DingtalkError', message: 'DingTalk cannot be reached' })
  expect(taken).toEqual([])
  expect(clock.timers).toBe(0)
})

test('send: what does not answer within ten seconds is given up, also in the middle of its answer', async () => {
  const clock = manualClock()
  const signals: (AbortSignal | null | undefined)[] = []
  const silent: typeof fetch = (_url, init) => {
    signals.push(init?.signal)
    return new Promise((_resolve, reject) =>
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))),
    )
  }
  const halting: typeof fetch = async (_url, init) => {
    signals.push(init?.signal)
    const body = new ReadableStream({
      start: (stream) => init?.signal?.addEventListener('abort', () => stream.error(new Error('aborted'))),
    })
    return new Response(body)
  }
  const sent = [silent, halting].map((fetch) => sendJson({ fetch, clock }, 'POST', 'http://platform.test', {}))
  clock.advance(9_999)
  expect(signals.map((signal) => signal?.aborted)).toEqual([false, false])
  clock.advance(1)
  expect(await Promise.all(sent)).toEqual([undefined, undefined])
})
