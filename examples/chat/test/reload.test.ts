import type { Nano, NanoOptions } from '@midstream/example-nano'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { chromiumPath, keepScreenshot, launchBrowser } from './support/browser.ts'
import { createChatPages, type ChatPages } from './support/chat-pages.ts'
import type { ChatServer } from './support/chat-server.ts'
import {
  atStatus,
  bodyOf,
  grown,
  pathOf,
  reaches,
  recordPosts,
  replies,
  say,
  story,
  textOf,
  visible,
} from './support/conversation.ts'
import { startNanoProcess } from './support/nano-process.ts'
import { ownNano, ownServer } from './support/own-servers.ts'
import { startRelay } from './support/relay.ts'
import { readRunLog } from './support/run-log.ts'

/** Slow enough for another page to come while the answer is written. */
const slowly: NanoOptions = { tokensPerSecond: 20 }

/** The text of a run that was generated once: the model has made what the gateway counts of it, and no token more. */
async function generatedOnce(nano: Nano, server: ChatServer, run: Request | undefined): Promise<string> {
  const log = await readRunLog(server.url, bodyOf(run).run_id)
  await nano.idle()
  expect(log.reason).toBe('stop')
  expect(nano.stats().tokens).toBe(log.tokens)
  return visible(log.text)
}

