import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { scriptedUpstream } from '@midstream/core/testing'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { chromiumPath, launchBrowser } from './support/browser.ts'

/** A proxy that wants a sign-in redirects to another origin, where a page's `fetch` fails as if it were offline. */

const root = fileURLToPath(new URL('../../../', import.meta.url))
const html = `<!doctype html><title>Sign in</title>
<script type="importmap">${JSON.stringify({
  imports: {
    '@midstream/client': '/packages/client/dist/index.js',
    '@midstream/core': '/packages/core/dist/index.js',
    'eventsource-parser': '/packages/core/node_modules/eventsource-parser/dist/index.js',
  },
})}</script>
<script type="module">
  import { createChatClient } from '@midstream/client'
  window.send = () => createChatClient({ url: '/api/chat', reconnect: { maxMs: 0 } }).session().send('Hello')
</script>`

async function listen(on: TestContext['onTestFinished'], listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  on(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Reply {
  readonly state: string
  readonly content: string
  readonly error?: { readonly retryable: boolean; readonly message: string }
}

describe.skipIf(chromiumPath === null)('sign-in', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await launchBrowser()))
  afterAll(() => browser?.close())

  const send = async (
    on: TestContext['onTestFinished'],
    chat: (url: string, response: ServerResponse, pass: () => void) => void,
  ): Promise<Reply> => {
    const gateway = createGateway({
      upstream: scriptedUpstream({ script: (reply) => (reply.send('Yes.'), reply.finish()) }),
    })
    on(() => gateway.close())
    const handle = toNodeListener(gateway)
    const site = await listen(on, (request, response) => {
      const { url = '/' } = request
      if (url.includes('/api/chat')) {
        return chat(url, response, () => {
          request.url = url.replace('/moved', '')
          handle(request, response)
        })
      }
      const isFile = /^\/packages\/(client|core)\/[\w/.-]+\.js$/.test(url) && !url.includes('..')
      response.setHeader('content-type', isFile ? 'text/javascript' : 'text/html')
      response.end(isFile ? readFileSync(root + url) : html)
    })
    const page = await browser.newPage()
    on(() => page.close())
    await page.goto(site)
    await page.waitForFunction(() => 'send' in globalThis)
    return page.evaluate(() => (globalThis as unknown as { send(): Promise<Reply> }).send())
  }

  test('sign-in: a redirect to another origin is said at once, with what to do', async ({ onTestFinished }) => {
    const login = await listen(onTestFinished, (_, response) => void response.end('<h1>Sign in</h1>'))
    const reply = await send(
      onTestFinished,
      (_, response) => void response.writeHead(302, { location: `${login}/login` }).end(),
    )
    expect(reply).toMatchObject({ state: 'failed', error: { retryable: false } })
    expect(reply.error?.message).toContain('whether the user is signed in')
  })

  test('sign-in: a redirect within the origin is followed', async ({ onTestFinished }) => {
    const reply = await send(onTestFinished, (url, response, pass) => {
      if (url.startsWith('/moved')) pass()
      else response.writeHead(308, { location: `/moved${url}` }).end()
    })
    expect(reply).toMatchObject({ state: 'done', content: 'Yes.' })
  })
})
