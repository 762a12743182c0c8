import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama, type FakeOllama } from './support/fake-ollama.ts'
import { startProgram, type ProgramProcess } from './support/program.ts'
import { open, send } from './support/sockets.ts'

async function startWith(rest: string, server = ''): Promise<readonly [ProgramProcess, FakeOllama]> {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0${server} }
${rest}
`)
  return [program, fake]
}

const messages = [{ role: 'user', content: 'hello' }]

/** Status, code and Retry-After of a refusal. */
async function refusal(response: Response): Promise<readonly [number, string, string | null]> {
  const { error } = (await response.json()) as { readonly error: { readonly code: string } }
  return [response.status, error.code, response.headers.get('retry-after')]
}

test('limits: more runs at once than `runs` are 503, until one has ended', async () => {
  const [program, fake] = await startWith('limits: { runs: 1 }')
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  expect(await refusal(await postJson(program.fetch, '/api/chat', { messages }))).toEqual([503, 'overloaded', '1'])
  asked.say('Hi')
  asked.finish()
  await answer.end()
  const next = await chat(program.fetch, 'hello')
  await fake.next()
  expect(next.response.status).toBe(200)
})

test('limits: `client_runs` counts by address, and believes X-Forwarded-For only where it is told to', async () => {
  const [program] = await startWith('limits: { client_runs: 1 }')
  await chat(program.fetch, 'hello', { 'x-forwarded-for': '1.1.1.1' })
  const other = { 'x-forwarded-for': '2.2.2.2' }
  expect(await refusal(await postJson(program.fetch, '/api/chat', { messages }, other))).toEqual([
    429,
    'too_many_runs',
    '1',
  ])

  const [behind] = await startWith('limits: { client_runs: 1 }', ', trust_proxy: true')
  await chat(behind.fetch, 'hello', { 'x-forwarded-for': '6.6.6.6, 1.1.1.1' })
  const same = { 'x-forwarded-for': '7.7.7.7, 1.1.1.1' }
  expect((await postJson(behind.fetch, '/api/chat', { messages }, same)).status).toBe(429)
  expect((await chat(behind.fetch, 'hello', { 'x-forwarded-for': '2.2.2.2' })).response.status).toBe(200)
})

test('limits: without `client_runs` nobody is counted', async () => {
  const [program] = await startWith('')
  for (let i = 0; i < 20; i += 1) expect((await chat(program.fetch, 'hello')).response.status).toBe(200)
})

test('limits: behind a proxy one user whose requests fail closes no model server for the others', async () => {
  const [program, fake] = await startWith('recovery: false', ', trust_proxy: true')
  const fail = async (address: string, content: string): Promise<unknown> => {
    const body = { stream: false, messages: [{ role: 'user', content }] }
    const answer = postJson(program.fetch, '/api/chat', body, { 'x-forwarded-for': address })
    ;(await fake.next()).fail(500, 'no')
    await answer
    const state = (await (await program.fetch('/api/chat')).json()) as { readonly upstream: { breaker: string } }
    return state.upstream.breaker
  }
  for (let i = 0; i < 6; i += 1) expect(await fail('1.1.1.1', `request ${i}`)).toBe('closed')
  const others = []
  for (let i = 0; i < 4; i += 1) others.push(await fail(`2.2.2.${i}`, `of ${i}`))
  expect(others).toEqual(['closed', 'closed', 'closed', 'open'])
})

test('limits: readers, bodies and messages', async () => {
  const [program] = await startWith('limits: { readers: 1, body_bytes: 200, messages: 2 }')
  const answer = await chat(program.fetch, 'hello')
  expect(await refusal(await program.fetch(`/api/chat/runs/${answer.runId}`))).toEqual([429, 'too_many_readers', '1'])
  const large = await postJson(program.fetch, '/api/chat', { messages: [{ role: 'user', content: 'x'.repeat(200) }] })
  expect(await refusal(large)).toEqual([413, 'too_large', null])
  const many = { messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, ...messages] }
  expect(await refusal(await postJson(program.fetch, '/api/chat', many))).toEqual([400, 'too_many_messages', null])
})

test('limits: more connections than `connections` are told so, and twice as many are closed', async () => {
  const [program] = await startWith('limits: { connections: 2 }', ', cors_allowed_origins: ["https://app.example"]')
  const get = (path: string, headers = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: ${new URL(program.url).host}\r\n${headers}\r\n`
  const held = [open(program.url), open(program.url), open(program.url), open(program.url)]
  await Promise.all(held.map((socket) => once(socket, 'connect')))
  held[0]!.write(get('/healthz'))
  expect(String((await once(held[0]!, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /)
  held[2]!.write(get('/healthz'))
  expect(await text(held[2]!)).toMatch(/^HTTP\/1\.1 200 .*connection: close\r\n/s)
  held[3]!.write(get('/api/chat/runs/run_x', 'Origin: https://app.example\r\n'))
  const [head = '', body = ''] = (await text(held[3]!)).split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 503 /)
  for (const header of [
    'retry-after: 1',
    'connection: close',
    'access-control-allow-origin: https://app.example',
    'content-type: application/json; charset=utf-8',
  ])
    expect(head.split('\r\n')).toContainEqual(expect.stringMatching(new RegExp(`^${header}$`, 'i')))
  expect(JSON.parse(body)).toEqual({
    error: { code: 'overloaded', message: 'Too many connections at once.', retryable: true },
  })
  const more = [open(program.url), open(program.url), open(program.url)].map((socket) => once(socket, 'close'))
  await Promise.race(more)
  expect(await program.log(({ msg }) => msg.startsWith('too many'))).toMatchObject({ level: 'warn', connections: 2 })
  held[0]!.write(get('/metrics'))
  let figures = ''
  while (!/_dropped_total \d+\n/.test(figures)) figures += String((await once(held[0]!, 'data'))[0])
  expect(figures).toContain('midstream_refused_total{code="overloaded"} 1\n')
  expect(figures).toMatch(/\nmidstream_connections [34]\n/)
  expect(figures).toMatch(/\nmidstream_connections_dropped_total [12]\n/)
})

