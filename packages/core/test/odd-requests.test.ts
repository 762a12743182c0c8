import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions, type GatewayRequest } from '../src/gateway/index.ts'
import { toNodeListener } from '../src/node/index.ts'
import { scriptedUpstream, type ScriptedUpstream } from '../src/testing/index.ts'
import { createId } from '../src/wire/ids.ts'
import { listen } from './support/listen.ts'

// What HTTP allows and clients seldom send, byte by byte.

interface Bed {
  readonly port: number
  readonly upstream: ScriptedUpstream
  readonly seen: GatewayRequest[]
  open(): Socket
  /** All that comes back for these bytes. */
  send(bytes: string): Promise<string>
}
async function bed(options: Partial<GatewayOptions> = {}): Promise<Bed> {
  const upstream = scriptedUpstream({ script: (reply) => (reply.send('Hi'), reply.finish()) })
  const seen: GatewayRequest[] = []
  const authorize = (request: GatewayRequest): string => {
    seen.push(request)
    return 'ann'
  }
  const gateway = createGateway({ upstream, authorize, ...options })
  onTestFinished(() => gateway.close())
  const { port } = await listen(toNodeListener(gateway))
  const open = (): Socket => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    onTestFinished(() => void socket.destroy())
    return socket
  }
  return {
    port,
    upstream,
    seen,
    open,
    send(bytes) {
      const socket = open()
      socket.write(bytes)
      return text(socket)
    },
  }
}
const messages = [{ role: 'user', content: 'Hello' }]
const whole = JSON.stringify({ stream: false, messages })
const stream = JSON.stringify({ messages })
const post = (body: string, head = 'Host: x\r\nConnection: close\r\n', version = '1.1', path = '/api/chat'): string =>
  `POST ${path} HTTP/${version}\r\n${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

test('HTTP/1.0: without a Host a stream comes whole, not in chunks, and the connection closes', async () => {
  const { send } = await bed()
  const answer = await send(post(stream, '', '1.0'))
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  expect(answer).not.toMatch(/transfer-encoding/i)
  expect(answer).toMatch(/\r\n\r\n(?:id|data|event): [^]*"done":true[^]*\n\n$/)
})

test('HTTP/1.0: without a Host a list of hosts lets nobody in', async () => {
  const { send, upstream } = await bed({ allowedHosts: ['chat.example'] })
  expect(statuses(await send(post(whole, '', '1.0')))).toEqual([403])
  expect(upstream.replies).toHaveLength(0)
})

test('HTTP/1.1: without a Host, or with two, nobody is let in', async () => {
  const { send, upstream } = await bed()
  expect(statuses(await send(post(whole, 'Connection: close\r\n')))).toEqual([400])
  expect(statuses(await send(post(whole, 'Host: a\r\nHost: b\r\nConnection: close\r\n')))).toEqual([400])
  expect(upstream.replies).toHaveLength(0)
})

test('pipelining: two requests in one piece are answered in their order', async () => {
  const { send, upstream } = await bed()
  const one = post(whole, 'Host: x\r\n')
  expect(statuses(await send(one + post(whole)))).toEqual([200, 200])
  expect(upstream.replies).toHaveLength(2)
})

test('pipelining: an interrupt behind its own stream ends it', async () => {
  const upstream = scriptedUpstream()
  const { open } = await bed({ upstream })
  const run_id = createId('run')
  const socket = open()
  socket.write(post(JSON.stringify({ run_id, messages }), 'Host: x\r\n'))
  ;(await upstream.next()).send('Once')
  socket.write(post('{}', undefined, '1.1', `/api/chat/runs/${run_id}/interrupt`))
  const answer = await text(socket)
  expect(statuses(answer)).toEqual([200, 200])
  expect(answer).toContain('"by":"person"')
  expect(answer).toContain('"outcome":"interrupted"')
})

test('pipelining: what follows a body that is too large is still answered', async () => {
  const { send } = await bed({ limits: { bodyBytes: 100 } })
  expect(statuses(await send(post('x'.repeat(200_000), 'Host: x\r\n') + post(whole)))).toEqual([413, 200])
})

test('Expect: 100-continue is met, and what is too large or not allowed is said after it', async () => {
  const { open, upstream } = await bed({ limits: { bodyBytes: 100 } })
  const ask = async (head: string, body: string): Promise<number[]> => {
    const socket = open()
    socket.write(
      `POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n${head}Content-Length: ${body.length}\r\n\r\n`,
    )
    const [said] = (await once(socket, 'data')) as [Buffer]
    socket.write(body)
    return statuses(said.toString() + (await text(socket)))
  }
  expect(await ask('', whole)).toEqual([100, 200])
  expect(await ask('', 'x'.repeat(200))).toEqual([100, 413])
  expect(await ask('Origin: https://evil.example\r\n', whole)).toEqual([100, 403])
  expect(upstream.replies).toHaveLength(1)
})

test('chunks: a body with extensions and trailers is read, and a trailer is no header', async () => {
  const { send, seen } = await bed()
  const half = whole.length >> 1
  const chunk = (part: string): string => `${part.length.toString(16)};ext="a"\r\n${part}\r\n`
  const answer = await send(
    `POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n${chunk(whole.slice(0, half))}${chunk(whole.slice(half))}0\r\nAuthorization: Bearer late\r\nX-User: late\r\n\r\n`,
  )
  expect(statuses(answer)).toEqual([200])
  expect([seen[0]?.headers.get('authorization'), seen[0]?.headers.get('x-user')]).toEqual([null, null])
})

test.for([
  ['two lengths', `Content-Length: 5\r\nContent-Length: ${whole.length}\r\n`],
  ['a length and chunks', `Content-Length: ${whole.length}\r\nTransfer-Encoding: chunked\r\n`],
  ['a length that is none', 'Content-Length: x\r\n'],
  ['chunks in another coding', 'Transfer-Encoding: gzip, chunked\r\n'],
])('smuggling: a body with %s starts nothing', async ([, head]) => {
  const { send, upstream } = await bed()
  const answer = await send(`POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head}\r\n${whole}`)
  expect(statuses(answer).every((status) => status >= 400)).toBe(true)
  expect(upstream.replies).toHaveLength(0)
})

test('headers: of two origins, two sites and two positions none is believed', async () => {
  const { send, upstream } = await bed()
  const own = 'Host: x\r\nConnection: close\r\n'
  for (const head of [
    'Origin: http://x\r\nOrigin: http://evil.example\r\n',
    'Origin: http://evil.example\r\nOrigin: http://x\r\n',
    'Origin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n',
  ])
    expect([head, statuses(await send(post(whole, own + head)))]).toEqual([head, [403]])
  expect(upstream.replies).toHaveLength(0)
  const two = `${own}Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n`
  expect(statuses(await send(`GET /api/chat/runs/run_x HTTP/1.1\r\n${two}\r\n`))).toEqual([400])
})

test('headers: of two Authorization headers the first counts, as everywhere in Node', async () => {
  const { send, seen } = await bed()
  await send(post(whole, 'Host: x\r\nConnection: close\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n'))
  expect(seen[0]?.headers.get('authorization')).toBe('Bearer a')
})

test('headers: names of what every object has are headers like any other', async () => {
  const { send, seen } = await bed()
  await send(post(whole, 'Host: x\r\nConnection: close\r\n__proto__: a\r\nconstructor: b\r\ntoString: c\r\n'))
  const { headers } = seen[0]!
  expect(['constructor', 'tostring'].map((name) => headers.get(name))).toEqual(['b', 'c'])
  expect(headers).toBeInstanceOf(Headers)
})

test.for(['CONNECT x:80', 'OPTIONS *', 'TRACE /api/chat', 'PUT /api/chat', 'PROPFIND /api/chat', 'QUERY /api/chat'])(
  'methods: %s starts nothing, and the next request is answered',
  async (line) => {
    const { send, upstream } = await bed()
    await send(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(upstream.replies).toHaveLength(0)
    expect(statuses(await send(post(whole)))).toEqual([200])
  },
)

test('upgrade: a request that asks for a WebSocket is answered as any other', async () => {
  const { send } = await bed()
  const head = 'Host: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n'
  expect(statuses(await send(`GET /api/chat HTTP/1.1\r\n${head}\r\n`))).toEqual([200])
})

// HTTP/2

async function session(options: Partial<GatewayOptions> = {}): Promise<{
  readonly upstream: ScriptedUpstream
  readonly client: http2.ClientHttp2Session
  ask(headers: http2.OutgoingHttpHeaders, body?: string): Promise<[number | undefined, string]>
}> {
  const upstream = scriptedUpstream({ script: (reply) => (reply.send('Hi'), reply.finish()) })
  const gateway = createGateway({ upstream, authorize: () => 'ann', ...options })
  onTestFinished(() => gateway.close())
  const server = http2.createServer(toNodeListener(gateway))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = http2.connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  return {
    upstream,
    client,
    async ask(headers, body = whole) {
      const asked = client.request({ ':method': 'POST', ':path': '/api/chat', ...headers })
      const status = new Promise<number | undefined>((resolve) => {
        asked.on('response', (head) => resolve(head[':status']))
        asked.on('close', () => resolve(undefined))
        asked.on('error', () => resolve(undefined))
      })
      asked.end(body)
      return [await status, await text(asked).catch(() => '')]
    },
  }
}

test('HTTP/2: what a URL parser would write differently is not the gateway’s, and no path of the :authority is', async () => {
  const { ask, upstream } = await session()
  for (const path of ['/api/./chat', '/x/../api/chat', '/api/%2e/chat', '/api\\chat', '//x/api/chat'])
    expect([path, (await ask({ ':path': path }))[0]]).toEqual([path, 404])
  for (const authority of ['x/api/chat?', 'x/api/chat#', 'a@b/api/chat', ''])
    expect([authority, (await ask({ ':path': '/', ':authority': authority }))[0]]).not.toEqual([authority, 200])
  for (const authority of ['x/y', 'a@b', 'a b', ''])
    // Some of them Node refuses itself, by a reset.
    expect([400, undefined]).toContain((await ask({ ':authority': authority }))[0])
  expect(upstream.replies).toHaveLength(0)
})

test('HTTP/2: many streams at once, one that is reset and trailers disturb nobody', async () => {
  const { ask, client, upstream } = await session()
  const reset = client.request({ ':method': 'POST', ':path': '/api/chat', 'content-length': '1000' })
  reset.on('error', () => undefined)
  reset.write('{"mess')
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask({}, stream)))
  reset.close(http2.constants.NGHTTP2_CANCEL)
  for (const [status, body] of answers) expect([status, body.includes('"done":true')]).toEqual([200, true])
  const late = client.request({ ':method': 'POST', ':path': '/api/chat' }, { waitForTrailers: true })
  late.on('wantTrailers', () => late.sendTrailers({ authorization: 'late' }))
  late.end(whole)
  const [head] = (await once(late, 'response')) as [http2.IncomingHttpHeaders]
  late.resume()
  expect(head[':status']).toBe(200)
  expect(upstream.replies).toHaveLength(11)
})

test('HTTP/2: a body that is too large is 413, and the session goes on', async () => {
  const { ask } = await session({ limits: { bodyBytes: 1_000 } })
  expect((await ask({}, 'x'.repeat(300_000)))[0]).toBe(413)
  expect((await ask({}))[0]).toBe(200)
})
