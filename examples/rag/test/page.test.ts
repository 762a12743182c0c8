import { createGateway } from '@midstream/core/gateway'
import { scriptedUpstream, type ScriptedUpstream } from '@midstream/core/testing'
import { startNano, type Nano } from '@midstream/example-nano'
import { requireProgram } from '@midstream/test-support'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createPassageIndex } from '../search/passage-index.ts'
import { storedChat, storedKey } from '@midstream/test-support/stored-chat'
import type { Question } from '../search/passage.ts'
import { splitDocument } from '../search/split-document.ts'
import { serve } from '../server/serve.ts'
import { withSources } from '../upstream/with-sources.ts'
import { startRagServer, type RagServer } from './support/rag-server.ts'
import { startRecorder, type Recorder } from './support/recorder.ts'

const chromiumPath = requireProgram('chromium', 'apt-get install chromium fonts-wqy-microhei')
const artifacts = fileURLToPath(new URL('../../../artifacts/', import.meta.url))

const builtPage = fileURLToPath(new URL('../dist/page', import.meta.url))

const rabbits =
  '# House rules\n\n## Rabbits\n\nThe office rabbit is called **Pebble**.\n<b onclick="alert(1)">Every story about a rabbit begins with it.</b>\n'
const story = 'Tell me a story about a rabbit'

const replies = (page: Page): Locator => page.getByTestId('reply')
const textOf = (reply: Locator): Promise<string> => reply.getByTestId('text').innerText()
const eventually = <T>(fact: () => Promise<T>): Promise<T> => vi.waitFor(fact, { timeout: 60_000, interval: 50 })
const reaches = (reply: Locator, state: string): Promise<void> =>
  eventually(async () => expect(await reply.getAttribute('data-state')).toBe(state))

async function ask(page: Page, question: string): Promise<void> {
  await page.getByTestId('composer').fill(question)
  await page.getByTestId('composer').press('Enter')
}

