import type { Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import sirv from 'sirv'

/** A server that listens. */
export interface Served {
  readonly url: string
  /** Ends what runs, lets its last frames out, and closes every connection. */
  close(): Promise<void>
}

/** How long connections may take to end by themselves, ms. */
const graceMs = 1_000

/**
 * What a careful blog allows: its own files, nothing inline, nothing remote. The bubble works under it.
 */
const contentSecurityPolicy =
  "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"

/**
 * Serves a folder of static files, and the gateway beside it, on this machine only.
 * @throws {Error} When the port is taken or may not be used.
 */
export async function serve(gateway: Gateway, folder: string, port: number): Promise<Served> {
  const files = sirv(folder, {
    etag: true,
    setHeaders(response, path) {
      response.setHeader('Cache-Control', 'no-cache')
      response.setHeader('Content-Security-Policy', contentSecurityPolicy)
      response.setHeader('X-Content-Type-Options', 'nosniff')
      // A module comes from another origin only when that origin says so.
      if (path === '/midstream-chat.js') response.setHeader('Access-Control-Allow-Origin', '*')
    },
  })
  const answer = toNodeListener(gateway)
  const server = createServer((request, response) => {
    // A foreign name that points here is a page on the internet that wants to pass for this one (DNS rebinding).
    if (!/^(localhost|127\.0\.0\.1)(:\d+)?$/.test(request.headers.host ?? '')) {
      return void response.writeHead(403).end('Only local names are answered here.\n')
    }
    answer(request, response, () => files(request, response, () => void response.writeHead(404).end('Not found\n')))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, port)))
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      await gateway.close()
      const force = setTimeout(() => server.closeAllConnections(), graceMs)
      await new Promise<void>((resolve) => server.close(() => resolve()))
      clearTimeout(force)
    },
  }
}

function listenError(error: Error, port: number): Error {
  const code = 'code' in error ? error.code : undefined
  const why = code === 'EADDRINUSE' ? 'is taken' : code === 'EACCES' ? 'needs more rights' : undefined
  return why === undefined ? error : new Error(`port ${port} ${why}: choose another with --port N`, { cause: error })
}
