import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** An empty page that loads the built client as modules, and runs a script. */
export const clientPage = (title: string, script: string): string => `<!doctype html><title>${title}</title>
<script type="importmap">${JSON.stringify({
  imports: {
    '@midstream/client': '/packages/client/dist/index.js',
    '@midstream/core': '/packages/core/dist/index.js',
    'eventsource-parser': '/packages/core/node_modules/eventsource-parser/dist/index.js',
  },
})}</script>
<script type="module">
${script}
</script>`

/** Answers with the page, or with a module that it loads. */
export function servePage({ url = '/' }: IncomingMessage, response: ServerResponse, html: string): void {
  const isFile = /^\/packages\/(client|core)\/[\w/.-]+\.js$/.test(url) && !url.includes('..')
  response.setHeader('content-type', isFile ? 'text/javascript' : 'text/html')
  response.end(isFile ? readFileSync(root + url) : html)
}

/** Listens on a free port until the test is over. @returns The origin. */
export async function listen(on: TestContext['onTestFinished'], listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  on(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
