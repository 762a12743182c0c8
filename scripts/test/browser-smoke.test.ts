import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { scriptedUpstream } from '@midstream/core/testing'
import { readFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join, relative } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chromiumPath, launchBrowser } from '../../examples/chat/test/support/browser.ts'
import { bundle } from './support.ts'

const root = join(import.meta.dirname, '../..')
const smoke = 'scripts/runtimes/smoke.mjs'
const told = '3 messages told, 4 shown'

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, { readonly default?: string } | string>>
  readonly imports?: Readonly<Record<string, { readonly default: string }>>
}

let browser: Browser
let server: Server
let origin: string

/** An import map of the built packages, as their package.json says it for everything that is not Node. */
async function importMap(): Promise<Record<string, string>> {
  const map: Record<string, string> = {}
  for (const folder of ['packages/core', 'packages/client']) {
    const {
      name,
      exports,
      imports = {},
    } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Manifest
    for (const [path, target] of Object.entries(exports)) {
      if (typeof target === 'object') map[join(name, path)] = `/${join(folder, target.default ?? '')}`
    }
    for (const [path, target] of Object.entries(imports)) map[path] = `/${join(folder, target.default)}`
  }
  map['eventsource-parser'] = `${parser}/dist/index.js`
  return map
}

const parser = `/${relative(root, dirname(createRequire(join(root, 'packages/core/')).resolve('eventsource-parser/package.json')))}`

/** A page as the client's README says, its files where npm would have installed them. */
async function clientPage(): Promise<string> {
  const [, map] = /^```json\n([\s\S]*?)^```$/m.exec(await readFile(join(root, 'packages/client/README.md'), 'utf8'))!
  return `<!doctype html><script type="importmap">${map}</script>
    <script>addEventListener('error', ({ message }) => (document.title = message))</script>
    <script type="module">
      import { createChatClient } from '@midstream/client'
      import { persist } from '@midstream/client/persist'
      import { tabs } from '@midstream/client/tabs'
      const extensions = [persist('local'), tabs()]
      const session = createChatClient({ url: '/api/chat', extensions }).session()
      session.send('Tell me a story').then(({ content, state }) => (document.title = \`\${content} (\${state})\`))
    </script>`
}
const installed = (path: string): string =>
  path.replace(/^\/node_modules\/@midstream(?=\/)/, '/packages').replace(/^\/node_modules\/eventsource-parser/, parser)

/** The smoke test and all that it imports in one file: a worker knows no import map. */
const workerScript = (): Promise<string> =>
  bundle(
    root,
    `import { smoke } from ${JSON.stringify(join(root, smoke))}
    smoke().then(postMessage, ({ message }) => postMessage(message))`,
  )

beforeAll(async () => {
  if (!chromiumPath) return
  const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports: await importMap() })}</script>
    <script>addEventListener('error', ({ message }) => (document.title = message))</script>
    <script type="module">
      import { smoke } from '/${smoke}'
      smoke().then((result) => (document.title = result), ({ message }) => (document.title = message))
    </script>`
  const texts = new Map([
    ['/', page],
    ['/worker.js', await workerScript()],
    ['/chat', await clientPage()],
  ])
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    const text = texts.get(path) ?? (await readFile(join(root, installed(path)), 'utf8').catch(() => undefined))
    const type = texts.get(path)?.startsWith('<') ? 'text/html' : 'text/javascript'
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': type }).end(text)
  }
  const upstream = scriptedUpstream({ script: (reply) => (reply.send('Once upon a time'), reply.finish()) })
  const chat = toNodeListener(createGateway({ upstream }))
  server = createServer((request, response) => {
    chat(request, response, () => void answer(request.url ?? '/', response))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  server?.close()
})

test.skipIf(!chromiumPath)('smoke: a page without a build runs the packages from their dist', async () => {
  const page = await browser.newPage()
  await page.goto(origin)
  await page.waitForFunction(() => document.title !== '', undefined, { timeout: 5_000 })
  expect(await page.title()).toBe(told)
})

test.skipIf(!chromiumPath)('smoke: a page with the import map of the client’s README talks to a gateway', async () => {
  const page = await browser.newPage()
  await page.goto(`${origin}/chat`)
  await page.waitForFunction(() => document.title !== '', undefined, { timeout: 5_000 })
  expect(await page.title()).toBe('Once upon a time (done)')
})

test.skipIf(!chromiumPath)('smoke: a web worker runs the packages', async () => {
  const page = await browser.newPage()
  await page.goto(`${origin}/worker.js`)
  const said = await page.evaluate(() => {
    const worker = new Worker('/worker.js', { type: 'module' })
    return new Promise((resolve) => {
      worker.addEventListener('message', ({ data }) => resolve(data))
      worker.addEventListener('error', ({ message }) => resolve(`error: ${message}`))
    })
  })
  expect(said).toBe(told)
})
