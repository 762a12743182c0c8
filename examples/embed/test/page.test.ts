import { startNano, type Nano } from '@midstream/example-nano'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { liveLines, startFakeOllama } from '../../chat/test/support/fake-ollama.ts'
import { startBlogServer, type BlogServer } from './support/blog-server.ts'
import { chromiumPath, createBlogPages, keepScreenshot, launchBrowser, type BlogPages } from './support/browser.ts'
import { bodyOf, bubbleOf, eventually, grown, reaches, recordPosts, story, textIn } from './support/bubble.ts'

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** What of the page and the bubble fails the rules of WCAG 2.2 AA that a machine can check. */
async function accessFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const { violations } = await checker.run()
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(', ')}`)
  })
}

/** Puts one more bubble into the page. */
function addBubble(page: Page, attributes: Readonly<Record<string, string>>): Promise<void> {
  return page.evaluate((given) => {
    const element = document.createElement('midstream-chat')
    for (const [name, value] of Object.entries(given)) element.setAttribute(name, value)
    element.style.inset = 'auto auto 16px 16px'
    document.body.append(element)
  }, attributes)
}

describe.skipIf(chromiumPath === null)('bubble in Chromium: page', { timeout: 90_000 }, () => {
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

  test('bubble: the keyboard is enough, and what is typed is not heard by the page', async () => {
    const page = await open()
    const { keyboard } = page
    const bubble = bubbleOf(page)
    const focused = (): Promise<string | null | undefined> =>
      bubble.host.evaluate((host) => host.shadowRoot?.activeElement?.getAttribute('part'))
    await page.evaluate(() => {
      const heard: string[] = []
      Object.assign(globalThis, { heard })
      for (const type of ['keydown', 'keypress', 'keyup']) {
        document.addEventListener(type, (event) => heard.push((event as KeyboardEvent).key))
      }
    })
    for (let i = 0; i < 3; i += 1) await keyboard.press('Tab')
    expect(await focused()).toBe('launcher')
    await keyboard.press('Enter')
    expect(await focused()).toBe('input')
    expect(await bubble.launcher.getAttribute('aria-expanded')).toBe('true')
    await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard.splice(0))

    await keyboard.press('Enter')
    await keyboard.type('Tell me a story')
    await keyboard.press('Shift+Enter')
    await keyboard.type('about a rabbit')
    await keyboard.press('Enter')
    expect(await textIn(bubble.host.locator('.user .text'))).toBe('Tell me a story\nabout a rabbit')
    expect(await bubble.input.inputValue()).toBe('')
    await grown(bubble.answers.first(), 40)
    await keyboard.press('Tab')
    expect(await focused()).toBe('button stop')
    await keyboard.press('Enter')
    await reaches(bubble.answers.first(), 'interrupted')
    expect(await focused()).toBe('input')
    await keyboard.press('Shift+Tab')
    expect(await focused()).toBe('button continue')
    await keyboard.press('Space')
    expect(await focused()).toBe('input')
    await reaches(bubble.answers.first(), 'done')
    await keyboard.press('Escape')
    expect(await focused()).toBe('launcher')
    expect(await bubble.panel.count()).toBe(0)
    // The last key is let go when the panel is closed already.
    expect(await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard)).toEqual(['Escape'])
  })

  test('bubble: focus is not lost when the button that has it goes away by itself', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask('What is its name?')
    await bubble.button('Stop').focus()
    await reaches(bubble.answers.first(), 'done')
    await eventually(async () =>
      expect(await bubble.input.evaluate((input: HTMLElement) => input.matches(':focus'))).toBe(true),
    )
  })

  test('bubble: Enter and Escape belong to an input method while it composes', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    const input = await page.context().newCDPSession(page)
    await input.send('Input.imeSetComposition', { text: 'ni', selectionStart: 2, selectionEnd: 2 })
    for (const key of ['Enter', 'Escape']) {
      await input.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key, code: key, windowsVirtualKeyCode: 229 })
      await input.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: 229 })
    }
    expect(await bubble.panel.count()).toBe(1)
    expect(await bubble.host.locator('.user').count()).toBe(0)
  })

  test('bubble: a screen reader hears an answer once, when it has ended, also while the panel is closed', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    const live = bubble.host.getByRole('status')
    await live.evaluate((element) => {
      const said: (string | null)[] = []
      Object.assign(globalThis, { said })
      new MutationObserver(() => said.push(element.textContent)).observe(element, { childList: true, subtree: true })
    })
    expect(await bubble.host.locator('[aria-live], [role=log], [role=alert]').count()).toBe(0)
    await bubble.ask('What is its name?')
    await bubble.button('Close').click()
    await bubble.host.locator('[unread]').waitFor()
    expect(await bubble.launcher.getAttribute('aria-label')).toBe('Ask the rabbit (new answer)')
    await keepScreenshot(page, 'unread')
    const answer = await textIn(bubble.answers.first())
    expect(
      await page.evaluate(() => (globalThis as unknown as { said: string[] }).said.map((text) => text.trim())),
    ).toEqual([`Assistant: ${answer}`.trim()])
    await bubble.open()
    expect(await bubble.launcher.getAttribute('aria-label')).toBe('Ask the rabbit')
  })

  test('bubble: two in a page do not disturb each other', async () => {
    const page = await open()
    const posts = recordPosts(page)
    // The same name, too: what is kept belongs to the first.
    await addBubble(page, { id: 'second', heading: 'Second', keep: '', greeting: 'Me too.' })
    const one = bubbleOf(page, 'midstream-chat:not(#second)')
    const two = bubbleOf(page, '#second')
    await one.open()
    await one.ask(story)
    await two.open()
    await two.ask('What is Midstream?')
    await grown(one.answers.first(), 40)
    await grown(two.answers.first(), 40)
    await keepScreenshot(page, 'two')
    await page.keyboard.press('Escape')
    expect([await one.panel.count(), await two.panel.count()]).toEqual([1, 0])
    await one.button('Stop').click()
    await reaches(one.answers.first(), 'interrupted')
    await reaches(two.answers.first(), 'done')
    const [first, second] = posts.map(bodyOf)
    expect(first?.session_id).not.toBe(second?.session_id)
    expect(second?.messages).toEqual([{ role: 'user', content: 'What is Midstream?' }])
    const kept = await page.evaluate(() => Object.values(sessionStorage).join(' '))
    expect(kept).toContain(story)
    expect(kept).not.toContain('What is Midstream?')
  })

  test('bubble: taken out of the page it stops the model, forgets the conversation, and asks nothing any more', async () => {
    const page = await open()
    await page.clock.install()
    await addBubble(page, { id: 'second' })
    const two = bubbleOf(page, '#second')
    await two.open()
    await two.ask(story)
    await grown(two.answers.first(), 40)
    const asked: string[] = []
    page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`))
    const forgotten = page.waitForResponse((response) => response.request().method() === 'DELETE')
    await page.evaluate(() => document.querySelector('#second')?.remove())
    expect((await forgotten).status()).toBe(204)
    await nano.idle()
    // Whatever timer is left fires.
    await page.clock.runFor(300_000)
    // Some layers let no DELETE through.
    const told = [/^DELETE \/api\/chat\/sessions\//, /^POST \/api\/chat\/runs\/[^/]+\/interrupt$/]
    expect(asked.toSorted()).toEqual(told.map((one) => expect.stringMatching(one) as unknown))
  })

  test('bubble: taken out while it reconnects it gives up', async () => {
    const page = await open()
    await page.clock.install()
    await addBubble(page, { id: 'second' })
    const two = bubbleOf(page, '#second')
    await two.open()
    await page.route('**/api/chat**', (route) => route.abort())
    await two.ask(story)
    await two.host.getByText('Reconnecting…').waitFor()
    // It tells the gateway that all of it is over, and asks for no answer.
    const told = page.waitForRequest((request) => request.method() === 'DELETE')
    await page.evaluate(() => document.querySelector('#second')?.remove())
    await told
    const asked: string[] = []
    page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`))
    await page.clock.runFor(60_000)
    expect(asked.filter((one) => /^POST \/api\/chat$|^GET .*\/runs\//.test(one))).toEqual([])
  })

  test('bubble: moved within the page it keeps its conversation', async () => {
    const page = await open()
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask(story)
    const before = await grown(bubble.answers.first(), 40)
    await page.evaluate(() => document.body.prepend(document.querySelector('midstream-chat') as Element))
    await reaches(bubble.answers.first(), 'done')
    expect((await textIn(bubble.answers.first())).startsWith(before)).toBe(true)
  })

  test('bubble: follows its attributes', async () => {
    const page = await open({}, `${server.url}/zh.html`)
    const bubble = bubbleOf(page)
    const set = (name: string, value: string): Promise<void> =>
      bubble.host.evaluate((host, [key, to]) => host.setAttribute(key!, to!), [name, value])
    await set('open', '')
    await bubble.panel.waitFor()
    expect(await bubble.panel.getByRole('heading').innerText()).toBe('问问小兔子')
    expect(await bubble.button('发送').count()).toBe(1)
    await set('lang', 'en')
    await set('heading', 'Ask me')
    await set('placeholder', 'About rabbits…')
    await set('greeting', 'Hi!')
    expect(await bubble.panel.getByRole('heading').innerText()).toBe('Ask me')
    expect(await bubble.button('Send').count()).toBe(1)
    expect(await bubble.input.getAttribute('placeholder')).toBe('About rabbits…')
    expect(await textIn(bubble.host.locator('.message .text'))).toBe('Hi!')
    // Another endpoint is another conversation.
    await bubble.ask(story)
    await grown(bubble.answers.first(), 20)
    const asked = page.waitForRequest((request) => new URL(request.url()).pathname === '/elsewhere')
    await set('endpoint', '/elsewhere')
    expect(await bubble.host.locator('.user').count()).toBe(0)
    await nano.idle()
    await bubble.ask(story)
    await asked
  })

  test('bubble: speaks Chinese in a Chinese page', async () => {
    const page = await open({}, `${server.url}/zh.html`)
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask('讲一个关于小兔子的故事')
    await grown(bubble.answers.first(), 40)
    await bubble.button('停止').click()
    await reaches(bubble.answers.first(), 'interrupted')
    await bubble.ask('它叫什么名字?')
    await reaches(bubble.answers.nth(1), 'done')
    await keepScreenshot(page, 'chinese')
  })

  test('bubble: scrolling up stops the autoscroll, the end and a question resume it, and a selection stays', async () => {
    const fake = await startFakeOllama()
    onTestFinished(() => fake.close())
    const own = await startBlogServer('--port', '0', '--upstream', fake.url, '--model', 'fake')
    onTestFinished(async () => void (await own.end()))
    const lines = liveLines()
    fake.answers(lines)
    const page = await open({ viewport: { width: 900, height: 520 } }, own.url)
    const bubble = bubbleOf(page)
    await bubble.open()
    const gap = (): Promise<number> =>
      bubble.messages.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)
    const top = (): Promise<number> => bubble.messages.evaluate(({ scrollTop }) => scrollTop)
    const answer = bubble.answers.first()
    let length = 0
    const grow = async (): Promise<void> => {
      lines.say('wide '.repeat(200))
      length += 1_000
      await grown(answer, length - 1)
    }
    await bubble.ask(story)
    await grow()
    await eventually(async () => expect(await top()).toBeGreaterThan(60))
    expect(await gap()).toBeLessThanOrEqual(1)
    const end = await top()
    await bubble.messages.hover()
    await page.mouse.wheel(0, -20)
    await eventually(async () => expect(await top()).toBe(end - 20))
    await answer.evaluate((element) =>
      getSelection()?.setBaseAndExtent(element.firstChild!, 0, element.firstChild!, 12),
    )
    await grow()
    expect(await top()).toBe(end - 20)
    expect((await page.evaluate(() => getSelection()?.toString()))?.length).toBe(12)
    await page.mouse.wheel(0, 9_000)
    await eventually(async () => expect(await gap()).toBeLessThanOrEqual(1))
    await grow()
    expect(await gap()).toBeLessThanOrEqual(1)

    // The user wins over text that grows in that very moment, too.
    lines.keepTalking(onTestFinished)
    await page.mouse.wheel(0, -20)
    await eventually(async () => expect(await gap()).toBeGreaterThan(60))
    const before = await top()
    await bubble.button('Stop').click()
    await reaches(answer, 'interrupted')
    expect(await top()).toBeLessThanOrEqual(before)
    fake.answers([{ content: 'Pebble.' }])
    await bubble.ask('What is its name?')
    await reaches(bubble.answers.nth(1), 'done')
    expect(await gap()).toBeLessThanOrEqual(1)
  })

  test.each(['light', 'dark'] as const)('bubble: is accessible in the %s', async (colorScheme) => {
    const page = await open({ colorScheme })
    const bubble = bubbleOf(page)
    expect(await accessFaults(page)).toEqual([])
    await bubble.open()
    await bubble.ask(story)
    await grown(bubble.answers.first(), 120)
    expect(await accessFaults(page)).toEqual([])
    await bubble.button('Stop').click()
    await reaches(bubble.answers.first(), 'interrupted')
    expect(await accessFaults(page)).toEqual([])
    await bubble.ask('What sights are there in Paris?')
    await grown(bubble.answers.nth(1), 80)
    await keepScreenshot(page, colorScheme)
  })

  test('bubble: fills a phone, and does not open its keyboard by itself', async () => {
    const phone = { width: 375, height: 700 }
    const page = await open({ viewport: phone, hasTouch: true, isMobile: true })
    const bubble = bubbleOf(page)
    await keepScreenshot(page, 'phone-closed')
    await bubble.launcher.tap()
    await bubble.panel.waitFor()
    expect(await bubble.input.evaluate((input: HTMLElement) => input.matches(':focus'))).toBe(false)
    expect(await bubble.panel.evaluate((panel: HTMLElement) => panel.matches(':focus'))).toBe(true)
    await bubble.ask(story)
    await grown(bubble.answers.first(), 150)
    expect(await bubble.panel.boundingBox()).toEqual({ x: 0, y: 0, ...phone })
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(phone.width)
    expect(await accessFaults(page)).toEqual([])
    await keepScreenshot(page, 'phone')
    await bubble.button('Close').tap()
    expect(await bubble.launcher.evaluate((launcher: HTMLElement) => launcher.matches(':focus'))).toBe(true)
  })

  test('bubble: its page themes it by properties and parts', async () => {
    const page = await open({ colorScheme: 'dark' })
    const bubble = bubbleOf(page)
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(`
        midstream-chat { color-scheme: light; --midstream-accent: rgb(10, 90, 60); --midstream-radius: 0px }
        midstream-chat::part(heading) { text-transform: uppercase }
        button { background: red; display: none }`)
      document.adoptedStyleSheets = [sheet]
    })
    await bubble.open()
    const style = (part: string, property: string): Promise<string> =>
      bubble.host
        .locator(`.${part}`)
        .evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property)
    expect(await style('launcher', 'background-color')).toBe('rgb(10, 90, 60)')
    expect(await style('panel', 'background-color')).toBe('rgb(255, 255, 255)')
    expect(await style('panel', 'border-radius')).toBe('0px')
    expect(await style('heading', 'text-transform')).toBe('uppercase')
    await keepScreenshot(page, 'themed')
  })

  test('bubble: works in a blog of another origin that the gateway lists, and in no other', async () => {
    let gatewayUrl = ''
    const blog = createServer((_, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      response.end(`<!doctype html><html lang="en"><title>Another blog</title><link rel="icon" href="data:,">
        <script type="module" src="${gatewayUrl}/midstream-chat.js"></script>
        <midstream-chat endpoint="${gatewayUrl}/api/chat"></midstream-chat></html>`)
    })
    await new Promise<void>((resolve) => blog.listen(0, '127.0.0.1', resolve))
    const { port } = blog.address() as AddressInfo
    const listed = `http://localhost:${port}`
    const own = await startBlogServer(
      '--port',
      '0',
      '--upstream',
      nano.url,
      '--model',
      'nano',
      '--allow-origin',
      listed,
    )
    onTestFinished(async () => {
      blog.closeAllConnections()
      blog.close()
      await own.end('SIGKILL')
    })
    gatewayUrl = own.url
    const page = await open({}, listed)
    const bubble = bubbleOf(page)
    await bubble.open()
    await bubble.ask(story)
    await grown(bubble.answers.first(), 40)
    await bubble.button('Stop').click()
    await reaches(bubble.answers.first(), 'interrupted')
    await nano.idle()

    const refused = await fetch(`${own.url}/api/chat`, {
      method: 'POST',
      headers: { origin: `http://127.0.0.1:${port}` },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] }),
    })
    expect(refused.status).toBe(403)
  })
})
