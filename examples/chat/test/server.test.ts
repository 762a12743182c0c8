import { startNano, type Nano } from '@midstream/example-nano'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runToEnd, startChatServer, type ChatServer } from './support/chat-server.ts'

let nano: Nano
let server: ChatServer

beforeAll(async () => {
  nano = await startNano({ tokensPerSecond: 0 })
  server = await startChatServer(['--port', '0', '--upstream', nano.url])
})
afterAll(async () => {
  await server?.end('SIGTERM')
  await nano?.close()
})

interface Answer {
  readonly status: number | undefined
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

/** Not `fetch`, which would tidy the path up. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, headers, method }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, headers: response.headers, body }), reject)
    })
    asked.on('error', reject).end()
  })
}

test('server: prints one line with its address, the model and the model server', () => {
  expect(server.line).toBe(`Midstream on http://localhost:${server.port} · nano:latest by Ollama at ${nano.url}`)
})

test('server: the page comes with a policy that forbids everything inline and remote', async () => {
  const { status, headers, body } = await get('/')
  expect(status).toBe(200)
  expect(headers['content-type']).toMatch(/^text\/html/)
  expect(headers['content-security-policy']).toBe(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
  expect(headers['x-content-type-options']).toBe('nosniff')
  expect(headers['cache-control']).toBe('no-cache')
  expect(body).not.toMatch(/<script>|<style|style=|https?:\/\//)
})

test('server: files have their types, and those named by their hash may be kept', async () => {
  const { body } = await get('/')
  const script = /src="([^"]+\.js)"/.exec(body)?.[1] ?? ''
  const style = /href="([^"]+\.css)"/.exec(body)?.[1] ?? ''
  const [js, css, icon] = await Promise.all([get(script), get(style), get('/icon.svg')])
  expect(js.headers['content-type']).toMatch(/javascript/)
  expect(css.headers['content-type']).toMatch(/^text\/css/)
  expect(icon.headers['content-type']).toBe('image/svg+xml')
  expect(js.headers['cache-control']).toContain('immutable')
  expect((await get('/', { 'if-none-match': String((await get('/')).headers['etag']) })).status).toBe(304)
})

test.each([
  '/../server.js',
  '/%2e%2e/server.js',
  '/..%2fserver.js',
  '/assets/..%2f..%2fserver.js',
  '/..\\server.js',
  '//server.js',
  '/.env',
  '/%',
  '/%00',
])('server: nothing outside of the page is served at %s', async (path) => {
  const { status, body } = await get(path)
  expect(status).toBe(404)
  expect(body).not.toContain('import')
})

test('server: the page is only read', async () => {
  expect((await get('/', {}, 'POST')).status).toBe(405)
})

test('server: a foreign name that points at this machine is refused', async () => {
  expect((await get('/', { host: 'evil.example' })).status).toBe(403)
  expect((await get('/api/chat', { host: 'evil.example' })).status).toBe(403)
  expect((await get('/api/chat', { host: `127.0.0.1:${server.port}` })).status).toBe(200)
})

test('server: the gateway says how the model server is', async () => {
  const { status, body } = await get('/api/chat')
  expect(status).toBe(200)
  expect(JSON.parse(body)).toMatchObject({ model: 'nano:latest', upstream: { name: 'ollama' } })
})

test('server: a port that is taken is an error that names the flag', async () => {
  const { code, stdout, stderr } = await runToEnd(['--port', String(server.port), '--upstream', nano.url])
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '',
    stderr: `midstream: port ${server.port} is taken: choose another with --port N\n`,
  })
})

test('server: an unknown flag is an error with the usage', async () => {
  const { code, stderr } = await runToEnd(['--prot', '1'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/^midstream: .*--prot/)
  expect(stderr).toContain('--upstream URL')
})

test('server: --help prints the usage', async () => {
  const { code, stdout } = await runToEnd(['--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('--model NAME')
})

test('server: an upstream that does not answer is an error', async () => {
  const { code, stderr } = await runToEnd(['--port', '0', '--upstream', 'http://127.0.0.1:1'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^midstream: --upstream: no Ollama answers at http:\/\/127\.0\.0\.1:1 \(.+\)\n$/)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'server: %s ends it in the middle of an answer, and the model with it',
  async (signal) => {
    const slow = await startNano({ tokensPerSecond: 5 })
    const one = await startChatServer(['--port', '0', '--upstream', slow.url])
    onTestFinished(async () => {
      await one.end('SIGKILL')
      await slow.close()
    })
    const answer = await fetch(`${one.url}/api/chat`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Tell me a story about a rabbit' }] }),
    })
    const [code, body] = await Promise.all([one.end(signal), answer.text()])
    expect(code).toBe(0)
    expect(body).toContain('"by":"shutdown"')
    await slow.idle()
  },
)
