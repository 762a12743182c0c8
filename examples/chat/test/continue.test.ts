import type { NanoOptions } from '@midstream/example-nano'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { chromiumPath, keepScreenshot, launchBrowser } from './support/browser.ts'
import { createChatPages } from './support/chat-pages.ts'
import type { ChatServer } from './support/chat-server.ts'
import {
  bodyOf,
  composer,
  eventually,
  grown,
  reaches,
  recordPosts,
  replies,
  say,
  story,
  textOf,
} from './support/conversation.ts'
import type { Line } from './support/fake-ollama.ts'
import { ownFake, ownNano } from './support/own-servers.ts'

/** What has been said already, without the last word: that one may be typed again. */
const settled = (text: string): string => text.replace(/\S+$/, '')

/** So slow that an answer has not ended before a busy machine cuts it off. */
const slowly: NanoOptions = { tokensPerSecond: 15 }

/** A model that is asked and says nothing. */
const never: AsyncIterable<Line> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
}

describe
  .skipIf(chromiumPath === null)
  .concurrent('what can be done about a reply, in Chromium', { timeout: 90_000 }, () => {
    let browser: Browser

    beforeAll(async () => {
      browser = await launchBrowser()
    })
    afterAll(() => browser?.close())

    const open = async (
      onTestFinished: TestContext['onTestFinished'],
      { url }: ChatServer,
      options?: BrowserContextOptions,
    ): Promise<Page> => {
      const pages = createChatPages(browser)
      onTestFinished(() => pages.close())
      return pages.open(url, options)
    }

    const interrupted = async (page: Page, length: number): Promise<string> => {
      const reply = replies(page).last()
      await grown(textOf(reply), length)
      await page.getByTestId('interrupt').click()
      await reaches(reply, 'interrupted')
      await page.locator('[data-testid=status][data-status=idle]').waitFor()
      return textOf(reply).innerText()
    }

    test('continue: the same bubble grows; interrupted and continued again it is still one message', async ({
      onTestFinished,
    }) => {
      const { server } = await ownNano(onTestFinished, slowly)
      const page = await open(onTestFinished, server)
      const posts = recordPosts(page)
      await say(page, story)
      expect(await page.getByTestId('continue').count()).toBe(0)
      const first = await interrupted(page, 60)
      await keepScreenshot(page, 'continue')

      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByTestId('continue').waitFor({ state: 'detached' })
      expect(await composer(page).evaluate((element) => element === document.activeElement)).toBe(true)
      const second = await interrupted(page, first.length + 60)
      expect(second.startsWith(settled(first))).toBe(true)

      // By keys alone: back from the composer.
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Shift+Tab')
      expect(await page.getByTestId('continue').evaluate((element) => element === document.activeElement)).toBe(true)
      await page.keyboard.press('Enter')
      await reaches(replies(page).first(), 'done')
      const whole = await textOf(replies(page).first()).innerText()
      expect(whole.startsWith(settled(second))).toBe(true)
      expect(whole.length).toBeGreaterThan(second.length)
      expect(await page.getByTestId('message').count()).toBe(2)
      expect(await page.getByTestId('continue').count()).toBe(0)
      expect(await page.getByTestId('try-again').count()).toBe(0)

      const asked = posts.filter((post) => post.url().endsWith('/api/chat')).map(bodyOf)
      expect(asked.map(({ resume }) => resume)).toEqual([undefined, 'continue', 'continue'])
      expect(asked.map(({ messages }) => messages.length)).toEqual([1, 2, 2])
    })

    test('continue: nothing of the text moves when an answer is cut off', async ({ onTestFinished }) => {
      // So low that the answer is at the end of its scroller.
      const { server } = await ownNano(onTestFinished, slowly)
      const page = await open(onTestFinished, server, { viewport: { width: 900, height: 340 } })
      await say(page, story)
      const scroller = page.getByTestId('messages')
      await eventually(async () => expect(await scroller.evaluate(({ scrollTop }) => scrollTop)).toBeGreaterThan(20))
      await page.evaluate(() => {
        const text = document.querySelector('[data-role=assistant] [data-testid=text]')
        const seen = { pressed: NaN, top: () => text?.getBoundingClientRect().top }
        Object.assign(globalThis, { seen })
        const button = document.querySelector('[data-testid=interrupt]')
        button?.addEventListener('click', () => (seen.pressed = seen.top() ?? NaN), { capture: true, once: true })
      })
      await page.getByTestId('interrupt').click()
      await page.getByTestId('continue').waitFor()
      const [pressed, top] = await page.evaluate(() => {
        const { seen } = globalThis as unknown as { seen: { pressed: number; top: () => number } }
        return [seen.pressed, seen.top()]
      })
      expect(top).toBe(pressed)
      await keepScreenshot(page, 'continue-low')
    })

    test('continue: an answer that reached its length limit says so and goes on', async ({ onTestFinished }) => {
      const { fake, server } = await ownFake(onTestFinished)
      const page = await open(onTestFinished, server)
      const posts = recordPosts(page)
      fake.answers([{ content: 'One two ' }, { content: 'three' }, { reason: 'length' }])
      await say(page, 'Count')
      const reply = replies(page).first()
      await reply.getByTestId('at-limit').waitFor()
      await keepScreenshot(page, 'at-limit')
      fake.answers([{ content: ' four five' }])
      await page.getByTestId('continue').click()
      await reply.getByTestId('at-limit').waitFor({ state: 'detached' })
      await reaches(reply, 'done')
      expect(await textOf(reply).innerText()).toBe('One two three four five')
      expect(bodyOf(posts[1]).resume).toBe('continue')
      expect(await page.getByTestId('continue').count()).toBe(0)
    })

    test('continue: an answer that failed goes on from what there is of it', async ({ onTestFinished }) => {
      const { fake, server } = await ownFake(onTestFinished)
      const page = await open(onTestFinished, server)
      // What a server says that will not get better by asking again.
      fake.answers([{ content: 'One two three' }, { error: 'the prompt is not to my liking' }])
      await say(page, 'Count')
      const reply = replies(page).first()
      await reaches(reply, 'failed')
      fake.answers([{ content: ' four' }])
      await page.getByTestId('continue').click()
      await reaches(reply, 'done')
      expect(await textOf(reply).innerText()).toBe('One two three four')
      expect(await reply.getByTestId('problem').count()).toBe(0)
    })

    test('continue: is not offered before the first word, trying again is', async ({ onTestFinished }) => {
      const { fake, server } = await ownFake(onTestFinished)
      const page = await open(onTestFinished, server)
      fake.answers(never)
      await say(page, 'Count')
      await page.getByTestId('streaming').waitFor()
      await page.keyboard.press('Escape')
      const reply = replies(page).first()
      await reply.getByText('Interrupted before the first word.').waitFor()
      expect(await page.getByTestId('continue').count()).toBe(0)
      await keepScreenshot(page, 'interrupted-empty')
      fake.answers([{ content: 'One' }])
      await page.getByTestId('try-again').click()
      await eventually(async () => expect(await textOf(replies(page).first()).innerText()).toBe('One'))
      expect(await page.getByTestId('message').count()).toBe(2)
    })

    test('edit: an earlier question is said otherwise, and what came after it goes', async ({ onTestFinished }) => {
      // So slowly that the second answer is still being written when the old question was looked at.
      const { server } = await ownNano(onTestFinished, { tokensPerSecond: 8 })
      const page = await open(onTestFinished, server)
      const posts = recordPosts(page)
      await say(page, 'Hello!')
      await reaches(replies(page).first(), 'done')
      await say(page, 'Tell me a story')
      await grown(textOf(replies(page).nth(1)), 20)

      // Escape leaves the old question alone, gives back what was being written, and lets the answer stream.
      await composer(page).fill('and then')
      await page.getByTestId('edit').first().click()
      expect(await composer(page).inputValue()).toBe('Hello!')
      expect(await composer(page).evaluate((element) => element === document.activeElement)).toBe(true)
      await keepScreenshot(page, 'edit')
      await page.keyboard.press('Escape')
      expect(await composer(page).inputValue()).toBe('and then')
      expect(await page.getByTestId('editing').count()).toBe(0)
      expect(await replies(page).nth(1).getAttribute('data-state')).toBe('streaming')

      await page.getByTestId('edit').first().click()
      await say(page, 'Tell me a joke')
      await eventually(async () => expect(await page.getByTestId('message').count()).toBe(2))
      await reaches(replies(page).first(), 'done')
      expect(bodyOf(posts.at(-1)).messages).toEqual([{ role: 'user', content: 'Tell me a joke' }])
      expect(bodyOf(posts.at(-1)).interrupts?.run_id).toBe(bodyOf(posts[1]).run_id)
      expect(await composer(page).inputValue()).toBe('and then')
    })

    test('continue, edit: speak Chinese, and fit a phone', async ({ onTestFinished }) => {
      const phone = { width: 375, height: 700 }
      const { server } = await ownNano(onTestFinished, slowly)
      const page = await open(onTestFinished, server, { locale: 'zh-CN' })
      await say(page, '讲一个关于小兔子的故事')
      await interrupted(page, 40)
      await keepScreenshot(page, 'chinese-continue')
      await page.getByRole('button', { name: '编辑' }).click()
      await keepScreenshot(page, 'chinese-edit')
      await page.getByRole('button', { name: '取消' }).click()
      await page.getByRole('button', { name: '继续' }).click()
      await page.setViewportSize(phone)
      await page.emulateMedia({ colorScheme: 'dark' })
      await reaches(replies(page).first(), 'streaming')
      await page.getByRole('button', { name: '打断' }).click()
      await reaches(replies(page).first(), 'interrupted')
      await keepScreenshot(page, 'chinese-phone-continue')
      await page.getByRole('button', { name: '编辑' }).click()
      await keepScreenshot(page, 'chinese-phone-edit')
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(phone.width)
    })
  })
