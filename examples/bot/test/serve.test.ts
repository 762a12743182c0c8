import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { BotRequest, PlatformRoute } from '../src/platform.ts'
import { serve, serveDefaults, type ServeOptions } from '../src/serve.ts'

interface Routed {
  readonly url: string
  readonly requests: BotRequest[]
  readonly close: () => Promise<void>
}

async function routed(
  shown: () => Promise<void> = () => Promise.resolve(),
  options: Partial<ServeOptions> = {},
): Promise<Routed> {
  const requests: BotRequest[] = []
  const route: PlatformRoute = Object.assign(
    async (request: BotRequest) => {
      requests.push(request)
      return { status: 200, type: 'application/json' as const, body: '{"ok":true}' }
    },
    { shown },
  )
  const { url, close } = await serve({ routes: { '/wecom': route }, port: 0, host: '127.0.0.1', ...options })
  let closing: Promise<void> | undefined
  const once = (): Promise<void> => (closing ??= close())
  onTestFinished(once)
  return { url, requests, close: once }
}

test('serve: a callback reaches its platform with its query, headers and body', async () => {
  const { url, requests } = await routed()
  const response = await fetch(`${url}/wecom?nonce=1%2B1`, { method: 'POST', headers: { sign: 'S' }, body: '字' })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await response.json()).toEqual({ ok: true })
  const [request] = requests
  expect(request?.method).toBe('POST')
  expect(request?.url.searchParams.get('nonce')).toBe('1+1')
  expect(request?.header('sign')).toBe('S')
  expect(request?.header('other')).toBeNull()
  expect(request?.body).toBe('字')
})

test('serve: a body that is too large is 413 and reaches nobody', async () => {
  const { url, requests } = await routed()
  for (const bytes of [262_145, 20_000_000]) {
    const { status } = await fetch(`${url}/wecom`, { method: 'POST', body: 'x'.repeat(bytes) })
    expect(status).toBe(413)
  }
  expect(requests).toEqual([])
})

test.for([
  ['headers', 'POST /wecom HTTP/1.1\r\nhost: bot\r\n'],
  ['body', 'POST /wecom HTTP/1.1\r\nhost: bot\r\ncontent-length: 9\r\n\r\n{'],
] as const)('serve: a callback whose %s never end is hung up on', async ([, start]) => {
  const { url, requests } = await routed(undefined, { requestTimeoutMs: 100 })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write(start)
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /)
  expect(requests).toEqual([])
})

test('serve: a callback has ten seconds to arrive', () => {
  expect(serveDefaults).toEqual({ requestTimeoutMs: 10_000 })
})

test('serve: other paths are 404; /healthz is 200', async () => {
  const { url } = await routed()
  for (const path of ['/', '/dingtalk', '/wecom/']) expect((await fetch(url + path)).status).toBe(404)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('serve: closing waits until what was answered is shown, and answers meanwhile', async () => {
  const shown = Promise.withResolvers<void>()
  const { url, close } = await routed(() => shown.promise)
  let isClosed = false
  const closing = close().then(() => (isClosed = true))
  expect((await fetch(`${url}/wecom`)).status).toBe(200)
  expect(isClosed).toBe(false)
  shown.resolve()
  await closing
  await expect(fetch(`${url}/wecom`)).rejects.toThrow(TypeError)
})
