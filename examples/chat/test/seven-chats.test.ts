import { createGateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { scriptedUpstream, type ScriptedUpstream } from '@midstream/core/testing'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { chromiumPath, launchBrowser } from './support/browser.ts'
import { clientPage, listen, servePage } from './support/client-page.ts'
import { eventually } from './support/conversation.ts'

/** Over HTTP/1.1 a browser has six connections to an origin. Seven answers stream, and each of them can be stopped. */

const html = clientPage(
  'Seven chats',
  `import { createChatClient } from '@midstream/client'
  const client = createChatClient({ url: '/api/chat' })
  window.chat = (name) => client.session(name)`,
)

interface Site {
  readonly url: string
  readonly upstream: ScriptedUpstream
}

/** A gateway over HTTP/1.1 whose model goes on until it is stopped, and an empty page with a client. */
async function ownSite(onTestFinished: TestContext['onTestFinished']): Promise<Site> {
  const upstream = scriptedUpstream({
    script(reply) {
      const timer = setInterval(() => reply.send('word '), 20)
      reply.signal.addEventListener('abort', () => clearInterval(timer))
    },
  })
  const gateway = createGateway({ upstream })
  const handle = toNodeListener(gateway)
  const origin = await listen(onTestFinished, (request, response) =>
    request.url?.startsWith('/api/chat') ? handle(request, response) : servePage(request, response, html),
  )
  // Hooks run from the last to the first: the gateway ends its runs before its sockets are closed.
  onTestFinished(() => gateway.close())
  return { url: `${origin}/`, upstream }
}

interface Chats {
  chat(name: string): {
    send(text: string): Promise<unknown>
    interrupt(): Promise<{ readonly outcome: string }>
    getSnapshot(): { readonly messages: readonly { readonly content: string; readonly state: string }[] }
  }
}
const ask = (page: Page, name: string): Promise<void> =>
  page.evaluate((own) => void (globalThis as unknown as Chats).chat(own).send(own), name)
const stop = (page: Page, name: string): Promise<string> =>
  page.evaluate(async (own) => (await (globalThis as unknown as Chats).chat(own).interrupt()).outcome, name)
const last = (page: Page, name: string): Promise<{ content: string; state: string }> =>
  page.evaluate((own) => (globalThis as unknown as Chats).chat(own).getSnapshot().messages.at(-1)!, name)

const names = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']

describe.skipIf(chromiumPath === null)('seven chats over HTTP/1.1 in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser?.close())

  const ownContext = async (onTestFinished: TestContext['onTestFinished']): Promise<BrowserContext> => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    return context
  }
  const openPage = async (context: BrowserContext, url: string): Promise<Page> => {
    const page = await context.newPage()
    await page.goto(url)
    await page.waitForFunction(() => 'chat' in globalThis)
    return page
  }

  test.for([
    ['in one page', 1],
    ['in seven tabs', 7],
  ] as const)(
    'seven chats: %s all of them stream, and Stop ends each while the others go on',
    async ([, tabs], { onTestFinished }) => {
      const { url, upstream } = await ownSite(onTestFinished)
      const context = await ownContext(onTestFinished)
      const pages: Page[] = []
      for (let n = 0; n < tabs; n++) pages.push(await openPage(context, url))
      const pageOf = (n: number): Page => pages[n % tabs]!
      for (const [n, name] of names.entries()) await ask(pageOf(n), name)
      /** Whether the text of a chat grows. */
      const grows = async (n: number): Promise<void> => {
        const { length } = (await last(pageOf(n), names[n]!)).content
        await eventually(async () => expect((await last(pageOf(n), names[n]!)).content.length).toBeGreaterThan(length))
      }
      for (const n of names.keys()) await grows(n)
      for (const [n, name] of names.entries()) {
        // Those that poll, and those that hold a stream.
        expect(await stop(pageOf(n), name)).toBe('interrupted')
        expect((await last(pageOf(n), name)).state).toBe('interrupted')
        const left = upstream.replies.filter(({ signal }) => !signal.aborted)
        expect(left).toHaveLength(names.length - n - 1)
      }
      expect(upstream.replies).toHaveLength(names.length)
    },
  )

  test('seven chats: a model server’s answers are asked for once each, whoever has to make room', async ({
    onTestFinished,
  }) => {
    const { url, upstream } = await ownSite(onTestFinished)
    const context = await ownContext(onTestFinished)
    const pages = [await openPage(context, url), await openPage(context, url)]
    // In one moment, from two pages.
    await Promise.all(pages.flatMap((page, at) => names.map((name) => ask(page, `${name} of ${at}`))))
    for (const [at, page] of pages.entries()) {
      for (const name of names)
        await eventually(async () => expect((await last(page, `${name} of ${at}`)).content).not.toBe(''))
    }
    expect(upstream.replies).toHaveLength(14)
    for (const [at, page] of pages.entries()) {
      expect(await Promise.all(names.map((name) => stop(page, `${name} of ${at}`)))).toEqual(
        names.map(() => 'interrupted'),
      )
    }
    expect(upstream.openReplies).toBe(0)
  })
})
