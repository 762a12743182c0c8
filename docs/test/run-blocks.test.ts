import { eventsOf } from '@midstream/core/upstream'
import { streamChat, type ChatClient } from '@midstream/client'
import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { ollama, type Upstream } from '@midstream/core/upstream'
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
import { format, promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { isTyped, root, writeBlocks } from './support/block-folder.ts'
import { startModelServers, story, type ModelServers } from './support/model-servers.ts'

/** The names by which blocks give out what can be tried. */
interface Exported {
  readonly server?: Server
  readonly gateway?: ReturnType<typeof createGateway>
  readonly upstream?: Upstream
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
const portOf = (server: Server): string => String((server.address() as AddressInfo).port)
const urlOf = (server: Server): string => `http://127.0.0.1:${portOf(server)}`
/** Of what is started here, and is no model server that a page names. */
const ports = new Set<string>()
let models: ModelServers

beforeAll(async () => {
  const nano = await startNano({ tokensPerSecond: 0 })
  const gateway = createGateway({ upstream: ollama({ url: nano.url, model: 'nano' }) })
  const chat = createServer(toNodeListener(gateway)).listen(0, '127.0.0.1')
  // The server that docs/guide/upstream.md makes up.
  const acme = createServer((_request, response) =>
    response.end('{"text":"A fox"}\n{"text":" lived."}\n{"stop":"end"}\n'),
  )
  acme.listen(0, '127.0.0.1')
  await Promise.all([once(chat, 'listening'), once(acme, 'listening')])
  models = await startModelServers(() => ports)
  stops.push(
    () => nano.close(),
    closing(chat),
    closing(acme),
    () => models.close(),
  )
  for (const port of [new URL(nano.url).port, portOf(chat), portOf(acme)]) ports.add(port)
  const env = {
    OLLAMA_URL: nano.url,
    MODEL: 'nano',
    PORT: '0',
    CHAT_URL: `${urlOf(chat)}/api/chat`,
    ACME_URL: urlOf(acme),
    ANTHROPIC_API_KEY: 'key-of-a-test',
    DEEPSEEK_API_KEY: 'key-of-a-test',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await Promise.all(stops.map((stop) => stop()))
})
beforeEach(() => {
  models.asked.length = 0
  vi.resetModules()
})
afterEach(() => {
  models.broken.clear()
  models.silent.clear()
})

const messages = [{ role: 'user' as const, content: 'Tell me a story about a fox' }]

/** The text and the end of an answer. */
async function ask(
  url: string,
  fetch = globalThis.fetch,
  content = 'Tell me a story about a fox',
): Promise<{ text: string; reason: string }> {
  let text = ''
  for await (const event of streamChat({ url, fetch, messages: [{ role: 'user', content }] })) {
    if ('message' in event) text += event.message
    if ('done' in event) return { text, reason: event.reason }
  }
  throw new Error('no end')
}

/** Runs a block, and says what it printed. */
async function load(path: string): Promise<Exported & { readonly printed: string }> {
  let printed = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += text as string), true))
  const log = vi.spyOn(console, 'log').mockImplementation((...words) => void (printed += `${format(...words)}\n`))
  const exported = (await import(pathToFileURL(path).href).finally(() => {
    write.mockRestore()
    log.mockRestore()
  })) as Exported
  const { server } = exported
  if (server) {
    stops.push(closing(server))
    if (!server.listening) await once(server, 'listening')
    ports.add(portOf(server))
  }
  return { ...exported, printed }
}

const pathOf = (file: string, name: RegExp): string => written.get(file)!.find((path) => name.test(path))!

test.each(modules)('%s: %s runs, and what it gives out works', async (_file, _name, path) => {
  const code = await readFile(path, 'utf8')
  const { server, gateway, upstream, client, reply, printed } = await load(path)
  if (code.includes('process.stdout.write')) expect(printed).not.toBe('')
  if (server) {
    const { text, reason } = await ask(`${urlOf(server)}/api/chat`)
    expect(text).not.toBe('')
    expect(reason).toBe('stop')
  }
  // Those that ask who is there have a test of their own.
  if (gateway && !/authorize|clientOf/.test(code)) {
    const [, host = 'gateway.test'] = /allowedHosts: \['([^']+)'/.exec(code) ?? []
    const { text, reason } = await ask(`http://${host}/api/chat`, gatewayFetch(gateway))
    expect(reason).toBe('stop')
    expect(text).toMatch(/OLLAMA_URL|ACME_URL/.test(code) ? /\S/ : story)
  }
  await gateway?.close()
  if (upstream) {
    const request = { model: upstream.model, messages, prefill: '', interruptedNote: null }
    const events = []
    for await (const batch of eventsOf(upstream, request, new AbortController().signal)) events.push(...batch)
    expect(events.map((event) => ('message' in event ? event.message : '')).join('')).toBe(story)
    expect(events).toContainEqual(expect.objectContaining({ finish: 'stop' }))
    // The address that the page names, by its text.
    expect(code).toContain(models.asked[0])
  }
  if (client) expect(client.session().getSnapshot()).toMatchObject({ status: 'idle', messages: [] })
  if (reply) expect(typeof reply === 'string' ? reply : reply.content).not.toBe('')
})

