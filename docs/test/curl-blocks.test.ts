import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { requireProgram } from '@midstream/test-support'
import { markdownBlocks, markdownFiles, type MarkdownBlock } from '@midstream/test-support/markdown-blocks'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isTyped, root, writeBlocks } from './support/block-folder.ts'
import { startModelServers, type ModelServers } from './support/model-servers.ts'

const curl = requireProgram('curl', 'apt-get install curl')

/** Lines that ask a gateway; the embedded model listens at another name. */
const asks = /^\s*curl .*\/\/localhost:\d+\/api\/chat/
const lines = ({ code }: MarkdownBlock): readonly string[] => code.split('\n').filter((line) => asks.test(line))
const files = markdownFiles(root)
const blocks = files
  .flatMap((file) => markdownBlocks(root, file).map((block, index, all) => ({ block, next: all[index + 1] })))
  .filter(({ block }) => ['sh', ''].includes(block.lang) && lines(block).length > 0)
/** The server that a page has written before it asks it, by the page's file. */
const written = await writeBlocks(
  [...new Set(blocks.map(({ block }) => block.file))],
  'curl',
  (block) => isTyped(block) && block.code.includes('export const server'),
)

const begun = 'Once upon a time,'
let models: ModelServers
let gateway: ReturnType<typeof createGateway>
let server: Server
let stop: AbortController

beforeEach(async () => {
  models = await startModelServers(() => new Set())
  models.silent.add('127.0.0.1:11434')
  const upstream = scriptedUpstream({ script: ({ send }) => send(begun, ' there lived a fox') })
  gateway = createGateway({ upstream, coalesce: { windowMs: 0 } })
  stop = new AbortController()
  vi.stubEnv('PORT', '0')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  stop.abort()
  await gateway.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await models.close()
})

/** A page's own server, or one of ours that speaks as it would. */
async function serverOf(file: string): Promise<Server> {
  const [path] = written.get(file) ?? []
  if (path) return ((await import(pathToFileURL(path).href)) as { readonly server: Server }).server
  return createServer(toNodeListener(gateway)).listen(0, '127.0.0.1')
}

/** A run of ours, where a block ends one and starts none. */
async function startRun(): Promise<string> {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Tell me a story' }], reconnect: true })
  const answer = await gatewayFetch(gateway)('/api/chat', { method: 'POST', body })
  const reader = answer.body!.getReader()
  for (let text = ''; !text.includes('fox');) text += new TextDecoder().decode((await reader.read()).value)
  await reader.cancel()
  return answer.headers.get('run-id')!
}

/** Runs a line. `begins` settles at the first text of a reply, `ends` with all that was printed. */
function shell(line: string): { readonly begins: Promise<string>; readonly ends: Promise<string> } {
  const strict = line.replace(/\bcurl\b/, 'curl --silent --show-error --fail-with-body --max-time 10')
  const child = spawn('bash', ['-c', strict], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let more = (): void => {}
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      more()
    })
  stop.signal.addEventListener('abort', () => child.kill())
  const ends = new Promise<string>((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0 || stop.signal.aborted) resolve(text)
      else reject(new Error(`${line} ended with ${code}: ${text}`))
    })
  })
  const hasText = new Promise<string>((resolve) => (more = () => text.includes('"message"') && resolve(text)))
  return { begins: Promise.race([hasText, ends]), ends }
}

const cases = blocks.map(({ block, next }) => [`${block.file}:${block.line}`, block, next] as const)

test.skipIf(curl === null).each(cases)(
  'markdown: the curl lines of %s do what the page says',
  async (_where, block, next) => {
    server = await serverOf(block.file)
    if (!server.listening) await once(server, 'listening')
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    let reply: Promise<string> | undefined
    let runId: string | undefined
    for (const line of lines(block)) {
      const isReply = line.includes('"messages"')
      if (line.includes('RUN_ID')) runId ??= await startRun()
      const { begins, ends } = shell(line.replace(/localhost:\d+/, host).replace('RUN_ID', runId ?? ''))
      if (isReply) {
        reply = ends
        const text = await begins
        expect(text).toContain('"message":"Once')
        runId = /"run_id":"(run_\w+)"/.exec(text)?.[1]
        continue
      }
      const printed = await ends
      const [, status] = /# (\d{3})$/.exec(line) ?? []
      if (status !== undefined) expect(printed).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      if (!line.includes('/interrupt')) continue
      expect(JSON.parse(printed)).toMatchObject({ outcome: 'interrupted', reason: 'interrupted' })
      if (next?.lang === 'json') expect(JSON.parse(printed)).toEqual(JSON.parse(next.code))
      // What the page says that the first terminal shows.
      if (reply) expect(await reply).toContain('"reason":"interrupted"')
    }
  },
)

test('markdown: there are curl lines to try, with servers of their pages', () => {
  expect(cases.length).toBeGreaterThan(4)
  expect([...written.values()].flat().length).toBe(2)
})
