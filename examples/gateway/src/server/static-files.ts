import { constants } from 'node:fs'
import { open, realpath, stat, type FileHandle } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAbsolute, join, relative, sep } from 'node:path'
import serveStatic from 'serve-static'

/** A bundler's name for a file: what is in it is in its name. */
const hashed = /^\/assets\/.*[.-](?=[\w-]*\d)[\w-]{8,}\.\w+$/

/**
 * Serves a folder: its files as they are now, `index.html` for a folder of it, nothing that begins with a dot, and nothing
 * outside of it, also where a link in it leads there. A browser asks each time whether a file has changed, but for those whose
 * names tell.
 */
export function staticFiles(folder: string): (request: IncomingMessage, response: ServerResponse) => void {
  const refuse = (request: IncomingMessage, response: ServerResponse, error?: unknown): void => {
    if (request.method !== 'GET' && request.method !== 'HEAD') sendText(response, 405, { allow: 'GET, HEAD' })
    else sendText(response, error === undefined ? 404 : 500)
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const found = await openInside(folder, request.url ?? '/')
    if (found === undefined) return refuse(request, response)
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(request, response)
    if ('location' in found) return sendText(response, 301, { location: found.location }, found.location)
    const { handle } = found
    if (response.destroyed) return handle.close()
    response.once('close', () => void handle.close())
    // Passed on to `fs.createReadStream`: of what was looked at, not of what has its name by then.
    const source = { fd: handle }
    const serve = serveStatic(folder, {
      dotfiles: 'ignore',
      setHeaders(_response, path) {
        const url = path.slice(folder.length).replaceAll('\\', '/')
        response.setHeader('x-content-type-options', 'nosniff')
        response.setHeader('cache-control', hashed.test(url) ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
      ...source,
    })
    serve(request, response, (error?: unknown) => refuse(request, response, error))
  }
  return (request, response) => void answer(request, response).catch((error) => refuse(request, response, error))
}

type Found = { readonly handle: FileHandle } | { readonly location: string }

/** Opens what a request asks for, if it lies in the folder, once every link is followed. A folder has its slash, or gets it. */
async function openInside(folder: string, target: string): Promise<Found | undefined> {
  const asked = pathOf(target)
  if (asked === undefined) return undefined
  const path = join(folder, asked.endsWith('/') ? `${asked}index.html` : asked)
  // A pipe would be waited for.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const [opened, root, real] = await Promise.all([handle.stat(), realpath(folder), realpath(path)])
    const now = await stat(real)
    const way = relative(root, real)
    const isInside = !isAbsolute(way) && way.split(sep).every((step) => !step.startsWith('.'))
    const isSame = now.ino === opened.ino && now.dev === opened.dev
    if (isInside && isSame && opened.isFile()) return { handle }
    await handle.close()
    // One slash at its beginning: two would name another host.
    const location = encodeURI(`/${asked.replace(/^\/+/, '')}/`)
    return isInside && isSame && opened.isDirectory() ? { location } : undefined
  } catch {
    // It was there a moment ago.
    await handle.close()
    return undefined
  }
}

/** The path of a request target, as it is looked for; undefined for one that names no file. */
function pathOf(target: string): string | undefined {
  try {
    const path = decodeURIComponent(target.split(/[?#]/, 1)[0] ?? '')
    return path.startsWith('/') && !path.includes('\0') ? path : undefined
  } catch {
    return undefined
  }
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