describe.skipIf(chromiumPath === null)('page in Chromium', { timeout: 90_000 }, () => {
  let browser: Browser
  let nano: Nano
  let recorder: Recorder
  let server: RagServer
  let documents: string
  const faults: string[] = []

  const open = async ({ locale = 'en-GB', url = server.url } = {}): Promise<Page> => {
    const context = await browser.newContext({ locale, colorScheme: 'light', viewport: { width: 900, height: 900 } })
    const page = await context.newPage()
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    await page.goto(url)
    return page
  }
  const keepScreenshot = async (page: Page, name: string): Promise<void> => {
    await mkdir(artifacts, { recursive: true })
    await page.screenshot({ path: `${artifacts}rag-${name}.png` })
  }

  /** The page on a server of its own, where every answer says this. */
  const openAnswered = (said: string): Promise<Page> =>
    openOver(scriptedUpstream({ script: (reply) => (reply.send(said), reply.finish()) }))

  /** The page on a server of its own, whose model is a script. */
  const openOver = async (upstream: ScriptedUpstream): Promise<Page> => {
    const index = createPassageIndex()
    index.put('a.md', splitDocument('a.md', '# Eggs\n\nTwenty eggs.'))
    const source = { search: async (question: Question) => index.search(question, 5) }
    const gateway = createGateway({ upstream: withSources(upstream, source) })
    const own = await serve({ gateway, page: builtPage, port: 0, host: '127.0.0.1' })
    onTestFinished(() => own.close())
    return open({ url: own.url })
  }

  beforeAll(async () => {
    documents = await mkdtemp(join(tmpdir(), 'rag-'))
    await writeFile(join(documents, 'house-rules.md'), rabbits)
    await writeFile(join(documents, '年假.txt'), '全职员工每年享有二十天带薪年假。')
    nano = await startNano({ tokensPerSecond: 30 })
    recorder = await startRecorder(nano.url)
    const flags = ['--port', '0', '--upstream', recorder.url, '--model', 'nano', '--documents', documents]
    const launch = { executablePath: chromiumPath ?? '', args: ['--no-sandbox', '--disable-gpu'] }
    ;[server, browser] = await Promise.all([startRagServer(flags), chromium.launch(launch)])
  })
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    if (faults.length > 0) throw new Error(`the page complained: ${faults.splice(0).join(', ')}`)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.end('SIGTERM')
    await recorder?.close()
    await nano?.close()
    await rm(documents, { recursive: true, force: true })
  })

  test('page: sources stand below an answer while it streams; Stop, Continue and a follow-up keep them right', async () => {
    const page = await open()
    const posts: string[] = []
    page.on('request', (request) => posts.push(request.postData() ?? ''))
    await ask(page, story)
    const first = replies(page).first()
    await first.getByTestId('sources').waitFor()
    expect(await first.getAttribute('data-state')).toBe('streaming')
    expect(await first.locator('summary').allInnerTexts()).toEqual([
      'House rules › Rabbits house-rules.md, lines 5 to 6',
    ])
    await eventually(async () => expect((await textOf(first)).length).toBeGreaterThan(40))
    await keepScreenshot(page, 'streaming')
    await page.getByTestId('stop').click()
    await reaches(first, 'interrupted')
    expect(await page.getByTestId('composer').evaluate((field) => field === document.activeElement)).toBe(true)
    const frozen = await textOf(first)
    await nano.idle()

    const sent = recorder.chats.at(-1)!.messages.at(-1)!.content
    expect(sent).toBe(
      `[1] House rules › Rabbits (house-rules.md, lines 5 to 6)\n> The office rabbit is called **Pebble**.\n> <b onclick="alert(1)">Every story about a rabbit begins with it.</b>\n\nQuestion:\n${story}`,
    )

    await page.getByTestId('continue').click()
    await eventually(async () => expect((await textOf(first)).length).toBeGreaterThan(frozen.length + 20))
    await reaches(first, 'done')
    expect(await first.locator('summary').count()).toBe(1)
    const grown = recorder.chats.at(-1)!.messages
    expect(grown.at(-2)?.content).toBe(sent)
    expect(grown.at(-1)?.role).toBe('assistant')
    expect(frozen.startsWith(grown.at(-1)!.content)).toBe(true)

    await ask(page, '我每年有多少天年假？')
    const second = replies(page).nth(1)
    await second.getByTestId('sources').waitFor()
    await reaches(second, 'done')
    expect(await second.locator('summary').allInnerTexts()).toEqual(['年假 年假.txt, line 1'])
    expect(recorder.chats.at(-1)!.messages.at(-1)?.content).toContain('> 全职员工每年享有二十天带薪年假。')
    // Nothing of a passage is in what the page says, or in what the model is told later.
    expect(posts.join('')).not.toMatch(/Pebble|带薪/)
    expect(JSON.stringify(recorder.chats.at(-1))).not.toContain('Pebble')

    await first.locator('summary').click()
    expect(await first.locator('blockquote').innerText()).toContain('<b onclick="alert(1)">')
    await keepScreenshot(page, 'sources')
  })

  test('page: a reload in mid-answer keeps the question, its sources and the answer, which goes on; Clear forgets them', async () => {
    const upstream = scriptedUpstream()
    const page = await openOver(upstream)
    await ask(page, 'How many eggs?')
    const run = await upstream.next()
    const reply = replies(page).first()
    run.send('Twenty')
    await eventually(async () => expect(await textOf(reply)).toBe('Twenty'))
    await page.reload()
    await reply.waitFor()
    expect(await page.getByTestId('question').allInnerTexts()).toEqual(['How many eggs?'])
    expect(await reply.locator('summary').allInnerTexts()).toEqual(['Eggs a.md, line 3'])
    expect(await reply.getAttribute('data-state')).toBe('streaming')
    run.send(' eggs.')
    run.finish()
    await reaches(reply, 'done')
    await page.reload()
    expect(await textOf(reply)).toBe('Twenty eggs.')
    expect(await reply.locator('summary').allInnerTexts()).toEqual(['Eggs a.md, line 3'])
    await page.getByTestId('clear').click()
    await page.reload()
    await page.getByTestId('composer').waitFor()
    expect(await replies(page).count()).toBe(0)
  })

  test('page: a mark such as [1] in an answer leads to its source, and any other is text', async () => {
    const page = await openAnswered('Twenty [1], or more [2].')
    await ask(page, 'How many eggs?')
    await reaches(replies(page).first(), 'done')
    expect(await textOf(replies(page).first())).toBe('Twenty [1], or more [2].')
    const links = replies(page).first().locator('a')
    expect(await links.allInnerTexts()).toEqual(['[1]'])
    expect(await links.getAttribute('title')).toBe('Eggs')
    await links.click()
    expect(await page.locator('li:target summary').innerText()).toBe('Eggs a.md, line 3')
  })

  test('page: an answer is shown as Markdown; tags, pictures and addresses in it are harmless', async () => {
    const said = [
      '## Eggs\n\n**Twenty** [1][1], `[1]`, 共**二十个。**好\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n',
      '<img src="/spy?1" onerror="document.title = 1"><script>document.title = 2</script>\n\n',
      '![eggs](/spy?2) [here](https://far.example/) [run](javascript:alert(1))',
    ].join('')
    const page = await openAnswered(said)
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await ask(page, 'How many eggs?')
    await reaches(replies(page).first(), 'done')
    const text = replies(page).first().getByTestId('text')
    expect(await text.locator('strong').allInnerTexts()).toEqual(['Twenty', '二十个。'])
    expect(await text.locator('h2, td, code').allInnerTexts()).toEqual(['Eggs', '[1]', '1', '2'])
    expect(await text.innerText()).toContain('<script>document.title = 2</script>')
    expect(await text.locator('img, script').count()).toBe(0)
    const hrefs = text.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
    expect((await hrefs).slice(2)).toEqual(['/spy?2', 'https://far.example/', ''])
    expect((await hrefs).slice(0, 2).every((href) => /^#.+-1$/.test(href))).toBe(true)
    expect(requests.filter((url) => /spy|far/.test(url))).toEqual([])
    expect(await page.title()).toBe('Documents')
    await keepScreenshot(page, 'markdown')
  })

  test('page: a reply of 1 800 quotes in quotes is shown as it is written, beside what is Markdown, also after a reload', async () => {
    const quotes = `${'>'.repeat(1_800)} x`
    const page = await openAnswered(`# Title\n\n${quotes}\n\nAnd **then** [1].`)
    await ask(page, 'How many eggs?')
    const reply = replies(page).first()
    await reaches(reply, 'done')
    for (let i = 0; i < 2; i++) {
      expect(await reply.getByTestId('as-written').innerText()).toBe(quotes)
      expect(await reply.getByTestId('text').locator('h1, strong, a').allInnerTexts()).toEqual(['Title', 'then', '[1]'])
      await page.reload()
      await reply.waitFor()
    }
    await keepScreenshot(page, 'hostile')
  })

  const stored = (data: unknown): string =>
    storedChat([
      { id: 'a', role: 'user', state: 'done', content: 'How many eggs?' },
      { id: 'b', role: 'assistant', state: 'done', content: 'Twenty [1].', data },
    ])
  const sources = (told: unknown): string => stored([{ type: 'sources', sources: told }])
  const odd: readonly (readonly [what: string, stored: string, shows: string])[] = [
    ['no JSON', '{', ''],
    ['data that are none', stored(1), ''],
    ['sources that are a text', sources('x'), 'Twenty [1].'],
    ['sources that are an object', sources({ length: 1 }), 'Twenty [1].'],
    ['a source that is null', sources([null]), 'Twenty [1].'],
    ['a source of objects', sources([{ number: {}, title: {}, passage: [], file: {} }]), 'Twenty [1].'],
  ]
  test.each(odd)('page: a stored chat that holds %s blanks nothing, and a chat goes on', async (_, text, shows) => {
    const page = await openAnswered('Twenty.')
    await page.evaluate(([key, value]) => sessionStorage.setItem(key, value), [storedKey, text] as const)
    await page.reload()
    await page.getByTestId('composer').waitFor()
    const first = replies(page).first()
    if (shows !== '') await eventually(async () => expect(await first.innerText()).toContain(shows))
    // React tells the console what the boundary has caught.
    faults.splice(0)
    await ask(page, 'How many eggs?')
    await eventually(async () => expect(await textOf(replies(page).last())).toBe('Twenty.'))
    if (shows !== '') expect(await first.innerText()).toContain(shows)
  })

  test('page: says that the documents have nothing, in the language of the browser', async () => {
    const page = await open({ locale: 'zh-CN' })
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
    await ask(page, '法国的首都在哪里？')
    await replies(page).getByTestId('no-sources').waitFor()
    expect(await replies(page).getByTestId('no-sources').innerText()).toBe('文档中没有相关内容。')
    await reaches(replies(page).first(), 'done')
    await keepScreenshot(page, 'nothing')
  })
})
