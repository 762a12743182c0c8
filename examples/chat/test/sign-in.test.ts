import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { scriptedUpstream } from '@midstream/core/testing'
import type { ServerResponse } from 'node:http'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { chromiumPath, launchBrowser } from './support/browser.ts'
import { clientPage, listen, servePage } from './support/client-page.ts'

/** A proxy that wants a sign-in redirects to another origin, where a page's `fetch` fails as if it were offline. */

const html = clientPage(
  'Sign in',
  `import { createChatClient } from '@midstream/client'
  window.send = () => createChatClient({ url: '/api/chat', reconnect: { maxMs: 0 } }).session().send('Hello')`,
)

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
      return servePage(request, response, html)
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
