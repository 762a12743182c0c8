import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { startProgram, temporaryFolder } from './support/program.ts'
import { open, send } from './support/sockets.ts'

const offline = 'model: { provider: ollama, endpoint: "http://127.0.0.1:9", model_name: m }\n'
const [ann, bob, prometheus] = ['token-of-ann-0000', 'token-of-bob-0000', 'token-of-figures-0']
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

test('auth: without a token nobody chats, and what one owner starts is not there for another', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(
    `
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
auth: { tokens: { ann: "\${ANN}", bob: "\${BOB}" } }
metrics: { token: "\${FIGURES}" }
`,
    { env: { ANN: ann, BOB: bob, FIGURES: prometheus } },
  )
  const ask = { messages: [{ role: 'user', content: 'hello' }] }
  for (const headers of [{}, bearer('token-of-eve-0000'), bearer(prometheus)]) {
    const refused = await postJson(program.fetch, '/api/chat', ask, headers)
    expect([refused.status, await refused.json()]).toMatchObject([401, { error: { code: 'unauthorized' } }])
  }
  const answer = await chat(program.fetch, 'hello', bearer(ann))
  const asked = await fake.next()
  asked.say('Hi')
  await answer.text(2)
  const run = `/api/chat/runs/${answer.runId}`
  expect((await program.fetch(run, { headers: bearer(bob) })).status).toBe(404)
  expect((await postJson(program.fetch, `${run}/interrupt`, {}, bearer(bob))).status).toBe(404)
  expect((await program.fetch(run)).status).toBe(401)
  const second = await program.fetch(run, { headers: bearer(ann) })
  expect(second.status).toBe(200)
  expect((await postJson(program.fetch, `${run}/interrupt`, {}, bearer(ann))).status).toBe(200)
  expect(await answer.end()).toMatchObject({ by: 'person' })
  await second.text()

  for (const open of ['/healthz', '/readyz', '/api/chat']) expect((await program.fetch(open)).status).toBe(200)
  const closed = await program.fetch('/metrics', { headers: bearer(ann) })
  expect([closed.status, closed.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  expect((await program.fetch('/metrics', { headers: bearer(prometheus) })).status).toBe(200)
  program.signal('SIGTERM')
  await program.exited
  for (const token of [ann, bob, prometheus]) expect(program.logged.join('\n')).not.toContain(token)
})

test('auth: a secret is one for all who have it', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
auth: { secret: ${ann} }
`)
  expect((await postJson(program.fetch, '/api/chat', {}, bearer(bob))).status).toBe(401)
  const answer = await chat(program.fetch, 'hello', bearer(ann))
  ;(await fake.next()).finish()
  expect(await answer.end()).toMatchObject({ done: true })
  expect((await program.fetch(`/api/chat/runs/${answer.runId}`, { headers: bearer(ann) })).status).toBe(200)
})

test('origins: pages of others are let in by name, and a refused one is told in the log', async () => {
  const program = await startProgram(`${offline}server: { port: 0, cors_allowed_origins: ["https://app.example"] }\n`)
  const from = (origin: string, method = 'GET'): Promise<Response> =>
    program.fetch('/api/chat', { method, headers: { origin } })
  const allowed = await from('https://app.example')
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example'])
  expect((await from('https://app.example', 'OPTIONS')).status).toBe(204)
  expect((await from(program.url)).status).toBe(200)
  const refused = await from('https://evil.example')
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null])
  expect((await from('https://evil.example')).status).toBe(403)
  expect(await program.log(({ code }) => code === 'origin_not_allowed')).toMatchObject({
    level: 'warn',
    origin: 'https://evil.example',
    msg: 'refused; server.cors_allowed_origins would let it in',
  })
  expect(program.logged).toHaveLength(1)
})

test('origins: an app shell can be listed, and so can headers of its own', async () => {
  const cors = 'cors_allowed_origins: ["capacitor://localhost"], cors_allowed_headers: [X-Tenant]'
  const program = await startProgram(`${offline}server: { port: 0, ${cors} }\n`)
  const headers = { origin: 'capacitor://localhost', 'access-control-request-headers': 'x-tenant,x-other' }
  const preflight = await program.fetch('/api/chat', { method: 'OPTIONS', headers })
  expect(preflight.headers.get('access-control-allow-origin')).toBe('capacitor://localhost')
  expect(preflight.headers.get('access-control-allow-headers')).toBe(
    'authorization, content-type, last-event-id, x-tenant',
  )
})

test('origins: * lets in every page, without credentials', async () => {
  const program = await startProgram(`${offline}server: { port: 0, cors_allowed_origins: ["*"] }\n`)
  const { status, headers } = await program.fetch('/api/chat', { headers: { origin: 'https://any.example' } })
  expect(status).toBe(200)
  expect(headers.get('access-control-allow-origin')).toBe('*')
  expect(headers.get('access-control-allow-credentials')).toBe(null)
})

test('hosts: at a loopback address a name that was pointed here is refused, and told in the log', async () => {
  const program = await startProgram(`${offline}server: { port: 0 }\n`)
  const { port } = new URL(program.url)
  const ask = async (path: string, host: string): Promise<number> =>
    (await send(program.url, { path, headers: { host } })).status
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
    expect(await ask('/api/chat', host)).toBe(200)
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost:1']) {
    expect(await ask('/api/chat', host)).toBe(403)
    expect(await ask('/', host)).toBe(403)
  }
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    expect(await ask(path, `evil.example:${port}`)).toBe(403)
    expect(await ask(path, '127.0.0.1.evil.example')).toBe(403)
  }
  expect(await program.log(({ host }) => host === 'evil.example')).toMatchObject({
    msg: 'refused; server.allowed_hosts would let it in',
  })
})

test('hosts: whoever probes by an address, by localhost or without a host gets its answer', async () => {
  const program = await startProgram(`${offline}server: { port: 0, allowed_hosts: [chat.example] }\n`)
  const ask = async (path: string, host: string): Promise<number> =>
    (await send(program.url, { path, headers: { host } })).status
  for (const host of [
    '127.0.0.1:18789',
    '10.1.2.3',
    '[::1]:1',
    '[fe80::1]',
    'localhost',
    'localhost:1',
    'chat.example',
  ])
    expect([host, await ask('/healthz', host), await ask('/metrics', host)]).toEqual([host, 200, 200])
  const old = open(program.url)
  old.write('GET /healthz HTTP/1.0\r\n\r\n')
  expect(await text(old)).toMatch(/^HTTP\/1\.1 200 /)
  expect(await ask('/metrics', 'evil.example')).toBe(403)
  expect(await program.log(({ host }) => host === 'evil.example')).toMatchObject({ code: 'host_not_allowed' })
})

test('hosts: a host that others reach is asked by any name, or by those of the file', async () => {
  const open = await startProgram(`${offline}server: { port: 0, host: 0.0.0.0 }\n`)
  expect((await send(open.url, { path: '/api/chat', headers: { host: 'any.example' } })).status).toBe(200)
  const named = await startProgram(`${offline}server: { port: 0, host: 0.0.0.0, allowed_hosts: [chat.example] }\n`)
  expect((await send(named.url, { path: '/api/chat', headers: { host: 'chat.example' } })).status).toBe(200)
  expect((await send(named.url, { path: '/api/chat', headers: { host: 'any.example' } })).status).toBe(403)
  expect((await send(named.url, { path: '/readyz', headers: { host: 'any.example' } })).status).toBe(403)
})

test('static: a folder beside the chat makes a whole site, and nothing else is served', async () => {
  const folder = temporaryFolder({ secret: 'no', '.env': 'no' })
  const site = join(folder, 'site')
  for (const path of [site, join(site, 'assets'), join(site, 'api'), join(site, '.git'), join(folder, 'site-2')])
    mkdirSync(path)
  const files = {
    'index.html': '<h1>春光</h1>',
    'assets/page-BfX3k2a9.js': 'a()',
    'assets/plain.js': 'b()',
    '.env': 'no',
    '.git/config': 'no',
    'api/chat': 'no',
    '../site-2/x': 'no',
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(site, name), content)
  const program = await startProgram(`${offline}server: { port: 0, static: ${site} }\n`)

  const page = await program.fetch('/?a=b')
  expect([page.status, await page.text()]).toEqual([200, '<h1>春光</h1>'])
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('cache-control')).toBe('no-cache')
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  // Not by `fetch`, which then asks for a copy that nobody has kept.
  const again = await send(program.url, {
    headers: { host: new URL(program.url).host, 'if-none-match': page.headers.get('etag') ?? '' },
  })
  expect(again.status).toBe(304)
  const cacheOf = async (path: string): Promise<string | null> =>
    (await program.fetch(path, { method: 'HEAD' })).headers.get('cache-control')
  expect(await cacheOf('/assets/page-BfX3k2a9.js')).toBe('public, max-age=31536000, immutable')
  expect(await cacheOf('/assets/plain.js')).toBe('no-cache')

  expect(await (await program.fetch('/api/chat')).json()).toMatchObject({ model: 'm' })
  for (const path of [
    '/secret',
    '/../secret',
    '/..%2fsecret',
    '/%2e%2e/secret',
    '/assets/../../secret',
    '/..\\secret',
    '/../site-2/x',
    '//etc/passwd',
    '/.env',
    '/.git/config',
    '/%2eenv',
    '/assets/%00',
    '/%',
    '/nowhere',
  ]) {
    const { status, body } = await send(program.url, { path, headers: { host: new URL(program.url).host } })
    expect({ path, isRefused: status >= 400 && status < 500 && body !== 'no' }).toEqual({ path, isRefused: true })
  }
  expect((await program.fetch('/', { method: 'POST' })).status).toBe(405)
  writeFileSync(join(site, 'index.html'), 'another page')
  expect(await (await program.fetch('/')).text()).toBe('another page')
})

test('static: without a folder the program says where the chat is', async () => {
  const program = await startProgram(`${offline}server: { port: 0, base_path: /v1/talk }\n`)
  const nothing = await program.fetch('/')
  expect([nothing.status, await nothing.text()]).toEqual([404, 'nothing is here; the chat is at /v1/talk\n'])
  expect((await program.fetch('/v1/talk', { method: 'HEAD' })).status).toBe(200)
})
