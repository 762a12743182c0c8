import type { Browser, Page } from 'playwright-core'
import { storedChat, storedKey } from '@midstream/test-support/stored-chat'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hostile } from '../../page-parts/test/support/hostile.ts'
import { chromiumPath, keepScreenshot, launchBrowser, openPage } from './support/browser.ts'
import { startChatServer, type ChatServer } from './support/chat-server.ts'
import { eventually, replies, say, textOf } from './support/conversation.ts'
import { startFakeOllama, type FakeOllama, type Line } from './support/fake-ollama.ts'

const after = '\n\nAnd **then**.'

/** What a script counts: how many characters the page's scripts look at, one by one. */
declare global {
  var looks: number
}

/** One of each kind; the unit tests of the measure have them all. */
const kinds = [
  'quotes in quotes',
  'items in items',
  'stars',
  'pictures in pictures',
  'headings, underlined',
  'a wide table with short rows',
  'a fence that is HTML',
  'blocks',
]

/** In a few pieces, so that the text grows. */
const inPieces = (text: string): Line[] =>
  Array.from({ length: 5 }, (_, i) => ({
    content: text.slice((i * text.length) / 5, ((i + 1) * text.length) / 5),
  })).filter(({ content }) => content !== '')

describe.skipIf(chromiumPath === null)('hostile text in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser
  let model: FakeOllama
  let server: ChatServer
  let page: Page

  beforeAll(async () => {
    model = await startFakeOllama()
    const flags = ['--port', '0', '--upstream', model.url]
    ;[server, browser] = await Promise.all([startChatServer(flags), launchBrowser()])
  })
  afterEach(async () => {
    await page.context().close()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.end('SIGTERM')
    await model?.close()
  })

  test.each(kinds.map((name) => [name, hostile[name]!] as const))(
    'page: %s are shown as they are written, cheaply, and what follows as Markdown',
    async (_, make) => {
      page = await openPage(browser, server.url)
      const faults: string[] = []
      page.on('pageerror', (error) => faults.push(error.message))
      await page.evaluate(() => {
        const charCodeAt = Object.getOwnPropertyDescriptor(String.prototype, 'charCodeAt')!.value as (
          at: number,
        ) => number
        globalThis.looks = 0
        // oxlint-disable-next-line eslint/no-extend-native
        String.prototype.charCodeAt = function (at) {
          globalThis.looks += 1
          return charCodeAt.call(this, at)
        }
      })
      // A carriage return would not come back as it was.
      const text = make(30_000)
      model.answers(inPieces(text + after))
      await say(page, 'Go on')
      const reply = replies(page).last()
      await eventually(async () => expect(await reply.getAttribute('data-state')).toBe('done'))
      expect(await page.evaluate(() => globalThis.looks)).toBeLessThan(60 * text.length)
      expect(faults).toEqual([])
      await page.reload()
      await eventually(async () => expect(await textOf(replies(page).last()).innerText()).toMatch(/And (\*\*)?then/))
    },
  )

  test('page: what is shown as it is written is all there, beside what is Markdown', async () => {
    page = await openPage(browser, server.url)
    model.answers(inPieces(`# Title\n\n${'>'.repeat(1_800)} x\n\n- **a**\n- b`))
    await say(page, 'Go on')
    const reply = replies(page).last()
    await eventually(async () => expect(await reply.getAttribute('data-state')).toBe('done'))
    expect(await textOf(reply).getByTestId('as-written').innerText()).toBe(`${'>'.repeat(1_800)} x`)
    expect(await textOf(reply).locator('h1, li, strong').allInnerTexts()).toEqual(['Title', 'a', 'a', 'b'])
    await keepScreenshot(page, 'hostile')
  })

  const poisoned: readonly (readonly [name: string, stored: string])[] = [
    ['no JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['messages that are none', storedChat('x')],
    ['a message that is null', storedChat([null])],
    [
      'a thought that is an object',
      storedChat([{ id: 'a', role: 'assistant', state: 'done', content: 'b', thinking: { c: 1 } }]),
    ],
    ['an error that is null', storedChat([{ id: 'a', role: 'assistant', state: 'failed', content: 'b', error: null }])],
    ['a text that is an object', storedChat([{ id: 'a', role: 'user', state: 'done', content: { c: 1 } }])],
    [
      'data that are none',
      storedChat([{ id: 'a', role: 'assistant', state: 'done', content: 'b', data: 1, toolCalls: 1 }]),
    ],
    ['one id twice', storedChat([1, 2].map(() => ({ id: 'a', role: 'user', state: 'done', content: 'b' })))],
  ]
  test.each(poisoned)('page: a stored chat that holds %s blanks nothing, and a chat goes on', async (_, stored) => {
    page = await openPage(browser, server.url)
    await page.evaluate(([key, value]) => localStorage.setItem(key, value), [storedKey, stored] as const)
    await page.reload()
    const clear = page.getByTestId('clear')
    await clear.waitFor()
    if (await clear.isEnabled()) await clear.click()
    model.answers([{ content: 'Here I am.' }])
    await say(page, 'Go on')
    await eventually(async () => expect(await textOf(replies(page).last()).innerText()).toBe('Here I am.'))
  })
})
