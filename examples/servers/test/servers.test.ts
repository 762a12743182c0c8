import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { chat, postJson, type Call } from './support/chat.ts'
import { openNextRoute } from './support/next-route.ts'
import { startRecordingOllama, type RecordingOllama } from './support/recording-ollama.ts'
import { runToEnd, startServer } from './support/server-process.ts'

const servers = ['express', 'fastify', 'hono', 'koa']

interface Mounted {
  readonly call: Call
  close(): Promise<unknown>
}

async function open(name: string, upstream: string): Promise<Mounted> {
  if (name === 'next-route') return openNextRoute(upstream)
  const { url, end } = await startServer(name, { OLLAMA_URL: upstream, MODEL: 'recording' })
  return { call: (path, init) => fetch(url + path, init), close: () => end('SIGKILL') }
}

describe.each([...servers, 'next-route'])('%s', (name) => {
  let upstream: RecordingOllama
  let mounted: Mounted
  let call: Call

  beforeAll(async () => {
    upstream = await startRecordingOllama()
    mounted = await open(name, upstream.url)
    call = mounted.call
  })
  afterAll(async () => {
    await mounted?.close()
    await upstream?.close()
  })

  test('streams what the model says, as it says it', async () => {
    const answer = await chat(call, 'Hello')
    const asked = await upstream.next()
    expect(answer.response.status).toBe(200)
    expect(answer.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    asked.say('春光')
    expect(await answer.text(2)).toBe('春光')
    asked.say('明媚')
    asked.finish()
    expect(await answer.text(4)).toBe('春光明媚')
    expect(await answer.end()).toMatchObject({ done: true, reason: 'stop' })
  })

  test('an interrupt hangs up on the model, ends the stream, and the follow-up tells of it', async () => {
    const answer = await chat(call, 'Tell me a story')
    const asked = await upstream.next()
    asked.say('Once upon a time')
    await answer.text(16)
    const interrupt = await postJson(call, `/api/chat/runs/${answer.runId}/interrupt`, { position: 9 })
    expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', partial: { content: 'Once upon' } })
    expect(await asked.whole).toBe(false)
    expect(await answer.end()).toMatchObject({ done: true, reason: 'interrupted', by: 'person' })

    const followUp = await chat(call, [
      { role: 'user', content: 'Tell me a story' },
      { role: 'assistant', content: 'Once upon', interrupted: true },
      { role: 'user', content: 'Of a fox' },
    ])
    const next = await upstream.next()
    expect(next.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(next.messages[1]?.content).toMatch(/^Once upon\b/)
    expect(JSON.stringify(next.messages)).toContain('[interrupted by the user]')
    next.say('A fox')
    next.finish()
    expect(await followUp.text(5)).toBe('A fox')
    expect(await followUp.end()).toMatchObject({ done: true, reason: 'stop' })
  })

  test('an interrupt is read without a body, and as text', async () => {
    const answer = await chat(call, 'Hello')
    await upstream.next()
    const path = `/api/chat/runs/${answer.runId}/interrupt`
    expect(await (await call(path, { method: 'POST' })).json()).toMatchObject({ outcome: 'interrupted' })
    expect(await (await call(path, { method: 'POST', body: '{"position":0}' })).json()).toMatchObject({
      outcome: 'already_done',
    })
  })

  test('a client that hangs up ends the run, and the model is hung up on', async () => {
    const answer = await chat(call, 'Hello')
    const asked = await upstream.next()
    asked.say('Hello there')
    await answer.text(5)
    await answer.leave()
    expect(await asked.whole).toBe(false)
  })

  test.each(['with its length', 'in chunks'])('a body that is too large is 413, sent %s', async (how) => {
    const body = 'a'.repeat(1_200_000)
    const response = await call('/api/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: how === 'in chunks' ? new Blob([body]).stream() : body,
      // @ts-expect-error lib.dom does not list it; fetch asks for it with a stream.
      duplex: 'half',
    })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ error: { code: 'too_large' } })
  })

  test('what is not there below /api/chat is the 404 of the gateway, and what is no chat its 400', async () => {
    const nowhere = await call('/api/chat/nowhere')
    expect([nowhere.status, await nowhere.json()]).toMatchObject([404, { error: { code: 'not_found' } }])
    const nothing = await call('/api/chat', { method: 'POST', body: '{"mess' })
    expect([nothing.status, await nothing.json()]).toMatchObject([400, { error: { code: 'bad_request' } }])
  })

  test('GET, HEAD and a preflight are answered; a page of somebody else is not', async () => {
    expect(await (await call('/api/chat')).json()).toMatchObject({ model: 'recording' })
    expect((await call('/api/chat', { method: 'HEAD' })).status).toBe(200)
    expect((await call('/api/chat', { method: 'OPTIONS' })).status).toBe(204)
    expect((await call('/api/chat', { headers: { origin: 'https://evil.example' } })).status).toBe(403)
  })

  if (name !== 'next-route')
    test('the app keeps its routes, and what stands in front of everything', async () => {
      const own = await call('/')
      expect([own.status, await own.json()]).toEqual([200, { app: name }])
      for (const path of ['/nowhere', '/api/chats', '/api']) {
        const response = await call(path)
        expect(response.status).toBe(404)
        expect(await response.text()).not.toContain('not_found')
      }
      const stream = await chat(call, 'Hello')
      ;(await upstream.next()).finish()
      await stream.end()
      for (const response of [own, stream.response, await call('/api/chat'), await call('/api/chat/nowhere')])
        expect(response.headers.get('x-app')).toBe(name)
    })
})

