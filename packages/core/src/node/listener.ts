import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { finished } from 'node:stream/promises'
import type { Gateway } from '../gateway/gateway.ts'
import type { GatewayReply } from '../gateway/reply.ts'
import { pathBelow } from '../gateway/path.ts'
import type { Reader } from '../read/reader.ts'
import { isHttp2, toGatewayRequest, urlOf, type Incoming } from './incoming.ts'

/**
 * A request listener for `node:http` and `node:http2`, and a middleware for whatever calls `(request, response, next)`.
 * @public
 */
export type NodeListener = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  next?: () => void,
) => void

/**
 * Mounts a gateway in a Node server: `createServer(toNodeListener(gateway))`, or `app.use(toNodeListener(gateway))` in
 * Express; `examples/servers` has Fastify and Koa as well. In a middleware, paths that are not the gateway's go on to `next`.
 *
 * Frames go straight into the socket, and a reader is asked for more only when the socket has room. When the socket
 * closes, the reader is given up.
 * @public
 */
export function toNodeListener(gateway: Gateway): NodeListener {
  return (...asked) => {
    // HTTP/2's compatibility API has all that is needed here.
    const [request, response, next] = asked as [Incoming, ServerResponse, next?: () => void]
    if (next && !pathBelow(gateway.basePath, urlOf(request))) return next()
    // Something else may have answered already; what then fails here must end this socket, and not the process.
    answer(gateway, request, response).catch(() => response.destroy())
  }
}

async function answer(gateway: Gateway, incoming: Incoming, response: ServerResponse): Promise<void> {
  const request = toGatewayRequest(incoming, response)
  const { status, headers, body }: GatewayReply = await gateway.reply(request)
  if (body === null) return void response.writeHead(status, headers).end()
  if (typeof body === 'string') {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).write(body)
    // A socket that closes on a client which still sends its body (one that is too large, say) takes the answer with it.
    if (!incoming.complete) await discard(incoming)
    end(response)
    return
  }
  // The client may have gone while the gateway thought.
  if (request.signal.aborted) return body.cancel()
  request.signal.addEventListener('abort', () => body.cancel())
  response.writeHead(status, headers)
  response.flushHeaders()
  // Small frames at their own time: Nagle's algorithm would hold them back.
  if (!isHttp2(incoming)) response.socket?.setNoDelay(true)
  pipe(body, response)
}

/** How much is written at once, bytes: whoever takes less than that in `limits.unreadMs` takes nothing worth waiting for. */
const pieceBytes = 16_384

/** Lets a reader write into the socket, in the very call in which a frame is due. */
function pipe(reader: Reader, response: ServerResponse): void {
  /** A long replay over a slow line takes its time, and shows by each piece that it is read. */
  let pieces: Buffer | undefined
  const writePieces = (): boolean => {
    while (pieces && !response.destroyed) {
      const hasRoom = response.write(pieces.subarray(0, pieceBytes))
      pieces = pieces.length > pieceBytes ? pieces.subarray(pieceBytes) : undefined
      reader.progress()
      if (!hasRoom) return false
    }
    return !response.destroyed
  }
  response.on('drain', () => {
    if (writePieces()) reader.resume()
  })
  reader.start({
    write(frames) {
      // Its `close`, which cancels the reader, is still to come.
      if (response.destroyed) return false
      if (frames.length < pieceBytes) return response.write(frames)
      pieces = Buffer.from(frames)
      return writePieces()
    },
    end: () => end(response),
    fail: () => response.destroy(),
  })
}

/** How long a client may take nothing of the rest of an answer, ms. */
const restMs = 30_000

function end(response: ServerResponse): void {
  response.end()
  // Node sees to it that one that is taken, however slowly, is none of these, and sets the time for the next request anew.
  if (!response.writableFinished) response.setTimeout(restMs, () => response.destroy())
}

/** Reads a body to its end, of which nobody wants to know. */
async function discard(incoming: Incoming): Promise<void> {
  // Node's own `requestTimeout` bounds it; a body that breaks off is over, too.
  await finished(incoming.resume(), { writable: false }).catch(() => undefined)
}
