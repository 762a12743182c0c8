import type { IncomingMessage, ServerResponse } from 'node:http'
import serveStatic from 'serve-static'

/** A bundler's name for a file: what is in it is in its name. */
const hashed = /^\/assets\/.*[.-](?=[\w-]*\d)[\w-]{8,}\.\w+$/

/**
 * Serves a folder: its files as they are now, `index.html` for a folder of it, nothing above it, nothing that begins with a
 * dot. A browser asks each time whether a file has changed, but for those whose names tell.
 */
export function staticFiles(folder: string): (request: IncomingMessage, response: ServerResponse) => void {
  const serve = serveStatic(folder, {
    dotfiles: 'ignore',
    setHeaders(response, path) {
      const url = path.slice(folder.length).replaceAll('\\', '/')
      response.setHeader('x-content-type-options', 'nosniff')
      response.setHeader('cache-control', hashed.test(url) ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  return (request, response) =>
    serve(request, response, (error?: unknown) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') sendText(response, 405, { allow: 'GET, HEAD' })
      else sendText(response, error === undefined ? 404 : 500)
    })
}

const words: Readonly<Record<number, string>> = {
  200: 'ok',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  500: 'failed',
  503: 'not ready',
}

/** A status with its name, for programs and for people with curl. */
export function sendText(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  text: string = words[status] ?? '',
): void {
  // What broke off in the middle can only be cut.
  if (response.headersSent) return void response.destroy()
  const body = `${text}\n`
  const own = {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  }
  response.writeHead(status, { ...own, ...headers }).end(body)
}
