import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import {
  Agent,
  createServer,
  get as httpGet,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { json, text as textOfBody } from 'node:stream/consumers'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock, type Clock } from '../src/clock.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { toNodeListener, type NodeListener } from '../src/node/index.ts'
import type { Run } from '../src/run/run.ts'
import { manualClock, scriptedUpstream, type ScriptedReply, type ScriptedUpstream } from '../src/testing/index.ts'
import { createId } from '../src/wire/ids.ts'
import { frameReader, textOf, type FrameReader, type WireEvent } from './support/frames.ts'
import { listen, type Listening } from './support/listen.ts'
import { estimated } from './support/usage.ts'

interface Bench extends Listening {
  readonly base: string
  readonly gateway: Gateway
  readonly upstream: ScriptedUpstream
  readonly ends: readonly Run[]
  /** Closes of the server's responses, in the order of the requests. */
  readonly closed: readonly Promise<unknown>[]
  start(body?: Record<string, unknown>, init?: RequestInit): Promise<Started>
}
type Handler = (request: IncomingMessage, response: ServerResponse) => void

interface Started {
  readonly response: Response
  readonly frames: FrameReader
  readonly runId: string
  readonly reply: ScriptedReply
}

async function bench(
  options: Partial<GatewayOptions> = {},
  mount?: (listener: NodeListener) => Handler,
  socketPath?: string,
): Promise<Bench> {
  const upstream = scriptedUpstream()
  const ends: Run[] = []
  const closed: Promise<unknown>[] = []
  const gateway = createGateway({ upstream, onRunEnd: ({ run }) => void ends.push(run), ...options })
  onTestFinished(() => gateway.close())
  const listener = mount?.(toNodeListener(gateway)) ?? toNodeListener(gateway)
  const listening = await listen((request, response) => {
    closed.push(once(response, 'close'))
    listener(request, response)
  }, socketPath)
  const base = `${listening.url}/api/chat`
  return {
    ...listening,
    base,
    gateway,
    upstream,
    ends,
    closed,
    async start(body = hello, init) {
      const response = await post(base, body, init)
      const frames = frameReader(response.body)
      const first = await frames.next()
      return { response, frames, runId: first?.event.run_id ?? '', reply: await upstream.next() }
    },
  }
}

const hello = { messages: [{ role: 'user', content: 'Hello' }] }
const post = (url: string, body: unknown, init?: RequestInit): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init })
const isText = (event: WireEvent): boolean => event.message !== undefined
const code = async (response: Response): Promise<[number, string]> => {
  const { error } = (await response.json()) as { error: { code: string } }
  return [response.status, error.code]
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A request whose socket the test holds in its hand. */
async function open(
  url: string,
  body: unknown,
  socketPath?: string,
): Promise<{ request: ClientRequest; response: IncomingMessage; socket: Socket }> {
  const headers = { 'content-type': 'application/json' }
  const request = httpRequest(url, { method: 'POST', agent: false, headers, socketPath })
  request.on('error', () => undefined)
  request.end(JSON.stringify(body))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return { request, response, socket: response.socket }
}

// Streams

test('toNodeListener: the first frame is there before the upstream has answered', async () => {
  const { start } = await bench()
  const { response, frames, runId, reply } = await start()
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'run-id': runId,
    'transfer-encoding': 'chunked',
  })
  reply.send('Hello ')
  const seen = await frames.until(isText)
  reply.send('春光🌸')
  reply.finish()
  const rest = await frames.rest()
  expect(textOf([...seen, ...rest])).toBe('Hello 春光🌸')
  expect(rest.at(-1)?.event).toEqual({ done: true, reason: 'stop' })
})