test.each([...servers, 'next-route'])('%s: to mount the gateway takes ten lines at most', async (name) => {
  const source = await readFile(new URL(`../src/${name}.ts`, import.meta.url), 'utf8')
  const lines = source.split('\n').filter((line) => line.trim() !== '' && !/^\s*(\/\*\*|\/\/|import )/.test(line))
  expect(lines.length).toBeLessThanOrEqual(10)
  expect(lines.join('\n')).toContain('gateway')
})

test.each(servers)('command: %s chats with the embedded model, and a signal ends it with its streams', async (name) => {
  const server = await startServer(name)
  onTestFinished(async () => void (await server.end('SIGKILL')))
  expect(server.line).toMatch(new RegExp(`^${name} on http://localhost:\\d+ · chat at /api/chat · the embedded model$`))
  const call: Call = (path, init) => fetch(server.url + path, init)
  const story = await chat(call, 'Tell me a story about a fox')
  const partial = (await story.text(12)).slice(0, 12)
  const interrupt = await postJson(call, `/api/chat/runs/${story.runId}/interrupt`, { position: 12 })
  expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', partial: { content: partial } })
  expect(await story.end()).toMatchObject({ reason: 'interrupted' })
  const followUp = await chat(call, [
    { role: 'user', content: 'Tell me a story about a fox' },
    { role: 'assistant', content: partial, interrupted: true },
    { role: 'user', content: 'Tell me a story about a rabbit' },
  ])
  await followUp.text(12)
  const [code, last] = await Promise.all([server.end('SIGTERM'), followUp.end()])
  expect(last).toMatchObject({ reason: 'interrupted', by: 'shutdown' })
  expect(code).toBe(0)
})

test.each(servers)('command: %s says when its port is taken', async (name) => {
  const first = await startServer(name, { OLLAMA_URL: 'http://127.0.0.1:1' })
  onTestFinished(async () => void (await first.end('SIGKILL')))
  expect(await runToEnd([name], { PORT: new URL(first.url).port })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'The port is taken: PORT=N chooses another.\n',
  })
})

test.each([[], ['nest'], ['express', '--port=1'], ['toString']])(
  'command: %j is an error with the usage',
  async (...args) => {
    const { code, stderr } = await runToEnd(args)
    expect(code).toBe(2)
    expect(stderr).toContain('express | fastify | hono | koa')
  },
)
