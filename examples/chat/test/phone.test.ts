import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, test, type TestContext } from 'vitest'
import { dictionary } from '../page/words/index.ts'
import { chromiumPath, keepScreenshot, launchBrowser } from './support/browser.ts'
import { createChatPages } from './support/chat-pages.ts'
import { atStatus, composer, grown, reaches, replies, say, textOf } from './support/conversation.ts'
import type { Line } from './support/fake-ollama.ts'
import { ownFake } from './support/own-servers.ts'
import { startRelay } from './support/relay.ts'

const languages = [
  ['en', 'en-GB'],
  ['zh', 'zh-CN'],
] as const

/** A model that says one thing and does not end. */
async function* unfinished(content: string): AsyncGenerator<Line> {
  if (content !== '') yield { content }
  await new Promise(() => undefined)
}

/** Puts another text in place of one, and says whether it lies within the bubble and below what is above it. */
function fits(bubble: Locator, tag: string): Promise<boolean> {
  return bubble.evaluate((element, text) => {
    const part = (selector: string): DOMRect | undefined => element.querySelector(selector)?.getBoundingClientRect()
    const node = element.querySelector('.tag')?.firstChild as Text
    node.data = text
    const whole = element.getBoundingClientRect()
    const { top, left, right, bottom } = part('.tag') as DOMRect
    return (
      top >= (part('.text')?.bottom ?? whole.top) &&
      left >= whole.left &&
      right <= whole.right &&
      bottom <= whole.bottom
    )
  }, tag)
}

describe.skipIf(chromiumPath === null).concurrent('a small phone in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser?.close())

  const open = async (onTestFinished: TestContext['onTestFinished'], url: string, locale: string): Promise<Page> => {
    const pages = createChatPages(browser)
    onTestFinished(() => pages.close())
    return pages.open(url, { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true, locale })
  }

  test.for(languages)(
    'phone: whatever an answer waits for, its tag is in the bubble and below the text (%s)',
    async ([language, locale], { expect, onTestFinished }) => {
      const { progress, waiting, waitingForServer, recovering, streaming, reconnecting } = dictionary[language]
      const { loading, prompt, tool_call: toolCall } = progress
      const tags = [waiting, waitingForServer, streaming, reconnecting, loading(100), prompt(100), toolCall(undefined)]
      const { fake, server } = await ownFake(onTestFinished)
      const page = await open(onTestFinished, server.url, locale)
      for (const content of ['', 'Two lines, of which the second is as wide as this bubble can be']) {
        fake.answers(unfinished(content))
        await say(page, 'Hello!')
        const bubble = replies(page).last()
        await bubble.getByTestId('streaming').waitFor()
        if (content !== '') await grown(textOf(bubble), content.length)
        for (const tag of [...tags, recovering])
          expect({ tag, fits: await fits(bubble, tag) }).toEqual({ tag, fits: true })
        await keepScreenshot(page, `phone-tag-${language}${content && '-text'}`)
      }
    },
  )

  test.for(languages)(
    'phone: nothing of the text moves when an answer is cut off (%s)',
    async ([language, locale], { expect, onTestFinished }) => {
      const { fake, server } = await ownFake(onTestFinished)
      const page = await open(onTestFinished, server.url, locale)
      const content = 'Longer than the screen is high. '.repeat(40).trim()
      fake.answers(unfinished(content))
      await say(page, 'Hello!')
      const text = textOf(replies(page).first())
      await grown(text, content.length)
      const before = [await text.boundingBox(), await composer(page).boundingBox()]
      await page.getByTestId('interrupt').click()
      await reaches(replies(page).first(), 'interrupted')
      await page.getByTestId('continue').waitFor()
      expect([await text.boundingBox(), await composer(page).boundingBox()]).toEqual(before)
      await keepScreenshot(page, `phone-interrupted-${language}`)
    },
  )

  test.for(languages)(
    'phone: that it reconnects is said on one line, however long the name of the model (%s)',
    async ([language, locale], { expect, onTestFinished }) => {
      const { fake, server } = await ownFake(onTestFinished)
      const relay = await startRelay(server.port)
      onTestFinished(() => relay.close())
      const page = await open(onTestFinished, relay.url, locale)
      const bar = page.getByTestId('status')
      // On a busy machine the first answer may say that the model server is not there.
      await atStatus(page, 'ready')
      const before = await bar.evaluate((element) => element.clientHeight)
      fake.answers(unfinished('Once'))
      await say(page, 'Hello!')
      await grown(textOf(replies(page).first()), 4)
      await relay.close()
      await page.getByTestId('attempt').waitFor()
      const after = await bar.evaluate((element, text) => {
        const [model, attempt] = ['model', 'attempt'].map(
          (id) => element.querySelector(`[data-testid=${id}]`)?.lastChild,
        )
        ;(model as Text).data = 'hf.co/someone/Qwen3-32B-GGUF:Q4_K_M'
        ;(attempt as Text).data = text
        return element.clientHeight
      }, dictionary[language].attempt(12))
      await keepScreenshot(page, `phone-reconnecting-${language}`)
      expect(after).toBe(before)
    },
  )
})