test('toNodeListener: a stream holds no small frame back, whatever its server does (no Nagle)', async () => {
  const gateway = createGateway({ upstream: scriptedUpstream() })
  onTestFinished(() => gateway.close())
  const answer = toNodeListener(gateway)
  const said: unknown[] = []
  const server = createServer({ noDelay: false }, (request, response) => {
    const { socket } = request
    socket.setNoDelay = (isOn) => {
      said.push(isOn)
      return socket
    }
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`
  const response = await fetch(url, { method: 'POST', body })
  expect(said).toEqual([true])
  await response.body?.cancel()
})

test('toNodeListener: a reader of ten lines that only splits on "data: " gets the full text', async () => {
  const { base, upstream } = await bench()
  const words = Array.from({ length: 200 }, (_, i) => `${i} data: 春光\n\n`)
  const answer = post(base, hello)
  const reply = await upstream.next()
  reply.send({ thinking: 'hm' })
  for (const word of words) {
    reply.send(word)
    await turn()
  }
  reply.finish()
  let text = ''
  let buffer = ''
  const decoder = new TextDecoder()
  for await (const bytes of (await answer).body ?? []) {
    const lines = (buffer + decoder.decode(bytes, { stream: true })).split('\n')
    buffer = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue
      const data = JSON.parse(line.slice(6)) as { message?: string }
      if (data.message) text += data.message
    }
  }
  expect(text).toBe(words.join(''))
})

test('toNodeListener: the gateway is told the address of the other end', async () => {
  const addresses: (string | undefined)[] = []
  const bed = await bench({ clientOf: ({ remoteAddress }) => void addresses.push(remoteAddress) })
  const { reply } = await bed.start()
  expect(addresses).toEqual(['127.0.0.1'])
  reply.finish()
})

test('toNodeListener: a GET replays from Last-Event-ID, a HEAD has no body', async () => {
  const { base, start } = await bench()
  const { frames, reply, runId } = await start()
  reply.send('Hello there')
  reply.finish()
  await frames.rest()
  const replay = await fetch(`${base}/runs/${runId}`, { headers: { 'last-event-id': '6' } })
  expect(textOf(await frameReader(replay.body).rest())).toBe('there')
  const head = await fetch(base, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('toNodeListener: stream false is one JSON answer with a length', async () => {
  const { base, upstream } = await bench()
  const answer = post(base, { ...hello, stream: false })
  const reply = await upstream.next()
  reply.send('Hello')
  reply.finish()
  const response = await answer
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await response.json()).toMatchObject({ message: { role: 'assistant', content: 'Hello' }, reason: 'stop' })
})

test('toNodeListener: an interrupt over the socket aborts the upstream before it answers, and ends the stream', async () => {
  const { base, start, ends } = await bench()
  const { frames, reply, runId } = await start()
  reply.send('Hello there')
  await frames.until(isText)
  const response = await fetch(`${base}/runs/${runId}/interrupt`, { method: 'POST', body: '{"position":5}' })
  expect(reply.signal.aborted).toBe(true)
  expect(await response.json()).toMatchObject({ outcome: 'interrupted', position: 5, partial: { content: 'Hello' } })
  expect((await frames.rest()).map(({ event }) => event)).toEqual([
    { done: true, reason: 'interrupted', by: 'person', position: 5, ...estimated(3) },
  ])
  expect(ends).toHaveLength(1)
})

// Clients that go away

for (const phase of ['before the first delta', 'in mid text'] as const) {
  test(`toNodeListener: a client that is gone ${phase} ends its run and the upstream`, async () => {
    const { base, upstream, ends, closed } = await bench()
    const { response, socket } = await open(base, hello)
    const reply = await upstream.next()
    if (phase === 'in mid text') {
      reply.send('Hello')
      while (!String((await once(response, 'data'))[0]).includes('Hello'));
    }
    socket.destroy()
    await closed[0]
    expect(reply.signal.aborted).toBe(true)
    await reply.left
    expect(ends.map(({ state }) => state)).toEqual([
      {
        phase: 'ended',
        terminal: {
          done: true,
          reason: 'interrupted',
          by: 'orphan',
          ...(phase === 'in mid text' ? { position: 5, ...estimated(2) } : { position: 0 }),
        },
      },
    ])
    expect(ends[0]?.readers).toBe(0)
  })
}

test('toNodeListener: a client that is gone while it waits for a whole answer ends its run', async () => {
  const { base, upstream, ends } = await bench()
  const abort = new AbortController()
  const answer = post(base, { ...hello, stream: false }, { signal: abort.signal })
  const reply = await upstream.next()
  abort.abort()
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  await reply.left
  expect(ends.map(({ state }) => state)).toMatchObject([{ terminal: { by: 'orphan' } }])
})

test('toNodeListener: a client that is gone before the request gets here ends its run and the upstream', async () => {
  const { base, upstream, ends, connections } = await bench({}, (listener) => async (request, response) => {
    const body: unknown = await json(request)
    connections[0]?.socket.destroy()
    await once(response, 'close')
    listener(Object.assign(request, { body }), response)
  })
  const failure = post(base, hello).catch((error: unknown) => error)
  const reply = await upstream.next()
  await reply.left
  expect(reply.signal.aborted).toBe(true)
  expect(await failure).toBeInstanceOf(TypeError)
  expect(ends.map(({ state, readers }) => [state, readers])).toMatchObject([[{ terminal: { by: 'orphan' } }, 0]])
})

test('toNodeListener: a client that promised to come back may be gone for orphanMs, and gets the rest', async () => {
  const clock = manualClock()
  const { base, upstream, closed } = await bench({ clock })
  const run_id = createId('run')
  const { response, socket } = await open(base, { ...hello, run_id, reconnect: true })
  const reply = await upstream.next()
  reply.send('Hello ')
  while (!String((await once(response, 'data'))[0]).includes('Hello'));
  socket.destroy()
  await closed[0]
  clock.advance(4_000)
  reply.send('there')
  await turn()
  expect(reply.signal.aborted).toBe(false)
  const again = frameReader((await fetch(`${base}/runs/${run_id}`, { headers: { 'last-event-id': '6' } })).body)
  expect(textOf(await again.until(isText))).toBe('there')
  await again.cancel()
  await closed[1]
  reply.send('!')
  await turn()
  clock.advance(4_999)
  expect(reply.signal.aborted).toBe(false)
})

test('toNodeListener: a client that promised to come back and does not ends its run after orphanMs', async () => {
  const clock = manualClock()
  const { base, upstream, closed, ends } = await bench({ clock })
  const { socket } = await open(base, { ...hello, reconnect: true })
  const reply = await upstream.next()
  socket.destroy()
  await closed[0]
  clock.advance(29_999)
  expect(reply.signal.aborted).toBe(false)
  clock.advance(1)
  expect(reply.signal.aborted).toBe(true)
  await reply.left
  expect(ends.map(({ state }) => state)).toMatchObject([{ terminal: { by: 'orphan' } }])
  expect(clock.timers).toBe(0)
})

test('toNodeListener: a client that half-closes its side still gets its answer', async () => {
  const { port, upstream } = await bench()
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const body = JSON.stringify(hello)
  socket.end(`POST /api/chat HTTP/1.0\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const reply = await upstream.next()
  reply.send('Hello')
  reply.finish()
  let text = ''
  for await (const bytes of socket) text += String(bytes)
  expect(text).toContain('{"message":"Hello"}')
  expect(text).toContain('"reason":"stop"')
})

test('toNodeListener: of 1 000 cancelled runs no reader, upstream, timer or socket is left', async () => {
  let timers = 0
  const clock: Clock = {
    now: systemClock.now,
    after(ms, fire) {
      timers += 1
      let armed = true
      const done = (): void => {
        if (armed) timers -= 1
        armed = false
      }
      const disarm = systemClock.after(ms, () => {
        done()
        fire()
      })
      return () => {
        done()
        disarm()
      }
    },
  }
  const bed = await bench({ clock })
  const one = async (i: number): Promise<void> => {
    const run_id = createId('run')
    const { response, socket } = await open(bed.base, { ...hello, run_id, reconnect: i % 4 === 0 })
    const reply = await bed.upstream.next()
    if (i % 2 === 0) {
      reply.send('Hello')
      await once(response, 'data')
    }
    // Those who promised to come back interrupt; the others are just gone.
    if (i % 4 === 0) {
      const stop = await fetch(`${bed.base}/runs/${run_id}/interrupt`, { method: 'POST' })
      expect(stop.status).toBe(200)
      await stop.text()
    }
    socket.destroy()
  }
  for (let from = 0; from < 1_000; from += 40) {
    await Promise.all(Array.from({ length: 40 }, (_, i) => one(from + i)))
  }
  await Promise.all(bed.closed)
  await Promise.all(bed.upstream.replies.map(({ left }) => left))
  // What is still open belongs to the pool of this test's fetch; a run's own sockets have closed.
  bed.server.closeIdleConnections()
  await Promise.all(bed.connections.map(({ closed }) => closed))
  expect({
    ends: bed.ends.length,
    readers: bed.ends.filter(({ readers }) => readers > 0).length,
    aborted: bed.upstream.replies.filter(({ signal }) => signal.aborted).length,
    open: bed.upstream.openReplies,
    timers,
  }).toEqual({ ends: 1_000, readers: 0, aborted: 1_000, open: 0, timers: 0 })
}, 60_000)

// Clients that are slow

test('toNodeListener: a client that stops reading slows nobody, costs O(text), and reads it whole later', async () => {
  // A Unix socket holds what it is told to, where the buffers of TCP grow to tens of megabytes as the kernel likes.
  const socketPath = join(await mkdtemp(join(tmpdir(), 'midstream-')), 'gateway')
  onTestFinished(() => rm(dirname(socketPath), { recursive: true }))
  // Every delta goes at once: in a window of time, as many would come as turns fit into it, which may be more than the fuse bears.
  const bed = await bench({ fuse: { maxBytes: 64 * 1_048_576 }, coalesce: { windowMs: 0 } }, undefined, socketPath)
  const delta = `${'x'.repeat(65_534)}🌸`
  const { response, socket } = await open(bed.base, hello, socketPath)
  const reply = await bed.upstream.next()
  reply.send('first ')
  while (!String((await once(response, 'data'))[0]).includes('first'));
  response.pause()
  socket.pause()
  const [connection] = bed.connections.map(({ socket }) => socket)
  let deltas = 0
  // Full for many turns: a write that is only under way looks full for one.
  for (let full = 0; full < 50; deltas++) {
    reply.send(delta)
    await turn()
    full = connection?.writableNeedDrain ? full + 1 : 0
  }
  // Now the reader waits for the socket: however long the answer becomes, nothing more is made of it.
  const handed = connection?.bytesWritten
  for (let more = 0; more < 256; more++, deltas++) {
    reply.send(delta)
    await turn()
  }
  reply.finish()
  // The upstream is through, though its reader has not moved.
  await reply.left
  expect(bed.ends.map(({ state, readers }) => [state, readers])).toMatchObject([[{ terminal: { reason: 'stop' } }, 1]])
  expect(connection?.bytesWritten).toBe(handed)
  const other = open(bed.base, hello, socketPath)
  const quick = await bed.upstream.next()
  quick.send('not slowed')
  quick.finish()
  expect(await textOfBody((await other).response)).toContain('not slowed')

  const decoder = new TextDecoder()
  let body = ''
  response.on('data', (bytes: Buffer) => (body += decoder.decode(bytes, { stream: true })))
  socket.resume()
  response.resume()
  await once(response, 'end')
  const events = body
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as WireEvent)
  const text = events.map(({ message }) => message ?? '').join('')
  expect(text.length).toBe(deltas * delta.length)
  expect(text === delta.repeat(deltas)).toBe(true)
  expect(events.at(-1)).toEqual({ done: true, reason: 'stop' })
  // What came while it did not read is merged.
  expect(Math.max(...events.map(({ message }) => message?.length ?? 0))).toBeGreaterThanOrEqual(4 * delta.length)
}, 60_000)

test('toNodeListener: a client that stops reading in the middle of a 1 MB answer gets the rest identical', async () => {
  const bed = await bench()
  const { response } = await open(bed.base, hello)
  const reply = await bed.upstream.next()
  const words = Array.from({ length: 20_000 }, (_, i) => `${i} 春光🌸 and so on, and so forth, to the end. `)
  const decoder = new TextDecoder()
  let body = ''
  let sent = 0
  response.on('data', (bytes: Buffer) => {
    body += decoder.decode(bytes, { stream: true })
  })
  for (; sent < words.length / 2; sent++) reply.send(words[sent] ?? '')
  while (!body.includes('0 春光')) await once(response, 'data')
  response.pause()
  for (; sent < words.length; sent++) reply.send(words[sent] ?? '')
  reply.finish()
  await reply.left
  expect(bed.ends).toHaveLength(1)
  response.resume()
  await once(response, 'end')
  const text = body
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => (JSON.parse(line.slice(6)) as WireEvent).message ?? '')
    .join('')
  expect(Buffer.byteLength(text)).toBeGreaterThan(1_000_000)
  expect(text === words.join('')).toBe(true)
})