test('limits: on too many connections a page gets its preflight, a stranger what a stranger gets, a file none', async () => {
  const [program] = await startWith('limits: { connections: 1 }', ', cors_allowed_origins: ["https://app.example"]')
  await once(open(program.url), 'connect')
  const ask = async (path: string, method: string, headers: Readonly<Record<string, string>>) => {
    const { host } = new URL(program.url)
    const { status, body } = await send(program.url, { path, method, headers: { host, ...headers } })
    return [status, /"code":"(\w+)"/.exec(body)?.[1]]
  }
  expect(await ask('/api/chat', 'OPTIONS', { origin: 'https://app.example' })).toEqual([204, undefined])
  expect(await ask('/api/chat', 'POST', { origin: 'https://app.example' })).toEqual([503, 'overloaded'])
  expect(await ask('/api/chat', 'POST', { origin: 'https://evil.example' })).toEqual([403, 'origin_not_allowed'])
  expect(await ask('/api/chat', 'POST', { host: 'evil.example' })).toEqual([403, 'host_not_allowed'])
  expect(await ask('/nowhere', 'GET', {})).toEqual([503, undefined])
})

test('limits: a request whose head or body comes drop by drop is closed', async () => {
  const [program] = await startWith('limits: { header_ms: 700, request_ms: 1200 }')
  const loris = open(program.url)
  loris.write('GET /api/chat HTTP/1.1\r\nHost: x\r\n')
  const slow = open(program.url)
  slow.write(`POST /api/chat HTTP/1.1\r\nHost: ${new URL(program.url).host}\r\nContent-Length: 100\r\n\r\n{"messages":`)
  for (const answer of await Promise.all([text(loris), text(slow)])) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect((await program.fetch('/healthz')).status).toBe(200)
})

test('limits: a connection that asks for nothing more is closed after `idle_ms`', async () => {
  const [program] = await startWith('limits: { idle_ms: 50 }')
  const socket = open(program.url)
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*Keep-Alive: timeout=0\r\n.*\r\nok\n$/s)
})

test('limits: a client that reads nothing of its answer is closed after `unread_ms`, one that waits is not', async () => {
  const [program, fake] = await startWith('limits: { unread_ms: 300 }\nfuse: { max_bytes: 100000000 }')
  const waits = postJson(program.fetch, '/api/chat', { stream: false, messages })
  const waited = await fake.next()
  const socket = open(program.url)
  const body = JSON.stringify({ messages })
  const head = `POST /api/chat HTTP/1.1\r\nHost: ${new URL(program.url).host}\r\nContent-Length: ${body.length}\r\n\r\n`
  socket.pause().write(head + body)
  const asked = await fake.next()
  // More than the sockets on the way hold.
  for (let i = 0; i < 60; i += 1) asked.say('x'.repeat(500_000))
  expect(await program.log(({ by }) => by === 'orphan')).toBeTruthy()
  expect(await asked.whole).toBe(false)
  waited.say('At last')
  waited.finish()
  expect(await (await waits).json()).toMatchObject({ message: { content: 'At last' } })
})
