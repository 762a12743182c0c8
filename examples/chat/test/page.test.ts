import { startNano, type Nano } from '@midstream/example-nano'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { chromiumPath, keepScreenshot, launchBrowser } from './support/browser.ts'
import { createChatPages, type ChatPages } from './support/chat-pages.ts'
import { startChatServer, type ChatServer } from './support/chat-server.ts'
import {
  atStatus,
  bodyOf,
  composer,
  eventually,
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
import { liveLines } from './support/fake-ollama.ts'
import { ownFake, ownServer } from './support/own-servers.ts'

describe.skipIf(chromiumPath === null)('page in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser
  let nano: Nano
  let server: ChatServer
  let pages: ChatPages

  const open = (options?: BrowserContextOptions, url = server.url): Promise<Page> => pages.open(url, options)

  const startOwn = (port: number): Promise<ChatServer> => ownServer(onTestFinished, nano.url, port)

  beforeAll(async () => {
    nano = await startNano()
    const [started, launched] = await Promise.all([
      startChatServer(['--port', '0', '--upstream', nano.url]),
      launchBrowser(),
    ])
    server = started
    browser = launched
    pages = createChatPages(browser)
  })
  afterEach(() => pages.close())
  afterAll(async () => {
    await browser?.close()
    await server?.end('SIGTERM')
    await nano?.close()
  })

  test('page: an answer streams, is interrupted, freezes, and the follow-up knows what was seen', async () => {
    const page = await open()
    const posts = recordPosts(page)
    await keepScreenshot(page, 'empty')
    await say(page, story)
    const first = replies(page).first()
    const early = await grown(textOf(first), 30)
    const later = await grown(textOf(first), early.length + 60)
    expect(later.startsWith(early)).toBe(true)
    await first.getByTestId('streaming').waitFor()
    await keepScreenshot(page, 'streaming')

    // From the press on, nothing of the text may change, and the button is off before the next task.
    await page.evaluate(() => {
      const text = document.querySelector('[data-role=assistant] [data-testid=text]') as HTMLElement
      const button = document.querySelector('[data-testid=interrupt]') as HTMLButtonElement
      const seen = { pressed: '', isDisabled: false, changes: 0 }
      Object.assign(globalThis, { seen })
      const press = (): void => {
        seen.pressed = text.innerText
        new MutationObserver(() => (seen.changes += 1)).observe(text, {
          childList: true,
          characterData: true,
          subtree: true,
        })
        setTimeout(() => (seen.isDisabled = button.disabled))
      }
      button.addEventListener('click', press, { capture: true, once: true })
    })
    await page.getByTestId('interrupt').click()
    await reaches(first, 'interrupted')
    await page.locator('[data-testid=status][data-status=idle]').waitFor()
    const seen = await page.evaluate(() => (globalThis as unknown as { seen: { pressed: string } }).seen)
    const frozen = await textOf(first).innerText()
    expect(seen).toEqual({ pressed: frozen, isDisabled: true, changes: 0 })
    expect(frozen.startsWith(later)).toBe(true)
    expect(await composer(page).evaluate((element) => element === document.activeElement)).toBe(true)
    await nano.idle()
    await keepScreenshot(page, 'interrupted')

    await say(page, 'What is its name?')
    const second = replies(page).nth(1)
    await reaches(second, 'done')
    const { messages } = bodyOf(posts.at(-1))
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(messages[1]).toEqual({ role: 'assistant', content: messages[1]?.content, interrupted: true })
    expect(visible(messages[1]?.content)).toBe(frozen)
    const answer = await textOf(second).innerText()
    expect(await textOf(first).innerText()).toBe(frozen)
    expect(await page.getByTestId('announcement').innerText()).toContain(`Assistant: ${answer.split('\n')[0]}`)
    await keepScreenshot(page, 'follow-up')
  })

  test('page: sending while an answer streams freezes it and posts once', async () => {
    const page = await open()
    const posts = recordPosts(page)
    await say(page, story)
    const first = replies(page).first()
    await grown(textOf(first), 80)
    await say(page, 'What is its name?')
    await reaches(first, 'interrupted')
    const frozen = await textOf(first).innerText()
    await reaches(replies(page).nth(1), 'done')
    expect(await textOf(first).innerText()).toBe(frozen)
    expect(posts.map(pathOf)).toEqual(['/api/chat', '/api/chat'])
    const { interrupts, messages } = bodyOf(posts[1])
    expect(interrupts?.run_id).toBe(bodyOf(posts[0]).run_id)
    expect(interrupts?.position).toBe(messages[1]?.content.length)
    expect(visible(messages[1]?.content)).toBe(frozen)
    expect(messages[1]?.interrupted).toBe(true)
  })

  test('page: Escape interrupts', async () => {
    const page = await open()
    await say(page, story)
    await grown(textOf(replies(page).first()), 20)
    await page.keyboard.press('Escape')
    await reaches(replies(page).first(), 'interrupted')
    expect(await page.getByTestId('interrupt').isDisabled()).toBe(true)
  })

  test('page: Clear ends what runs and empties the page', async () => {
    const page = await open()
    const deleted = page.waitForRequest((request) => request.method() === 'DELETE')
    await say(page, story)
    await grown(textOf(replies(page).first()), 20)
    await page.getByTestId('clear').click()
    await page.getByTestId('empty').waitFor()
    expect(await page.getByTestId('message').count()).toBe(0)
    expect((await (await deleted).response())?.status()).toBe(204)
    await nano.idle()
    const posts = recordPosts(page)
    await page.getByTestId('suggestion').first().click()
    await grown(textOf(replies(page).first()), 20)
    expect(bodyOf(posts[0]).messages).toEqual([{ role: 'user', content: story }])
  })

  test('page: speaks Chinese to a Chinese browser', async () => {
    const page = await open({ locale: 'zh-CN' })
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
    expect(await page.getByTestId('send').innerText()).toBe('发送')
    await page.getByText('已连接').waitFor()
    await say(page, '讲一个关于小兔子的故事')
    const first = replies(page).first()
    await grown(textOf(first), 60)
    await keepScreenshot(page, 'chinese-streaming')
    await page.getByRole('button', { name: '打断' }).click()
    await reaches(first, 'interrupted')
    await say(page, '它叫什么名字?')
    await reaches(replies(page).nth(1), 'done')
    await keepScreenshot(page, 'chinese')
  })

  test('page: Enter while an input method composes does not send, Shift+Enter breaks the line', async () => {
    const page = await open({ locale: 'zh-CN' })
    const posts = recordPosts(page)
    await composer(page).focus()
    const input = await page.context().newCDPSession(page)
    await input.send('Input.imeSetComposition', { text: 'ni', selectionStart: 2, selectionEnd: 2 })
    await page.evaluate(() => {
      const keys: unknown[] = []
      Object.assign(globalThis, { keys })
      addEventListener('keydown', ({ key, isComposing }) => keys.push({ key, isComposing }))
    })
    // As an input method passes keys on: with a code that stands for itself.
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 }
    await input.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...key })
    await input.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key })
    expect(await page.evaluate(() => (globalThis as unknown as { keys: unknown }).keys)).toEqual([
      { key: 'Enter', isComposing: true },
    ])
    await input.send('Input.insertText', { text: '你好' })
    await composer(page).press('Shift+Enter')
    expect(await composer(page).inputValue()).toBe('你好\n')
    expect(posts).toEqual([])
    await composer(page).press('Enter')
    await replies(page).first().waitFor()
    expect(bodyOf(posts[0]).messages).toEqual([{ role: 'user', content: '你好' }])
    expect(await composer(page).inputValue()).toBe('')
  })

  test('page: scrolling up stops the autoscroll, the button and a new message resume it', async () => {
    const { fake, server: own } = await ownFake(onTestFinished)
    const lines = liveLines()
    fake.answers(lines)
    const page = await open({ viewport: { width: 900, height: 340 } }, own.url)
    const scroller = page.getByTestId('messages')
    const topOf = (): Promise<number> => scroller.evaluate(({ scrollTop }) => scrollTop)
    const gap = (): Promise<number> =>
      scroller.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)
    const text = textOf(replies(page).first())
    let length = 0
    const grow = async (by: number): Promise<void> => {
      lines.say('wide '.repeat(by / 5))
      length += by
      await grown(text, length - 1)
    }
    await say(page, story)
    await grow(1_000)
    await eventually(async () => expect(await topOf()).toBeGreaterThan(40))
    expect(await gap()).toBeLessThanOrEqual(1)

    const end = await topOf()
    await scroller.hover()
    await page.mouse.wheel(0, -30)
    await page.getByTestId('jump').waitFor()
    await eventually(async () => expect(await topOf()).toBe(end - 30))
    await grow(500)
    expect(await topOf()).toBe(end - 30)
    await keepScreenshot(page, 'scrolled-up')

    await page.getByTestId('jump').click()
    expect(await gap()).toBeLessThanOrEqual(1)
    expect(await page.getByTestId('jump').count()).toBe(0)

    // The user wins over text that grows in that very moment, too.
    lines.keepTalking(onTestFinished)
    await page.mouse.wheel(0, -30)
    await page.getByTestId('jump').waitFor()
    const top = await topOf()
    await grown(text, (await text.innerText()).length + 200)
    expect(await topOf()).toBeLessThanOrEqual(top)
    expect(await page.getByTestId('jump').count()).toBe(1)
    fake.answers([{ content: 'Pebble.' }])
    await say(page, 'What is its name?')
    await reaches(replies(page).nth(1), 'done')
    expect(await gap()).toBeLessThanOrEqual(1)
  })

  test('page: after the gateway died the text is kept and the page says so; trying again works once it is back', async () => {
    const own = await startOwn(0)
    const page = await open({}, own.url)
    await say(page, story)
    const first = replies(page).first()
    const before = await grown(textOf(first), 60)
    await page.clock.install()
    await own.end('SIGKILL')
    await atStatus(page, 'reconnecting')
    await first.getByText('reconnecting…').waitFor()
    const kept = await textOf(first).innerText()
    expect(kept.startsWith(before)).toBe(true)
    await keepScreenshot(page, 'reconnecting')

    // Nobody keeps trying forever.
    while ((await first.getAttribute('data-state')) === 'streaming') {
      // The clock stands until what was asked has been refused: else it would seem to be silence.
      await page.evaluate((url) => fetch(url).catch(() => undefined), own.url)
      await page.clock.runFor(8_000)
    }
    await reaches(first, 'dropped')
    expect(await textOf(first).innerText()).toBe(kept)
    expect(await first.getByTestId('problem').innerText()).toContain('The gateway cannot be reached.')
    await atStatus(page, 'offline')
    await keepScreenshot(page, 'dropped')

    await startOwn(own.port)
    await page.getByTestId('try-again').click()
    await reaches(replies(page).first(), 'done')
    expect(await page.getByTestId('message').count()).toBe(2)
    await atStatus(page, 'ready')
  })

  test('page: after the gateway was started anew the answer goes on by itself', async () => {
    const own = await startOwn(0)
    const page = await open({}, own.url)
    await say(page, story)
    const first = replies(page).first()
    await grown(textOf(first), 60)
    await own.end('SIGKILL')
    await atStatus(page, 'reconnecting')
    const kept = await textOf(first).innerText()
    await startOwn(own.port)
    await reaches(first, 'done')
    // At most one word is typed again.
    const whole = await textOf(first).innerText()
    expect(whole.startsWith(kept.replace(/\S+$/, ''))).toBe(true)
    expect(whole.length).toBeGreaterThan(kept.length)
    expect(await page.getByTestId('message').count()).toBe(2)
  })

  test('page: is calm in the dark', async () => {
    const page = await open({ colorScheme: 'dark' })
    await keepScreenshot(page, 'dark-empty')
    await say(page, 'How do I install Midstream?')
    await reaches(replies(page).first(), 'done')
    await say(page, story)
    await grown(textOf(replies(page).nth(1)), 150)
    await page.getByTestId('interrupt').click()
    await reaches(replies(page).nth(1), 'interrupted')
    await say(page, 'What sights are there in Paris?')
    await grown(textOf(replies(page).nth(2)), 120)
    await keepScreenshot(page, 'dark')
  })

  test('page: fits a phone, with the controls below', async () => {
    const phone = { width: 375, height: 700 }
    const page = await open({ viewport: phone, hasTouch: true, isMobile: true })
    await keepScreenshot(page, 'phone-empty')
    await say(page, story)
    await grown(textOf(replies(page).first()), 200)
    const [list, area, status] = await Promise.all(
      [page.getByTestId('messages'), composer(page), page.getByTestId('status')].map((part) => part.boundingBox()),
    )
    expect(area?.y).toBeGreaterThan((list?.y ?? 0) + (list?.height ?? 0))
    expect((status?.y ?? 0) + (status?.height ?? 0)).toBeLessThanOrEqual(phone.height)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(phone.width)
    await keepScreenshot(page, 'phone')
  })
})