test('toNodeListener: a client that stops reading and goes away ends its run', async () => {
  const bed = await bench({ fuse: { maxBytes: 64 * 1_048_576 } })
  const { response, socket } = await open(bed.base, hello)
  const reply = await bed.upstream.next()
  response.pause()
  socket.pause()
  for (let i = 0; i < 16; i++) {
    reply.send('x'.repeat(1_048_576))
    await turn()
  }
  socket.destroy()
  await bed.closed[0]
  expect(reply.signal.aborted).toBe(true)
  await reply.left
  expect(bed.ends[0]?.readers).toBe(0)
})

// Bodies

test('toNodeListener: a connection is used again after a JSON error', async () => {
  const bed = await bench()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const send = async (method: string, path: string, body?: string): Promise<number> => {
    const request = httpRequest(`${bed.url}${path}`, { method, agent })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    return response.statusCode ?? 0
  }
  const statuses = [
    await send('POST', '/api/chat', '{"messages":['),
    await send('POST', '/api/chat', '{}'),
    await send('POST', '/api/chat', undefined),
    await send('PUT', '/api/chat', '{}'),
    await send('POST', '/nowhere', JSON.stringify(hello)),
    await send('GET', `/api/chat/runs/${createId('run')}`),
    await send('GET', '/api/chat'),
  ]
  expect(statuses).toEqual([400, 400, 400, 405, 404, 404, 200])
  expect(bed.connections).toHaveLength(1)
})

