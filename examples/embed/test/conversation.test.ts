import { startNano, type Nano } from '@midstream/example-nano'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startBlogServer, type BlogServer } from './support/blog-server.ts'
import { chromiumPath, createBlogPages, keepScreenshot, launchBrowser, type BlogPages } from './support/browser.ts'
import { bodyOf, bubbleOf, eventually, grown, reaches, recordPosts, story, textIn } from './support/bubble.ts'
import { startRelay } from './support/relay.ts'

describe.skipIf(chromiumPath === null)('bubble in Chromium: conversation', { timeout: 90_000 }, () => {
  let browser: Browser
  let nano: Nano
  let server: BlogServer
  let pages: BlogPages

  const open = (options?: BrowserContextOptions, url = server.url): Promise<Page> => pages.open(url, options)

  beforeAll(async () => {
    nano = await startNano()
    const [started, launched] = await Promise.all([
      startBlogServer('--port', '0', '--upstream', nano.url, '--model', 'nano'),
      launchBrowser(),
    ])
    server = started
    browser = launched
    pages = createBlogPages(browser)
  })
  afterEach(() => pages.close())
  afterAll(async () => {
    await browser?.close()
    await server?.end()
    await nano?.close()
  })

  test('bubble: an answer streams, is stopped, and the next request carries what was shown to the character', async () => {
    const page = await open()
    const posts = recordPosts(page)
    const bubble = bubbleOf(page)
    await bubble.open()
    await keepScreenshot(page, 'empty')
    await bubble.ask(story)
    const first = bubble.answers.first()
    const early = await grown(first, 30)
    const later = await grown(first, early.length + 60)
    expect(later.startsWith(early)).toBe(true)

    await bubble.button('Stop').click()
    await reaches(first, 'interrupted')
    const frozen = await textIn(first)
    expect(frozen.startsWith(later)).toBe(true)
    expect(await textIn(first.locator('~ .note'))).toBe('Stopped')
    expect(await bubble.button('Stop').count()).toBe(0)
    await nano.idle()
    await keepScreenshot(page, 'stopped')

    await bubble.ask('What is its name?')
    await reaches(bubble.answers.nth(1), 'done')
    expect(await textIn(first)).toBe(frozen)
    expect(bodyOf(posts.at(-1)).messages).toEqual([
      { role: 'user', content: story },
      { role: 'assistant', content: frozen, interrupted: true },
      { role: 'user', content: 'What is its name?' },
    ])
    await keepScreenshot(page, 'follow-up')
  })

  test('bubble: a question while an answer streams stops it and follows up in one request', async () => {
    const page = await open()
    const posts = recordPosts(page)
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask(story)
    const first = bubble.answers.first()
    await grown(first, 80)
    await bubble.ask('What is its name?')
    await reaches(first, 'interrupted')
    const frozen = await textIn(first)
    await reaches(bubble.answers.nth(1), 'done')
    expect(await textIn(first)).toBe(frozen)
    expect(posts.map((post) => new URL(post.url()).pathname)).toEqual(['/api/chat', '/api/chat'])
    const { interrupts, messages } = bodyOf(posts[1])
    expect(interrupts).toEqual({ run_id: bodyOf(posts[0]).run_id, position: frozen.length })
    expect(messages[1]).toEqual({ role: 'assistant', content: frozen, interrupted: true })
  })

  test('bubble: Continue grows the stopped answer', async () => {
    const page = await open()
    const posts = recordPosts(page)
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask(story)
    await grown(bubble.answers.first(), 60)
    await bubble.button('Stop').click()
    const frozen = await textIn(bubble.answers.first())
    await bubble.button('Continue').click()
    await reaches(bubble.answers.first(), 'done')
    const whole = await textIn(bubble.answers.first())
    // At most one word is written again.
    expect(whole.startsWith(frozen.replace(/\S*\s*$/, ''))).toBe(true)
    expect(whole.length).toBeGreaterThan(frozen.length)
    expect(await bubble.answers.count()).toBe(1)
    expect(bodyOf(posts.at(-1)).resume).toBe('continue')
    expect(await bubble.button('Continue').count()).toBe(0)
  })

  test('bubble: a connection that breaks is made again by itself, and the answer is whole', async () => {
    const relay = await startRelay(Number(new URL(server.url).port))
    onTestFinished(() => relay.close())
    const page = await open({}, relay.url)
    const posts = recordPosts(page)
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask(story)
    await grown(bubble.answers.first(), 60)
    const again = page.waitForRequest((request) => request.method() === 'GET' && request.url().includes('/runs/'))
    relay.cut()
    await again
    await reaches(bubble.answers.first(), 'done')
    const log = await (await fetch(`${server.url}/api/chat/runs/${bodyOf(posts[0]).run_id}`)).text()
    const said = [...log.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as { message?: string })
    expect(await textIn(bubble.answers.first())).toBe(said.map(({ message = '' }) => message).join(''))
    expect(posts.length).toBe(1)
  })

  test('bubble: while nothing can be reached the question stays, and trying again asks it again', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    await page.clock.install()
    await page.route('**/api/chat**', (route) => route.abort())
    let failures = 0
    page.on('requestfailed', () => (failures += 1))
    await bubble.ask(story)
    const question = bubble.host.locator('.user .text')
    const answer = bubble.host.locator('.message').last()
    await answer.getByText('Reconnecting…').waitFor()
    expect(await textIn(question)).toBe(story)
    // Nobody keeps trying forever.
    const failed = answer.getByText('The chat cannot be reached right now.')
    while ((await failed.count()) === 0) {
      const seen = failures
      // No faster than requests fail: a request that seems to take long is given up as a silent one.
      await page.clock.runFor(8_000)
      await eventually(async () => expect(failures > seen || (await failed.count()) > 0).toBe(true))
    }
    expect(await textIn(question)).toBe(story)
    await keepScreenshot(page, 'unreachable')

    await page.unroute('**/api/chat**')
    await bubble.button('Try again').click()
    await reaches(bubble.answers.first(), 'done')
    expect(await bubble.host.locator('.user').count()).toBe(1)
  })

  test('bubble: an answer that fails says why, and can be asked for again', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    const error = { code: 'too_large', message: 'The body is too large.', retryable: false }
    await page.route('**/api/chat', (route) => route.fulfill({ status: 413, json: { error } }))
    await bubble.ask(story)
    await bubble.host.getByText('This has grown too long. Start a new chat.').first().waitFor()
    expect(await bubble.button('Continue').count()).toBe(0)
    await page.unroute('**/api/chat')
    await bubble.button('Try again').click()
    await grown(bubble.answers.first(), 20)
    await bubble.button('New chat').click()
    expect(await bubble.host.locator('.message').count()).toBe(1)
    await nano.idle()
  })

  test.each([
    ['', 'New chat'],
    ['zh.html', '新对话'],
  ])('bubble: what is kept goes on after a reload in mid-answer, on the page /%s', async (path, newChat) => {
    const page = await open({}, `${server.url}/${path}`)
    const posts = recordPosts(page)
    await bubbleOf(page).open()
    await bubbleOf(page).ask(story)
    const before = await grown(bubbleOf(page).answers.first(), 60)
    await page.reload()
    await bubbleOf(page).open()
    await reaches(bubbleOf(page).answers.first(), 'done')
    expect((await textIn(bubbleOf(page).answers.first())).startsWith(before)).toBe(true)
    expect(posts.length).toBe(1)
    await bubbleOf(page).button(newChat).click()
    await eventually(async () => expect(await page.evaluate(() => sessionStorage.length)).toBe(0))
  })

  test('bubble: its page hears each question and each answer that has ended, once', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await page.evaluate(() => {
      const heard: unknown[] = []
      Object.assign(globalThis, { heard })
      document.addEventListener('midstream-message', (event) => {
        const { role, state, content } = (event as CustomEvent<Record<'role' | 'state' | 'content', string>>).detail
        heard.push({ role, state, content })
      })
      document.addEventListener('midstream-toggle', (event) => heard.push((event as CustomEvent<unknown>).detail))
    })
    await bubble.open()
    await bubble.ask(story)
    await grown(bubble.answers.first(), 40)
    await bubble.button('Stop').click()
    await reaches(bubble.answers.first(), 'interrupted')
    const content = await textIn(bubble.answers.first())
    await bubble.button('Close').click()
    await nano.idle()
    await eventually(async () =>
      expect(await page.evaluate(() => (globalThis as unknown as { heard: unknown }).heard)).toEqual(
        expect.arrayContaining([
          { open: true },
          { role: 'user', state: 'done', content: story },
          { role: 'assistant', state: 'interrupted', content },
          { open: false },
        ]),
      ),
    )
    expect(await page.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard.length)).toBe(4)
  })

  test('bubble: text is text, whatever it looks like', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    const frame = (id: string, data: object): string => `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`
    const hostile = '<img src=x onerror="alert(1)">\n  **two** [lines](javascript:alert(1))'
    await page.route('**/api/chat', (route) => {
      const { run_id, session_id } = bodyOf(route.request())
      const start = { session_id, run_id, model: 'm', heartbeat_ms: 5_000 }
      const body =
        `data: ${JSON.stringify(start)}\n\n` +
        frame(String(hostile.length), { message: hostile }) +
        frame(String(hostile.length + 1), { done: true, reason: 'stop' })
      return route.fulfill({ contentType: 'text/event-stream', body })
    })
    await bubble.ask(hostile)
    await reaches(bubble.answers.first(), 'done')
    expect(await textIn(bubble.answers.first())).toBe(hostile)
    expect(await textIn(bubble.host.locator('.user .text'))).toBe(hostile)
    expect(await bubble.host.locator('img, a').count()).toBe(0)
    expect(await bubble.answers.first().evaluate((text) => getComputedStyle(text).whiteSpace)).toBe('pre-wrap')
  })
})
