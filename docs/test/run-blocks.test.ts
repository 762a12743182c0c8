import { streamChat, type ChatClient } from '@midstream/client'
import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { ollama } from '@midstream/core/upstream'
import { gatewayFetch } from '@midstream/core/testing'
import { startNano } from '@midstream/example-nano'
import { markdownBlocks, markdownFiles } from '@midstream/test-support/markdown-blocks'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { isTyped, root, writeBlocks } from './support/block-folder.ts'

/** The names by which blocks give out what can be tried. */
interface Exported {
  readonly server?: Server
  readonly gateway?: ReturnType<typeof createGateway>
  readonly upstream?: { readonly generate: unknown }
  readonly client?: ChatClient
  readonly reply?: string | { readonly content: string }
}

const run = promisify(execFile)
/** Whether a block is not only type-checked. */
const isRun = (block: Parameters<typeof isTyped>[0]): boolean => isTyped(block) && !block.words.includes('types')
const files = markdownFiles(root).filter((file) => markdownBlocks(root, file).some(isRun))
const written = await writeBlocks(files, 'run', isRun)
const modules = [...written].flatMap(([file, paths]) =>
  paths
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => [file, basename(path), path] as const),
)

const stops: (() => Promise<unknown>)[] = []
const closing = (server: Server) => async (): Promise<void> => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  const nano = await startNano({ tokensPerSecond: 0 })
  const gateway = createGateway({ upstream: ollama({ url: nano.url, model: 'nano' }) })
  const chat = createServer(toNodeListener(gateway)).listen(0, '127.0.0.1')
  // The server that docs/guide/upstream.md makes up.
  const acme = createServer((_request, response) =>
    response.end('{"text":"A fox"}\n{"text":" lived."}\n{"stop":"end"}\n'),
  )
  acme.listen(0, '127.0.0.1')
  stops.push(() => nano.close(), closing(chat), closing(acme))
  await Promise.all([once(chat, 'listening'), once(acme, 'listening')])
  const env = {
    OLLAMA_URL: nano.url,
    MODEL: 'nano',
    PORT: '0',
    CHAT_URL: `${urlOf(chat)}/api/chat`,
    ACME_URL: urlOf(acme),
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await Promise.all(stops.map((stop) => stop()))
})

const messages = [{ role: 'user' as const, content: 'Tell me a story about a fox' }]

/** The text and the end of an answer. */
async function ask(url: string, fetch = globalThis.fetch): Promise<{ text: string; reason: string }> {
  let text = ''
  for await (const event of streamChat({ url, fetch, messages })) {
    if ('message' in event) text += event.message
    if ('done' in event) return { text, reason: event.reason }
  }
  throw new Error('no end')
}

test.each(modules)('%s: %s runs, and what it gives out works', async (_file, _name, path) => {
  let printed = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += text as string), true))
  const exported = (await import(pathToFileURL(path).href).finally(() => write.mockRestore())) as Exported
  const code = await readFile(path, 'utf8')
  const { server, gateway, upstream, client, reply } = exported
  if (code.includes('process.stdout.write')) expect(printed).not.toBe('')
  if (server) {
    stops.push(closing(server))
    if (!server.listening) await once(server, 'listening')
    const { text, reason } = await ask(`${urlOf(server)}/api/chat`)
    expect(text).not.toBe('')
    expect(reason).toBe('stop')
  }
  if (gateway) {
    const { status } = await gateway(new Request('http://127.0.0.1/api/chat', { method: 'HEAD' }))
    expect(status).toBe(200)
    // The others name servers that are not there.
    if (/OLLAMA_URL|ACME_URL/.test(code)) expect((await ask('/api/chat', gatewayFetch(gateway))).reason).toBe('stop')
    await gateway.close()
  }
  if (upstream) expect(upstream.generate).toBeTypeOf('function')
  if (client) expect(client.session().getSnapshot()).toMatchObject({ status: 'idle', messages: [] })
  if (reply) expect(typeof reply === 'string' ? reply : reply.content).not.toBe('')
})

test('README: the fault kit cuts the connection, and the reply is whole', async () => {
  const path = written.get('README.md')!.find((path) => path.endsWith('faults.ts'))!
  expect(await import(pathToFileURL(path).href)).toMatchObject({
    reply: { content: 'Once upon a time', state: 'done' },
  })
})

test('docs: the test files on the pages pass as they stand there', async () => {
  const tests = [...written.values()].flat().filter((path) => path.endsWith('.test.ts'))
  expect(tests.length).toBeGreaterThan(0)
  const config = join(import.meta.dirname, 'support/vitest.blocks.ts')
  const vitest = join(root, 'node_modules/.bin/vitest')
  const failure = await run(vitest, ['run', '--config', config, ...tests], { cwd: root }).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  )
  expect(failure).toBe('')
}, 60_000)