for (const how of ['with', 'without'] as const) {
  test(`toNodeListener: a body over 1 MiB ${how} its length is answered 413, and the next request works`, async () => {
    const bed = await bench()
    const large = Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(3 * 1_048_576) }] }))
    const headers = how === 'with' ? { 'content-length': large.length } : { 'transfer-encoding': 'chunked' }
    const request = httpRequest(bed.base, { method: 'POST', agent: false, headers })
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    for (let from = 0; from < large.length; from += 65_536) {
      request.write(large.subarray(from, from + 65_536))
      await turn()
    }
    request.end()
    const [response] = await answered
    let body = ''
    for await (const bytes of response) body += String(bytes)
    expect([response.statusCode, (JSON.parse(body) as { error: { code: string } }).error.code]).toEqual([
      413,
      'too_large',
    ])
    expect((await fetch(bed.base)).status).toBe(200)
  })
}

test('toNodeListener: a fetch with a body over 1 MiB gets its 413', async () => {
  const bed = await bench()
  for (let i = 0; i < 5; i++) {
    const blob = new Blob(['x'.repeat(3 * 1_048_576)])
    expect(await code(await fetch(bed.base, { method: 'POST', body: blob }))).toEqual([413, 'too_large'])
    const streamed = { method: 'POST', body: blob.stream(), duplex: 'half' } as RequestInit
    expect(await code(await fetch(bed.base, streamed))).toEqual([413, 'too_large'])
  }
})

