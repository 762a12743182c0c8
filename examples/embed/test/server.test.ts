import { createChatClient } from '@midstream/client'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBlogServer, type BlogServer } from './support/blog-server.ts'

let server: BlogServer

beforeAll(async () => {
  server = await startBlogServer('--port', '0')
})
afterAll(async () => {
  await server?.end()
})

test('server: one command serves a blog whose chat streams, is interrupted and follows up', async () => {
  expect(server.line).toMatch(/^The blog is on http:\/\/localhost:\d+ · the embedded model$/)
  const session = createChatClient({ url: `${server.url}/api/chat` }).session()
  const first = session.send('Tell me a story about a rabbit')
  const enough = Promise.withResolvers<void>()
  const unsubscribe = session.subscribe(() => {
    if ((session.getSnapshot().messages.at(-1)?.content.length ?? 0) > 40) enough.resolve()
  })
  await enough.promise
  unsubscribe()
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(await first).toMatchObject({ state: 'interrupted' })
  expect(await session.send('What is its name?')).toMatchObject({ state: 'done' })
})

test('server: files come with a strict policy, and the script may be used by other origins', async () => {
  const page = await fetch(server.url)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  expect(await page.text()).toContain('<midstream-chat')
  expect(page.headers.get('access-control-allow-origin')).toBeNull()
  const script = await fetch(`${server.url}/midstream-chat.js`)
  expect(script.headers.get('access-control-allow-origin')).toBe('*')
  expect(script.headers.get('content-type')).toMatch(/javascript/)
  expect((await fetch(`${server.url}/server.js`)).status).toBe(404)
})

test('server: a foreign name that points at this machine is refused', async () => {
  const { port } = new URL(server.url)
  const status = await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, headers: { host: 'evil.example' } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
  expect(status).toBe(403)
})

test('server: what cannot be started says why and ends', async () => {
  const { port } = new URL(server.url)
  await expect(startBlogServer('--port', port)).rejects.toThrow(
    `ended with 1: embed: port ${port} is taken: choose another with --port N\n`,
  )
  await expect(startBlogServer('--prot', '1')).rejects.toThrow(/ended with 2: embed: .*--prot/)
})

test('server: SIGTERM ends it and the model in the middle of an answer', async () => {
  const own = await startBlogServer('--port', '0')
  const answer = await fetch(`${own.url}/api/chat`, {
    method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Tell me a story about a rabbit' }] }),
  })
  const [code, body] = await Promise.all([own.end(), answer.text()])
  expect(code).toBe(0)
  expect(body).toContain('"by":"shutdown"')
})
