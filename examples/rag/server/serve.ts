import type { Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { createServer } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import sirv from 'sirv'

/** What is served, and where. */
export interface ServeOptions {
  readonly gateway: Gateway
  /** The folder of the built page. */
  readonly page: string
  readonly port: number
  readonly host: string
}

/** A server that listens. */
export interface Served {
  /** What to type into a browser. */
  readonly url: string
  close(): Promise<void>
}

/** The page loads its own files and talks to its own server; nothing inline, nothing remote. */
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * Serves the page, and the gateway beside it, from one origin.
 * @throws {Error} When the port is taken or may not be used.
 */
export async function serve({ gateway, page, port, host }: ServeOptions): Promise<Served> {
  const answer = toNodeListener(gateway)
  const files = sirv(page, {
    etag: true,
    setHeaders(response) {
      response.setHeader('Content-Security-Policy', policy)
      response.setHeader('X-Content-Type-Options', 'nosniff')
      response.setHeader('Referrer-Policy', 'no-referrer')
      response.setHeader('Cache-Control', 'no-cache')
    },
  })
  const isPrivate = isLoopback(host)
  const server = createServer((request, response) => {
    const refuse = (status: number, why: string): void =>
      void response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${why}\n`)
    // A foreign name at a loopback address: somebody's page points its own domain here, to read the documents.
    if (isPrivate && !isLocalName(request.headers.host))
      return refuse(403, 'At this address only local names are answered.')
    answer(request, response, () => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'The page is only read.')
      files(request, response, () => refuse(404, 'Not found'))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, port))).listen(port, host, resolve)
  })
  const name = isPrivate || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return {
    url: `http://${name.includes(':') ? `[${name}]` : name}:${(server.address() as AddressInfo).port}`,
    async close() {
      await gateway.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // The last frames get out first; after that nobody is waited for.
      const force = setTimeout(() => server.closeAllConnections(), 500)
      server.closeIdleConnections()
      await closed
      clearTimeout(force)
    },
  }
}

function listenError(error: Error, port: number): Error {
  if (!('code' in error) || error.code !== 'EADDRINUSE') return error
  return new Error(`port ${port} is taken: choose another with --port N`, { cause: error })
}

const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || address.startsWith('127.')

function isLocalName(host = ''): boolean {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replaceAll(/^\[|\]$/g, '')) !== 0
}