test('toNodeListener: a body that comes byte by byte is read', async () => {
  const { base, upstream } = await bench()
  const request = httpRequest(base, { method: 'POST', agent: false })
  for (const byte of Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: '春光🌸' }] }))) {
    request.write(Uint8Array.of(byte))
    await turn()
  }
  request.end()
  const reply = await upstream.next()
  expect(reply.request.messages).toEqual([{ role: 'user', content: '春光🌸' }])
  reply.finish()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
})

test('toNodeListener: a client that is gone in the middle of its body starts nothing', async () => {
  const { base, upstream, closed, connections, server } = await bench()
  const request = httpRequest(base, { method: 'POST', agent: false, headers: { 'content-length': '1000' } })
  request.on('error', () => undefined)
  const asked = once(server, 'request')
  request.write('{"messages":[')
  await asked
  request.destroy()
  await Promise.all([closed[0], connections[0]?.closed])
  expect(upstream.replies).toHaveLength(0)
  expect((await fetch(base)).status).toBe(200)
})

test('toNodeListener: the origin is compared with the host that the client asked', async () => {
  const { base, url, port } = await bench()
  const as = async (origin: string): Promise<number> => (await fetch(base, { headers: { origin } })).status
  expect(await as(url)).toBe(200)
  expect(await as(`http://localhost:${port}`)).toBe(403)
  expect(await as('https://evil.example')).toBe(403)
  expect(await as('null')).toBe(403)
})

