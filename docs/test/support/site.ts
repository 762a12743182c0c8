import { requireProgram } from '@midstream/test-support'
import { existsSync, mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** Null where it is missing: the tests skip, and say what to install. */
export const chromiumPath: string | null = requireProgram('chromium', 'apt-get install chromium fonts-wqy-microhei')

const built = join(import.meta.dirname, '../../.vitepress/dist')
const artifacts = join(import.meta.dirname, '../../../artifacts')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://site.test')
  const path = decodeURIComponent(pathname.endsWith('/') ? `${pathname}index.html` : pathname)
  const headers = { 'content-type': types[extname(path)] ?? 'application/octet-stream' }
  const file = await readFile(join(built, path)).catch(() => undefined)
  response.writeHead(file ? 200 : 404, headers).end(file ?? '<div id="app"><p class="Layout">404</p></div>')
}

/** The built site, as any static host serves it. @throws {Error} When it is not built. */
export async function serveSite(): Promise<{ readonly server: Server; readonly url: string }> {
  if (!existsSync(join(built, 'index.html'))) throw new Error('the site is not built: run `npm run docs` first')
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export function launchBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync']
  return chromium.launch({ executablePath: chromiumPath ?? '', headless: true, args })
}

/** A page whose complaints are kept: what it threw, what it printed as an error, and what it asked for in vain. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const context = await browser.newContext({ locale: 'en-GB', colorScheme: 'light', ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${page.url()}: ${message.text()}`)
  })
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url())
    if (hostname !== '127.0.0.1' && protocol.startsWith('http')) faults.push(`asks elsewhere: ${request.url()}`)
  })
  return { page, faults }
}

/** Keeps a screenshot for people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true })
  await page.screenshot({ path: join(artifacts, `docs-${name}.png`) })
}