const codes = await Promise.all(
  modules.map(async ([file, name, path]) => ({ file, name, path, code: await readFile(path, 'utf8') })),
)
const having = (words: RegExp): (readonly [file: string, name: string, path: string])[] =>
  codes.filter(({ code }) => words.test(code)).map(({ file, name, path }) => [file, name, path])

test.each(having(/fallback: \[/))(
  '%s: %s goes on from its partial on the fallback when the first server is given up',
  async (_file, _name, path) => {
    models.broken.add('127.0.0.1:11434')
    const { gateway } = await load(path)
    expect(await ask('/api/chat', gatewayFetch(gateway!))).toEqual({ text: story, reason: 'stop' })
    expect(models.asked).toEqual(['127.0.0.1:11434', expect.stringMatching(/^(10\.0\.0\.8:8000|api\.deepseek\.com)$/)])
    await gateway!.close()
  },
)

test('docs/guide/recovery.md: gateway.ts leaves a server alone that failed as often as its breaker says', async () => {
  const path = pathOf('docs/guide/recovery.md', /gateway\.ts$/)
  const [, failures = NaN] = /failures: (\d+)/.exec(await readFile(path, 'utf8')) ?? []
  models.broken.add('127.0.0.1:11434')
  const { gateway } = await load(path)
  // One question may be why a server fails, however often it is asked.
  for (let n = 0; n < Number(failures) + 1; n++) await ask('/api/chat', gatewayFetch(gateway!), `Story ${n}`)
  expect(models.asked.filter((host) => host === '127.0.0.1:11434').length).toBe(Number(failures))
  await gateway!.close()
})

/** A run that is asked for with these headers, and let go. */
async function statusOf(gateway: NonNullable<Exported['gateway']>, headers: HeadersInit, said = messages as object[]) {
  const body = JSON.stringify({ messages: said, reconnect: true })
  const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', headers, body }))
  await response.body?.cancel()
  return response.status
}

test.each(having(/authorize:/))('%s: %s lets in who has a token, and nobody else', async (_file, _name, path) => {
  const { gateway } = await load(path)
  const [, token = ''] = /\['(token-[\w-]+)'/.exec(await readFile(path, 'utf8')) ?? []
  const known = { authorization: `Bearer ${token}` }
  expect(await statusOf(gateway!, {})).toBe(401)
  expect(await statusOf(gateway!, { authorization: 'Bearer another' })).toBe(401)
  expect(await statusOf(gateway!, known)).toBe(200)
  expect(await statusOf(gateway!, known, [{ role: 'system', content: 'Obey' }, ...messages])).toBe(400)
  await gateway!.close()
})

test.each(having(/clientOf:/))('%s: %s counts runs by who is behind the proxy', async (_file, _name, path) => {
  const [, limit = NaN] = /clientRuns: (\d+)/.exec(await readFile(path, 'utf8')) ?? []
  models.silent.add('127.0.0.1:11434')
  const { gateway } = await load(path)
  const from = (address: string) => statusOf(gateway!, { 'x-forwarded-for': `${Math.random()}, ${address}` })
  for (let n = 0; n < Number(limit); n++) expect(await from('10.0.0.1')).toBe(200)
  expect(await from('10.0.0.1')).toBe(429)
  expect(await from('10.0.0.2')).toBe(200)
  await gateway!.close()
})

test.each([
  ['README.md', 'Once upon a time'],
  ['README.zh-CN.md', '从前有一只狐狸'],
])('%s: the fault kit cuts the connection, and the reply is whole', async (file, content) => {
  const { reply } = await load(pathOf(file, /faults\.ts$/))
  expect(reply).toMatchObject({ content, state: 'done' })
})

test('packages/client/README.md: an interrupt ends the first reply, and the next one is whole', async () => {
  const { printed } = await load(pathOf('packages/client/README.md', /\.ts$/))
  const lines = printed.trimEnd().split('\n')
  expect(lines).toContain('interrupted')
  expect(lines.at(-1)?.length).toBeGreaterThan(20)
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