for (const path of ['//evil.example/api/chat', '/api/chat/../../etc', '//', '/api/chat%00', '/api//chat']) {
  test(`toNodeListener: the odd path ${path} is 404`, async () => {
    const { port } = await bench()
    const [response] = (await once(httpGet({ port, host: '127.0.0.1', path }), 'response')) as [IncomingMessage]
    response.resume()
    expect(response.statusCode).toBe(404)
  })
}

test('toNodeListener: a host header that is none is answered', async () => {
  const { port } = await bench()
  const request = httpGet({ port, host: '127.0.0.1', path: '/api/chat', headers: { host: 'a b"c' } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  expect(response.statusCode).toBeLessThan(500)
})

// Mounts

test('toNodeListener: as a middleware it gives foreign paths to next', async () => {
  const { url } = await bench({}, (listener) => (request, response) => {
    listener(request, response, () => void response.writeHead(299).end(request.url))
  })
  const seen = async (path: string): Promise<[number, string]> => {
    const response = await fetch(url + path)
    return [response.status, response.status === 299 ? await response.text() : '']
  }
  expect(await seen('/')).toEqual([299, '/'])
  expect(await seen('/api/chats')).toEqual([299, '/api/chats'])
  expect(await seen('/API/chat')).toEqual([299, '/API/chat'])
  expect(await seen('/api/chat')).toEqual([200, ''])
  expect(await seen('/api/chat?x=1')).toEqual([200, ''])
  expect(await seen('/api/chat/nowhere')).toEqual([404, ''])
})

const app =
  (build: (app: express.Express, listener: NodeListener) => void) =>
  (listener: NodeListener): Handler => {
    const server = express()
    build(server, listener)
    return server
  }
const mounts: Readonly<Record<string, (listener: NodeListener) => Handler>> = {
  'in Express': app((server, listener) => {
    server.use(listener)
    server.use((_request, response) => void response.status(299).end())
  }),
  'in Express after express.json()': app((server, listener) => {
    server.use(express.json())
    server.use(listener)
    server.use((_request, response) => void response.status(299).end())
  }),
  'in Express under its path': app((server, listener) => {
    server.use('/api/chat', listener)
    server.use((_request, response) => void response.status(299).end())
  }),
  'in Express under its path after express.json() and text()': app((server, listener) => {
    server.use(express.json(), express.text(), express.raw())
    server.use('/api/chat', listener)
    server.use((_request, response) => void response.status(299).end())
  }),
  'in an Express router': app((server, listener) => {
    const router = express.Router()
    router.use('/chat', listener)
    server.use('/api', router)
    server.use((_request, response) => void response.status(299).end())
  }),
}

/** The whole way over one mount; the server is ready when `base` is asked. */
async function works(base: string, upstream: ScriptedUpstream): Promise<void> {
  const response = await post(base, hello)
  const frames = frameReader(response.body)
  const { run_id: runId = '', session_id: sessionId = '' } = (await frames.next())?.event ?? {}
  const reply = await upstream.next()
  reply.send('Hello there')
  await frames.until(isText)
  const headers = { 'content-type': 'application/json' }
  const stop = await fetch(`${base}/runs/${runId}/interrupt`, { method: 'POST', headers, body: '{"position":5}' })
  expect([stop.status, await stop.json()]).toMatchObject([200, { outcome: 'interrupted', position: 5 }])
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ by: 'person', position: 5 })
  // As `navigator.sendBeacon` sends it, and with no body at all.
  for (const init of [{ body: '{"position":1}', headers: { 'content-type': 'text/plain' } }, {}]) {
    const again = await fetch(`${base}/runs/${runId}/interrupt`, { method: 'POST', ...init })
    expect([again.status, await again.json()]).toMatchObject([200, { outcome: 'already_done', position: 5 }])
  }
  expect(textOf(await frameReader((await fetch(`${base}/runs/${runId}?after=2`)).body).rest())).toBe('llo')
  expect((await fetch(`${base}/sessions/${sessionId}`)).status).toBe(200)
  expect((await fetch(base)).status).toBe(200)
  expect(await code(await fetch(`${base}/nowhere`))).toEqual([404, 'not_found'])
  expect(await code(await post(base, {}))).toEqual([400, 'bad_request'])
  expect((await fetch(`${base}/sessions/${sessionId}`, { method: 'DELETE' })).status).toBe(204)

  const abort = new AbortController()
  const gone = await post(base, hello, { signal: abort.signal })
  const orphan = await upstream.next()
  abort.abort()
  await orphan.left
  expect(orphan.signal.aborted).toBe(true)
  expect(gone.status).toBe(200)
}

