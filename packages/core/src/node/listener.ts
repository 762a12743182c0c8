import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import type { Gateway } from '../gateway/gateway.ts'
import type { GatewayReply } from '../gateway/reply.ts'
import type { GatewayRequest } from '../gateway/request.ts'
import type { Reader } from '../read/reader.ts'
import { ChatError } from '../wire/errors.ts'

/**
 * A request listener for `node:http`, and a middleware for whatever calls `(request, response, next)`.
 * @public
 */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

/**
 * Mounts a gateway in a Node server: `createServer(toNodeListener(gateway))`, or `app.use(toNodeListener(gateway))` in
 * Express; `examples/servers` has Fastify and Koa as well. In a middleware, paths that are not the gateway's go on to `next`.
 *
 * Frames go straight into the socket, and a reader is asked for more only when the socket has room. When the socket
 * closes, the reader is given up.
 * @public
 */
export function toNodeListener(gateway: Gateway): NodeListener {
  return (request, response, next) => {
    const url = requestUrl(request)
    if (next && url.pathname !== gateway.basePath && !url.pathname.startsWith(`${gateway.basePath}/`)) return next()
    // Something else may have answered already; what then fails here must end this socket, and not the process.
    answer(gateway, request, response, url.href).catch(() => response.destroy())
  }
}

async function answer(
  gateway: Gateway,
  incoming: IncomingMessage,
  response: ServerResponse,
  url: string,
): Promise<void> {
  const request = toGatewayRequest(incoming, response, url)
  const { status, headers, body }: GatewayReply = await gateway.reply(request)
  if (body === null) return void response.writeHead(status, headers).end()
  if (typeof body === 'string') {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).write(body)
    // A socket that closes on a client which still sends its body (one that is too large, say) takes the answer with it.
    if (!incoming.complete) await discard(incoming)
    response.end()
    return
  }
  // The client may have gone while the gateway thought.
  if (request.signal.aborted) return body.cancel()
  request.signal.addEventListener('abort', () => body.cancel())
  response.writeHead(status, headers)
  response.flushHeaders()
  // Small frames at their own time: Nagle's algorithm would hold them back.
  response.socket?.setNoDelay(true)
  await pipe(body, response)
}

async function pipe(reader: Reader, response: ServerResponse): Promise<void> {
  for (let frames = await reader.next(); frames !== null; frames = await reader.next()) {
    if (!response.write(frames)) await drained(response)
  }
  response.end()
}

/** Reads a body to its end, of which nobody wants to know. */
async function discard(incoming: IncomingMessage): Promise<void> {
  // Node's own `requestTimeout` bounds it; a body that breaks off is over, too.
  await finished(incoming.resume(), { writable: false }).catch(() => undefined)
}

/** Room in the socket, or its end: then the reader is cancelled, and gives null. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
    if (response.destroyed) done()
  })
}

type WithExpress = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown }

/** Express cuts the mount path off `url` and keeps the whole in `originalUrl`. */
function requestUrl(request: WithExpress): URL {
  const path = request.originalUrl ?? request.url ?? '/'
  const scheme = 'encrypted' in request.socket ? 'https' : 'http'
  const host = `${scheme}://${request.headers.host ?? 'localhost'}`
  // Not `new URL(path, host)`: a path that begins with // would choose the host.
  return new URL(URL.canParse(host + path) ? host + path : 'http://localhost/')
}

function toGatewayRequest(request: WithExpress, response: ServerResponse, url: string): GatewayRequest {
  const abort = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) abort.abort()
  })
  // The client may have gone while whatever stands in front was waiting.
  if (response.destroyed) abort.abort()
  return {
    method: request.method ?? 'GET',
    url,
    remoteAddress: request.socket.remoteAddress,
    headers: {
      get(name) {
        const value = request.headers[name]
        return Array.isArray(value) ? value.join(', ') : (value ?? null)
      },
    },
    // Leaving a body early must not close the socket: the answer has to go through it.
    body: parsedBody(request) ?? request.iterator({ destroyOnReturn: false }),
    signal: abort.signal,
  }
}

/**
 * A body parser (express.json, say) may have read the body already; then it left what it made of it. One that left it
 * elsewhere, as Koa's do, has to come after the gateway, and whoever mounts it is told so.
 */
function parsedBody({ body, readableEnded, headers }: WithExpress): AsyncIterable<Uint8Array> | undefined {
  if (!readableEnded) return undefined
  return (async function* () {
    if (body instanceof Uint8Array) yield body
    else if (body !== undefined) yield Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    else if (Number(headers['content-length']) > 0 || 'transfer-encoding' in headers)
      throw new ChatError('internal', 'Something in front of the gateway has read the body.')
  })()
}
