import type { Gateway } from '@midstream/core/gateway'
import { toNodeListener } from '@midstream/core/node'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Config } from '../config/config.ts'
import type { ConnectionWatch } from '../watch/connections.ts'
import { isProbe } from './hosts.ts'
import { sendText } from './static-files.ts'

/** What a server answers with. */
interface Answers {
  readonly gateway: Gateway
  /** The same for connections that are over the limit. */
  readonly crowded: Gateway
  /** Whether it may be asked by that name. The chat looks by itself. */
  serves(host: string | undefined): boolean
  /** Paths for those who watch over it, e.g. `/healthz`: probes may ask by address, too. */
  readonly pages: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>>
  /** Everything else. */
  rest(request: IncomingMessage, response: ServerResponse): void
  /** What is asked by another name. */
  refuse(request: IncomingMessage, response: ServerResponse): void
}

/**
 * A server with the limits of the file. It answers nothing until `answerWith` is called, which has to be in the step that
 * follows `listen`: only then the port is known.
 */
export interface HttpServer {
  /** @throws {Error} In one sentence, when the port or the address cannot be had. */
  listen(): Promise<number>
  answerWith(answers: Answers): void
  /** How many there are. */
  readonly connections: number
  readonly server: Server
}

export function createHttpServer(
  { server: { port, host }, limits }: Pick<Config, 'server' | 'limits'>,
  watch: ConnectionWatch,
): HttpServer {
  const server = createServer({
    headersTimeout: limits.header_ms,
    requestTimeout: limits.request_ms,
    keepAliveTimeout: limits.idle_ms,
    // How often those are looked at; Node's own default is 30 s.
    connectionsCheckingInterval: Math.min(1_000, limits.header_ms),
  })
  // Those that are over the limit are told so, as long as they are not too many for that, too.
  server.maxConnections = limits.connections * 2
  const surplus = new WeakSet<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    socket.once('close', () => (connections -= 1))
    if (connections <= limits.connections) return
    surplus.add(socket)
    watch.crowded()
  })
  server.on('drop', () => watch.dropped())
  return {
    server,
    get connections() {
      return connections
    },
    async listen() {
      server.listen(port, host)
      await once(server, 'listening').catch((error: Error) => {
        throw listenError(error, port, host)
      })
      server.on('error', (error) => watch.failed(error))
      return (server.address() as AddressInfo).port
    },
    answerWith({ gateway, crowded, serves, pages, rest, refuse }) {
      const chat = toNodeListener(gateway)
      const crowdedChat = toNodeListener(crowded)
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        const isSurplus = surplus.has(request.socket)
        if (isSurplus) response.setHeader('connection', 'close')
        endWhenUnread(response, limits.unread_ms)
        const path = /^[^?#]*/.exec(request.url ?? '')?.[0] ?? ''
        const page = Object.hasOwn(pages, path) ? pages[path] : undefined
        const isServed = serves(request.headers.host)
        if (page) {
          if (!isServed && !isProbe(request.headers.host)) return refuse(request, response)
          if (request.method !== 'GET' && request.method !== 'HEAD')
            return sendText(response, 405, { allow: 'GET, HEAD' })
          return void page(request, response).catch(() => sendText(response, 500))
        }
        // Not before the pages: whoever watches must not take a full program for a dead one.
        if (isSurplus)
          return crowdedChat(request, response, () =>
            sendText(response, 503, { 'retry-after': '1' }, 'too many connections'),
          )
        chat(request, response, () => (isServed ? rest : refuse)(request, response))
      })
    },
  }
}

/** A client that takes nothing of what waits for it is gone, or means harm. One that waits for a slow answer is neither. */
function endWhenUnread(response: ServerResponse, unreadMs: number): void {
  response.setTimeout(unreadMs, () => {
    if (response.socket && response.socket.writableLength > 0) response.destroy()
  })
}

function listenError(error: Error, port: number, host: string): Error {
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new Error(`port ${port} is taken: choose another by server.port, or end what listens there`, {
      cause: error,
    })
  if (code === 'EACCES')
    return new Error(`port ${port} needs more rights: choose one from 1024 up by server.port`, { cause: error })
  return new Error(`cannot listen at server.host ${host}: is it an address of this machine? (${error.message})`, {
    cause: error,
  })
}
