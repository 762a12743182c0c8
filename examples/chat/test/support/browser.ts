import { requireProgram } from '@midstream/test-support'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** Null where it is missing: the tests skip, and say what to install. */
export const chromiumPath: string | null = requireProgram('chromium', 'apt-get install chromium fonts-wqy-microhei')

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath ?? '', headless: true, args: flags })
}

/** A page with what is usual in the tests here; each has storage and a language of its own. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    locale: 'en-GB',
    colorScheme: 'light',
    viewport: { width: 1180, height: 760 },
    ...options,
  })
  const page = await context.newPage()
  await page.goto(url)
  return page
}

const artifacts = fileURLToPath(new URL('../../../../artifacts/', import.meta.url))

/** Keeps a screenshot for people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true })
  await page.screenshot({ path: `${artifacts}chat-${name}.png` })
}
