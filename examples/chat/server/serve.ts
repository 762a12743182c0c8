import type { Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isLocalHost, isLoopback } from './local-host.ts'
import { pageFiles } from './page-files.ts'

/** What is served, and where. */
export interface ServeOptions {
  readonly gateway: Gateway
  /** The folder of the built page. */
  readonly folder: string
  readonly port: number
  readonly host: string
}

/** A server that listens. */
export interface Served {
  /** What to type into a browser. */
  readonly url: string
  /** Ends what runs, lets its last frames out, and closes every connection. */
  close(): Promise<void>
}

/** How long connections may take to end by themselves, ms. */
const graceMs = 1_000

/**
 * Serves the page, and the gateway beside it, from one origin.
 * @throws {Error} When the port is taken or may not be used.
 */
export async function serve({ gateway, folder, port, host }: ServeOptions): Promise<Served> {
  const answer = toNodeListener(gateway)
  const page = pageFiles(folder)
  const server = createServer((request, response) => {
    if (isLoopback(host) && !isLocalHost(request.headers.host)) {
      const why = 'At this address only local names are answered; --host 0.0.0.0 answers every name.\n'
      return void response.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8' }).end(why)
    }
    answer(request, response, () => page(request, response))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, port, host)))
    server.listen(port, host, resolve)
  })
  return {
    url: addressOf(host, (server.address() as AddressInfo).port),
    async close() {
      await gateway.close()
      // Node closes the connections that are idle now; those that get idle later are kept alive for their client.
      const idle = setInterval(() => server.closeIdleConnections(), 20)
      const force = setTimeout(() => server.closeAllConnections(), graceMs)
      await new Promise<void>((resolve) => server.close(() => resolve()))
      clearInterval(idle)
      clearTimeout(force)
    },
  }
}

function listenError(error: Error, port: number, host: string): Error {
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new Error(`port ${port} is taken: choose another with --port N`, { cause: error })
  if (code === 'EACCES')
    return new Error(`port ${port} needs more rights: choose another with --port N`, { cause: error })
  return new Error(`cannot listen at --host ${host}: ${error.message}`, { cause: error })
}

function addressOf(host: string, port: number): string {
  const name = isLoopback(host) || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
