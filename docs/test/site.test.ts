import type { Browser, Page } from 'playwright-core'
import type { Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chromiumPath, keepScreenshot, launchBrowser, openPage, serveSite } from './support/site.ts'

let server: Server
let url: string
let browser: Browser

beforeAll(async () => {
  if (chromiumPath === null) return
  ;({ server, url } = await serveSite())
  browser = await launchBrowser()
})
afterAll(async () => {
  if (chromiumPath === null) return
  await browser.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

/** What one page has: where its links lead, and the places that links can lead to. */
interface Seen {
  readonly isThere: boolean
  readonly links: readonly string[]
  readonly places: ReadonlySet<string>
}

async function look(page: Page, path: string): Promise<Seen> {
  const response = await page.goto(url + path)
  await page.locator('#app .Layout').waitFor()
  const links = await page.locator('a[href]').evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href))
  const places = await page.locator('[id]').evaluateAll((all) => all.map(({ id }) => id))
  return { isThere: response?.status() === 200, links: [...new Set(links)], places: new Set(places) }
}

const leads = (to: Seen | undefined, hash: string): boolean =>
  to?.isThere === true && (hash === '' || to.places.has(hash.slice(1)))

test.skipIf(chromiumPath === null)(
  'site: every link inside leads to a page and a place that are there, and no page complains',
  async () => {
    const { page, faults } = await openPage(browser)
    const seen = new Map<string, Seen>()
    const waiting = ['/']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (seen.has(path)) continue
      seen.set(path, await look(page, path))
      for (const link of seen.get(path)?.links ?? []) {
        const { origin, pathname } = new URL(link)
        if (origin === url) waiting.push(pathname)
      }
    }
    const dead = [...seen].flatMap(([path, { links }]) =>
      links
        .map((link) => new URL(link))
        .filter(({ origin, pathname, hash }) => origin === url && !leads(seen.get(pathname), decodeURIComponent(hash)))
        .map(({ href }) => `${path} -> ${href.slice(url.length)}`),
    )
    expect(dead).toEqual([])
    expect(faults).toEqual([])
    const pages = [...seen.keys()]
    for (const path of ['/guide/ai-sdk.html', '/reference/options.html', '/compare.html', '/zh/guide/express.html'])
      expect(pages).toContain(path)
    expect(pages.length).toBeGreaterThan(25)
    await page.context().close()
  },
  120_000,
)

const looks = [
  ['light', { colorScheme: 'light', viewport: { width: 1280, height: 900 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1280, height: 900 } }],
  ['phone', { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, deviceScaleFactor: 2 }],
] as const

test.skipIf(chromiumPath === null).each(looks)(
  'site: in %s the start page and the picture fit, and the picture has the page’s colours',
  async (name, options) => {
    const { page, faults } = await openPage(browser, options)
    for (const [shot, path] of [
      ['start', '/'],
      ['interrupt', '/guide/interrupt.html'],
      ['options', '/reference/options.html'],
      ['compare', '/compare.html'],
      ['wire', '/reference/wire.html'],
      ['chinese-start', '/zh/'],
      ['chinese', '/zh/guide/express.html'],
    ] as const) {
      await look(page, path)
      const { scrollWidth, clientWidth } = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement
        return { scrollWidth, clientWidth }
      })
      expect(scrollWidth, `${path} is wider than the screen`).toBeLessThanOrEqual(clientWidth)
      await keepScreenshot(page, `${shot}-${name}`)
    }
    await look(page, '/guide/interrupt.html')
    const ink = await page
      .locator('.run-log .ink')
      .first()
      .evaluate((word) => getComputedStyle(word).fill)
    const text = await page
      .locator('.vp-doc p')
      .first()
      .evaluate((word) => getComputedStyle(word).color)
    expect(ink).toBe(text)
    expect(faults).toEqual([])
    await page.context().close()
  },
  60_000,
)

test.skipIf(chromiumPath === null)('site: on a phone a default is called so, and what is required is not', async () => {
  const { page, faults } = await openPage(browser, looks[2][1])
  await look(page, '/reference/options.html')
  const labels = await page.locator('.options td:nth-child(2)').evaluateAll((cells) =>
    cells.map((cell) => {
      const { content } = getComputedStyle(cell, '::before')
      const said = cell.textContent?.trim() ?? ''
      return { said, content }
    }),
  )
  const isRequired = ({ said }: { said: string }): boolean => said === 'required' || said === 'one of these'
  expect(labels.filter(isRequired).length).toBeGreaterThan(10)
  expect(new Set(labels.filter(isRequired).map(({ content }) => content))).toEqual(new Set(['none']))
  const others = labels.filter((label) => !isRequired(label))
  expect(new Set(others.map(({ content }) => content))).toEqual(new Set(['"default: "']))
  expect(faults).toEqual([])
  await page.context().close()
})

test.skipIf(chromiumPath === null).each([320, 390, 768, 1280])(
  'site: at %i px the heading of the Chinese start page breaks between words, and its picture is Chinese',
  async (width) => {
    const { page, faults } = await openPage(browser, { viewport: { width, height: 900 } })
    await look(page, '/zh/')
    const lines = await page.locator('.VPHero .text').evaluate((heading) => {
      const range = document.createRange()
      const placed = [...heading.childNodes].flatMap((words) =>
        Array.from(words.textContent ?? '', (character, at) => {
          range.setStart(words, at)
          range.setEnd(words, at + 1)
          return { character, top: Math.round(range.getBoundingClientRect().top) }
        }),
      )
      const lines = Object.groupBy(placed, ({ top }) => String(top))
      return Object.values(lines).map((line = []) => line.map(({ character }) => character).join(''))
    })
    expect([['可以随时打断的流式对话'], ['可以随时打断的', '流式对话']]).toContainEqual(lines)
    expect(await page.locator('.VPHero .run-log title').textContent()).toBe('回答是日志，连接是游标')
    expect(faults).toEqual([])
    await page.context().close()
  },
)

test.skipIf(chromiumPath === null)('site: the search finds an option by its name, without a service', async () => {
  const { page, faults } = await openPage(browser)
  await look(page, '/')
  await page.locator('.VPNavBarSearch button').first().click()
  await page.locator('#localsearch-input').fill('firstDeltaMs')
  await page.locator('.VPLocalSearchBox .result').first().waitFor()
  const hrefs = await page
    .locator('.VPLocalSearchBox .result')
    .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href))
  expect(hrefs.some((href) => href.includes('/reference/options.html'))).toBe(true)
  expect(faults).toEqual([])
  await page.context().close()
})