for (const [where, mount] of Object.entries(mounts)) {
  test(`toNodeListener: works ${where}`, async () => {
    const { base, url, upstream } = await bench({}, mount)
    await works(base, upstream)
    expect((await fetch(`${url}/elsewhere`)).status).toBe(299)
  })
}

test('toNodeListener: a body that was read and not handed on is an error that says so; where there is none, nothing is amiss', async () => {
  const { base } = await bench({}, (listener) => (request, response) => {
    request.resume().once('end', () => listener(request, response))
  })
  const response = await post(base, hello)
  expect([response.status, await response.json()]).toEqual([
    500,
    {
      error: { code: 'internal', message: 'Something in front of the gateway has read the body.', retryable: false },
    },
  ])
  const chunked = await fetch(base, { method: 'POST', body: new Blob(['{}']).stream(), duplex: 'half' } as RequestInit)
  expect(await code(chunked)).toEqual([500, 'internal'])
  expect(await code(await fetch(base, { method: 'POST' }))).toEqual([400, 'bad_request'])
})

test('toNodeListener: works in Fastify as a hook, before it reads bodies', async () => {
  const { base, upstream } = await fastifyBench((server, listener) => {
    server.addHook('onRequest', (request, reply, done) => {
      listener(request.raw, reply.raw, done)
    })
  })
  await works(base, upstream)
  expect((await fetch(new URL('/elsewhere', base))).status).toBe(404)
})

test('toNodeListener: works in a Fastify route that leaves bodies alone', async () => {
  const { base, upstream } = await fastifyBench((server, listener) => {
    server.removeAllContentTypeParsers()
    server.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const path of ['/api/chat', '/api/chat/*']) {
      server.all(path, (request, reply) => {
        reply.hijack()
        listener(request.raw, reply.raw)
      })
    }
  })
  await works(base, upstream)
})

test('toNodeListener: works in a Fastify route that hands on the body it has parsed', async () => {
  const { base, upstream } = await fastifyBench((server, listener) => {
    for (const path of ['/api/chat', '/api/chat/*']) {
      server.all(path, (request, reply) => {
        reply.hijack()
        listener(Object.assign(request.raw, { body: request.body }), reply.raw)
      })
    }
  })
  await works(base, upstream)
})

async function fastifyBench(
  build: (server: FastifyInstance, listener: NodeListener) => void,
): Promise<{ base: string; upstream: ScriptedUpstream }> {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream })
  const server = fastify({ forceCloseConnections: true })
  build(server, toNodeListener(gateway))
  onTestFinished(() => server.close())
  return { base: `${await server.listen({ port: 0, host: '127.0.0.1' })}/api/chat`, upstream }
}

test('toNodeListener: a response that somebody else has answered costs its socket, not the process', async () => {
  const { base } = await bench({}, (listener) => (request, response) => {
    response.writeHead(200)
    listener(request, response)
  })
  await expect(fetch(base).then((response) => response.text())).rejects.toThrow(TypeError)
})
