import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startNano } from '@midstream/example-nano'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { importBlock } from './readme-blocks.ts'

let nano: Awaited<ReturnType<typeof startNano>>
let server: Server
let url: string

beforeAll(async () => {
  nano = await startNano({ tokensPerSecond: 0 })
  vi.stubEnv('OLLAMA_URL', nano.url)
  vi.stubEnv('MODEL', 'nano')
  vi.stubEnv('PORT', '0')
  server = (await importBlock('server.ts'))['server'] as Server
  if (!server.listening) await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`
})
afterAll(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await nano.close()
})

test('README: the ten-line server answers', async () => {
  expect(await (await fetch(url)).json()).toMatchObject({ model: 'nano', upstream: { name: 'ollama', state: 'idle' } })
})

test('README: the script prints the answer of the ten-line server', async () => {
  vi.stubEnv('CHAT_URL', url)
  let printed = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += text as string), true))
  await importBlock('script.ts')
  write.mockRestore()
  expect(printed).toContain('fox')
})

test('README: a reader that only splits on `data: ` and appends `data.message` gets the whole text', async () => {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], options: { temperature: 0 } })
  const whole = (await (
    await fetch(url, { method: 'POST', body: JSON.stringify({ ...JSON.parse(body), stream: false }) })
  ).json()) as {
    message: { content: string }
  }
  const response = await fetch(url, { method: 'POST', body })
  let text = ''
  let rest = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue
      const data = JSON.parse(line.slice(6)) as { message?: string }
      if (data.message) text += data.message
    }
  }
  expect(text).not.toBe('')
  expect(text).toBe(whole.message.content)
})

test('README: the fault kit cuts the connection, and the reply is whole', async () => {
  const { reply } = await importBlock('faults.ts')
  expect(reply).toMatchObject({ content: 'Once upon a time', state: 'done' })
})

test('README: a client with persist and tabs can be made where there is no page', async () => {
  const { client } = await importBlock('client.ts')
  expect(client).toHaveProperty('session')
})
