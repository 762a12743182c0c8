import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BotReply, PlatformRoute } from './platform.ts'

/** What is served, and where. */
export interface ServeOptions {
  /** By path, such as `/dingtalk`. */
  readonly routes: Readonly<Record<string, PlatformRoute>>
  readonly port: number
  readonly host: string
  /** Longest time for a callback to arrive whole, ms. @defaultValue 10000 */
  readonly requestTimeoutMs?: number | undefined
}

/** A server that listens. */
export interface Served {
  readonly url: string
  /**
   * Waits a little for what is being shown, still answering: a platform may have to ask for it. Then it closes every
   * connection.
   */
  close(): Promise<void>
}

/** What is not said otherwise. */
export const serveDefaults: Readonly<{ requestTimeoutMs: number }> = Object.freeze({ requestTimeoutMs: 10_000 })

/** Largest body of a callback, bytes: a message of a person is far from it. */
const maxBodyBytes = 262_144

/** How long the last updates may take, ms. */
const graceMs = 3_000

/**
 * Serves the callbacks of all platforms.
 * @throws {Error} When the port is taken or may not be used.
 */
export async function serve(options: ServeOptions): Promise<Served> {
  const { routes, port, host, requestTimeoutMs = serveDefaults.requestTimeoutMs } = options
  const timeouts = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    // Node looks every 30 s unless it is told otherwise, so that ten could be forty.
    connectionsCheckingInterval: requestTimeoutMs / 10,
  }
  const server = createServer(timeouts, (request, response) => {
    void answer(routes, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { address, family, port: taken } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    async close() {
      const shown = Promise.all(Object.values(routes).map((route) => route.shown()))
      let force: NodeJS.Timeout | undefined
      await Promise.race([shown, new Promise((resolve) => (force = setTimeout(resolve, graceMs)))])
      clearTimeout(force)
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

async function answer(
  routes: ServeOptions['routes'],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://bot.internal')
  const route = routes[url.pathname]
  if (!route) return send(response, { status: url.pathname === '/healthz' ? 200 : 404 })
  const body = await readBody(request)
  if (body === undefined) {
    // What is left of it is thrown away, for as long as a request may take: a closed socket would hide the answer.
    request.resume()
    response.setHeader('connection', 'close')
    return send(response, { status: 413 })
  }
  const header = (name: string): string | null => {
    const value = request.headers[name]
    return typeof value === 'string' ? value : null
  }
  send(response, await route({ method: request.method ?? 'GET', url, header, body }))
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBodyBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, { status, type, body = '' }: BotReply): void {
  response.writeHead(status, { ...(type && { 'content-type': `${type}; charset=utf-8` }) }).end(body)
}
