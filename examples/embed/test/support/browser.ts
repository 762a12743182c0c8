import { requireProgram } from '@midstream/test-support'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** Null where it is missing: the tests skip, and say what to install. */
export const chromiumPath: string | null = requireProgram('chromium', 'apt-get install chromium fonts-wqy-microhei')

const flags = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync']

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath ?? '', headless: true, args: flags })
}

/** The pages of one test. */
export interface BlogPages {
  /** Each has storage and a language of its own. */
  open(url: string, options?: BrowserContextOptions): Promise<Page>
  /** @throws {Error} When one of them threw or complained, but for answers and connections that failed. */
  close(): Promise<void>
}

export function createBlogPages(browser: Browser): BlogPages {
  const pages: Page[] = []
  const faults: string[] = []
  return {
    async open(url, options) {
      const context = await browser.newContext({
        locale: 'en-GB',
        colorScheme: 'light',
        viewport: { width: 1000, height: 760 },
        ...options,
      })
      const page = await context.newPage()
      pages.push(page)
      page.on('pageerror', (error) => faults.push(error.message))
      page.on('console', (message) => {
        const text = message.text()
        if (/error|warning/.test(message.type()) && !text.startsWith('Failed to load resource')) faults.push(text)
      })
      await page.goto(url)
      await page.waitForFunction(() => customElements.get('midstream-chat'))
      return page
    },
    async close() {
      await Promise.all(pages.splice(0).map((page) => page.context().close()))
      if (faults.length > 0) throw new Error(`the page complained: ${faults.splice(0).join(', ')}`)
    },
  }
}

const artifacts = fileURLToPath(new URL('../../../../artifacts/', import.meta.url))

/** Keeps a screenshot for people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true })
  await page.screenshot({ path: `${artifacts}embed-${name}.png` })
}