// Side by side: most of the time they wait for a model that takes its time.
describe
  .skipIf(chromiumPath === null)
  .concurrent('reload, tabs and lost connections in Chromium', { timeout: 90_000 }, () => {
    let browser: Browser

    beforeAll(async () => {
      browser = await launchBrowser()
    })
    afterAll(() => browser?.close())

    const ownPages = (onTestFinished: TestContext['onTestFinished']): ChatPages => {
      const pages = createChatPages(browser)
      onTestFinished(() => pages.close())
      return pages
    }

    test('reload: in mid-answer the page goes on with it, and nothing is generated twice', async ({
      onTestFinished,
    }) => {
      const { nano, server } = await ownNano(onTestFinished, slowly)
      const page = await ownPages(onTestFinished).open(server.url)
      const posts = recordPosts(page)
      await say(page, story)
      const before = await grown(textOf(replies(page).first()), 80)
      await page.reload()
      const text = textOf(replies(page).first())
      const after = await grown(text, before.length + 40)
      expect(after.startsWith(before)).toBe(true)
      expect(await replies(page).first().getAttribute('data-state')).toBe('streaming')
      await keepScreenshot(page, 'reloaded')
      await reaches(replies(page).first(), 'done')
      expect(posts.map(pathOf)).toEqual(['/api/chat'])
      expect(await text.innerText()).toBe(await generatedOnce(nano, server, posts[0]))

      // A finished conversation is kept as well, and is no occasion for a request.
      await page.reload()
      await replies(page).first().waitFor()
      expect(await page.getByTestId('message').count()).toBe(2)
      expect(await replies(page).first().getAttribute('data-state')).toBe('done')
      expect(posts).toHaveLength(1)
    })

    test('reload: an interrupted answer stays as it was cut, and the follow-up sends that', async ({
      onTestFinished,
    }) => {
      const { server } = await ownNano(onTestFinished)
      const page = await ownPages(onTestFinished).open(server.url)
      const posts = recordPosts(page)
      await say(page, story)
      const first = replies(page).first()
      await grown(textOf(first), 80)
      await page.getByTestId('interrupt').click()
      await atStatus(page, 'ready')
      await page.locator('[data-testid=status][data-status=idle]').waitFor()
      const cut = await textOf(first).innerText()
      await page.reload()
      await first.getByTestId('interrupted').waitFor()
      expect(await textOf(first).innerText()).toBe(cut)
      await say(page, 'What is its name?')
      await reaches(replies(page).nth(1), 'done')
      const { messages } = bodyOf(posts.at(-1))
      expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
      expect(messages[1]?.interrupted).toBe(true)
      expect(visible(messages[1]?.content)).toBe(cut)
      expect(await textOf(first).innerText()).toBe(cut)
    })

    test('reload: what was cleared does not come back', async ({ onTestFinished }) => {
      const { nano, server } = await ownNano(onTestFinished)
      const page = await ownPages(onTestFinished).open(server.url)
      await say(page, story)
      await grown(textOf(replies(page).first()), 40)
      await page.getByTestId('clear').click()
      await page.getByTestId('empty').waitFor()
      expect(await page.evaluate(() => localStorage.length)).toBe(0)
      await page.reload()
      await page.getByTestId('empty').waitFor()
      await nano.idle()
    })

    test('reload: a browser that blocks storage still chats', async ({ onTestFinished }) => {
      const { server } = await ownNano(onTestFinished)
      const page = await ownPages(onTestFinished).open(server.url)
      await page.addInitScript(() => {
        Object.defineProperty(globalThis, 'localStorage', {
          get() {
            throw new DOMException('Access is denied for this document.', 'SecurityError')
          },
        })
      })
      await page.reload()
      await page.getByTestId('notes').getByText('a reload may lose it').waitFor()
      await say(page, 'Hello!')
      await reaches(replies(page).first(), 'done')
    })

    test('offline: ten seconds of it in mid-answer cost nothing of the text', async ({ onTestFinished }) => {
      const { nano, server } = await ownNano(onTestFinished)
      const relay = await startRelay(server.port)
      onTestFinished(() => relay.close())
      const page = await ownPages(onTestFinished).open(relay.url)
      const posts = recordPosts(page)
      const network = await page.context().newCDPSession(page)
      const conditions = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 }
      await say(page, story)
      const first = replies(page).first()
      const before = await grown(textOf(first), 80)
      await network.send('Network.emulateNetworkConditions', { ...conditions, offline: true })
      // Chromium refuses new requests then, but leaves open ones alone.
      relay.cut()
      const lostAt = performance.now()
      await atStatus(page, 'reconnecting')
      await first.getByText('reconnecting…').waitFor()
      const kept = await textOf(first).innerText()
      expect(kept.startsWith(before)).toBe(true)
      await page
        .getByTestId('attempt')
        .getByText(/attempt [3-9]/)
        .waitFor()
      await keepScreenshot(page, 'offline')
      // As long as a lift ride: real time is what this is about.
      await delay(lostAt + 10_000 - performance.now())
      expect(await textOf(first).innerText()).toBe(kept)
      await network.send('Network.emulateNetworkConditions', { ...conditions, offline: false })
      await reaches(first, 'done')
      expect(posts.map(pathOf)).toEqual(['/api/chat'])
      expect(await textOf(first).innerText()).toBe(await generatedOnce(nano, server, posts[0]))
      expect(await page.getByTestId('attempt').count()).toBe(0)
      await atStatus(page, 'ready')
    })

    test('tabs: a second one shows the same text live, whoever asks', async ({ onTestFinished }) => {
      const { nano, server } = await ownNano(onTestFinished, slowly)
      const pages = ownPages(onTestFinished)
      const one = await pages.open(server.url)
      const posts = recordPosts(one)
      await say(one, story)
      const before = await grown(textOf(replies(one).first()), 60)
      const two = await pages.openTab(one)
      const early = await grown(textOf(replies(two).first()), before.length + 20)
      expect(early.startsWith(before)).toBe(true)
      expect(await replies(two).first().getAttribute('data-state')).toBe('streaming')
      await Promise.all([one, two].map((page) => reaches(replies(page).first(), 'done')))
      const whole = await generatedOnce(nano, server, posts[0])
      expect(await textOf(replies(one).first()).innerText()).toBe(whole)
      expect(await textOf(replies(two).first()).innerText()).toBe(whole)

      await say(two, 'What is its name?')
      await reaches(replies(one).nth(1), 'done')
      await reaches(replies(two).nth(1), 'done')
      expect(await textOf(replies(one).nth(1)).innerText()).toBe(await textOf(replies(two).nth(1)).innerText())
      expect(await one.getByTestId('message').count()).toBe(4)
    })

    test('tabs: Interrupt in the second ends both at the same character, Clear empties both', async ({
      onTestFinished,
    }) => {
      const { nano, server } = await ownNano(onTestFinished, slowly)
      const pages = ownPages(onTestFinished)
      const one = await pages.open(server.url)
      const posts = recordPosts(one)
      await say(one, story)
      await grown(textOf(replies(one).first()), 40)
      const two = await pages.openTab(one)
      await grown(textOf(replies(two).first()), 80)
      await two.getByTestId('interrupt').click()
      await Promise.all([one, two].map((page) => reaches(replies(page).first(), 'interrupted')))
      const log = await readRunLog(server.url, bodyOf(posts[0]).run_id)
      expect(log.reason).toBe('interrupted')
      expect(await textOf(replies(two).first()).innerText()).toBe(visible(log.text))
      expect(await textOf(replies(one).first()).innerText()).toBe(visible(log.text))
      await nano.idle()
      await keepScreenshot(one, 'interrupted-elsewhere')

      // What either is told to send next is the same, too.
      await say(one, 'What is its name?')
      await reaches(replies(two).nth(1), 'done')
      expect(bodyOf(posts.at(-1)).messages[1]).toEqual({ role: 'assistant', content: log.text, interrupted: true })

      await say(two, story)
      await grown(textOf(replies(one).nth(2)), 20)
      await one.getByTestId('clear').click()
      await Promise.all([one, two].map((page) => page.getByTestId('empty').waitFor()))
      await nano.idle()
      await Promise.all([one, two].map((page) => page.reload()))
      await Promise.all([one, two].map((page) => page.getByTestId('empty').waitFor()))
    })

    test('recovery: a model server that is killed and started anew goes on in the same bubble', async ({
      onTestFinished,
    }) => {
      const killed = await startNanoProcess(0)
      onTestFinished(() => killed.kill())
      const own = await ownServer(onTestFinished, killed.url)
      const page = await ownPages(onTestFinished).open(own.url)
      const posts = recordPosts(page)
      await say(page, story)
      const first = replies(page).first()
      await grown(textOf(first), 80)
      await killed.kill()
      await page.locator('[data-testid=status][data-status=waiting]').waitFor()
      await atStatus(page, 'unreachable')
      const kept = await textOf(first).innerText()
      await keepScreenshot(page, 'recovering')

      const anew = await startNanoProcess(killed.port)
      onTestFinished(() => anew.kill())
      await reaches(first, 'done')
      const log = await readRunLog(own.url, bodyOf(posts[0]).run_id)
      const whole = await textOf(first).innerText()
      expect(whole).toBe(visible(log.text))
      expect(whole.startsWith(kept)).toBe(true)
      expect(whole.length).toBeGreaterThan(kept.length + 20)
      expect(posts.map(pathOf)).toEqual(['/api/chat'])
      expect(await page.getByTestId('message').count()).toBe(2)
      await atStatus(page, 'ready')
    })
  })
