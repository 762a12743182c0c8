import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { openPage } from './browser.ts'
import { composer } from './conversation.ts'

/** The pages of one test. */
export interface ChatPages {
  open(url: string, options?: BrowserContextOptions): Promise<Page>
  /** A second tab: it shares storage with the first. */
  openTab(first: Page): Promise<Page>
  /** @throws {Error} When one of them threw or complained. */
  close(): Promise<void>
}

export function createChatPages(browser: Browser): ChatPages {
  const pages: Page[] = []
  const faults: string[] = []

  const watched = async (page: Page): Promise<Page> => {
    pages.push(page)
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (/Content Security Policy|Warning:|React/.test(message.text())) faults.push(message.text())
    })
    await composer(page).waitFor()
    await page.locator('[data-testid=status]:not([data-state=connecting])').waitFor()
    return page
  }

  return {
    open: async (url, options) => watched(await openPage(browser, url, options)),
    async openTab(first) {
      const page = await first.context().newPage()
      await page.goto(first.url())
      return watched(page)
    },
    async close() {
      await Promise.all(pages.splice(0).map((page) => page.context().close()))
      if (faults.length > 0) throw new Error(`the page threw: ${faults.splice(0).join(', ')}`)
    },
  }
}
