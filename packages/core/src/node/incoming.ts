import type { IncomingMessage, ServerResponse } from 'node:http'
import { isHost } from '../gateway/host.ts'
import type { GatewayRequest } from '../gateway/request.ts'
import { ChatError } from '../wire/errors.ts'

/** A request of `node:http`, or of `node:http2` by its compatibility API, as frameworks leave it. */
export type Incoming = IncomingMessage & {
  readonly originalUrl?: string
  readonly body?: unknown
  /** Of HTTP/2. */
  readonly stream?: { readonly destroyed: boolean }
}

/**
 * The absolute URL, made as text: what the client sent is not to be rewritten. Express cuts the mount path off `url` and keeps the
 * whole in `originalUrl`.
 */
export function urlOf(request: Incoming): string {
  const target = request.originalUrl ?? request.url ?? ''
  const host = hostOf(request) ?? 'localhost'
  const isSecure = isHttp2(request) ? request.headers[':scheme'] === 'https' : 'encrypted' in request.socket
  // A host that is none, and a target of a proxy (`http://other/x`), must not choose the path. The gateway refuses the header.
  return `${isSecure ? 'https' : 'http'}://${isHost(host) ? host : 'invalid'}${target.startsWith('/') ? target : '/'}`
}

/** Its compatibility API has no `host`, and no socket to be tuned. */
export function isHttp2({ httpVersionMajor }: Incoming): boolean {
  return httpVersionMajor >= 2
}

/**
 * HTTP/2 has `:authority` instead, and leaves no difference between the two (RFC 9113, 8.3.1). Of two Host headers Node takes the
 * first, and a proxy in front perhaps the other: they are none (RFC 9112, 3.2).
 */
function hostOf({ headers, rawHeaders }: Incoming): string | undefined {
  const authority = headers[':authority']
  if (typeof authority !== 'string') return hasTwoHosts(rawHeaders) ? '' : headers.host
  return headers.host === undefined || headers.host === authority ? authority : ''
}

/** Names and values in turn. Not by `headersDistinct`: a header called `__proto__` makes that throw (Node 22.12). */
function hasTwoHosts(raw: readonly string[] | undefined): boolean {
  let hosts = 0
  for (let i = 0; i < (raw?.length ?? 0); i += 2) if (raw![i]!.toLowerCase() === 'host') hosts += 1
  return hosts > 1
}

/** A request as the gateway reads it. */
export function toGatewayRequest(incoming: Incoming, response: ServerResponse): GatewayRequest {
  const abort = new AbortController()
  response.on('close', () => {
    // HTTP/2 says `writableFinished` of a stream that its client has cancelled, too.
    if (!response.writableEnded || !response.writableFinished) abort.abort()
  })
  // The client may have gone while whatever stands in front was waiting.
  if (response.destroyed || incoming.stream?.destroyed) abort.abort()
  let headers: Headers | undefined
  return {
    method: incoming.method ?? 'GET',
    url: urlOf(incoming),
    remoteAddress: incoming.socket.remoteAddress,
    localAddress: incoming.socket.localAddress,
    get headers() {
      return (headers ??= headersOf(incoming))
    },
    // Leaving a body early must not close the socket: the answer has to go through it.
    body: parsedBody(incoming) ?? incoming.iterator({ destroyOnReturn: false }),
    signal: abort.signal,
  }
}

/** @throws {ChatError} `internal` when something in front has set what no header can hold. */
function headersOf(incoming: Incoming): Headers {
  const headers = new Headers()
  const host = hostOf(incoming)
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || name.startsWith(':') || name === 'host') continue
    try {
      headers.set(name, Array.isArray(value) ? value.join(', ') : value)
    } catch (cause) {
      throw new ChatError(
        'internal',
        `Something in front of the gateway has set a header that cannot be one: ${name}.`,
        { cause },
      )
    }
  }
  if (host !== undefined) headers.set('host', host)
  return headers
}

/**
 * A body parser (express.json, say) may have read the body already; then it left what it made of it. One that left it
 * elsewhere, as Koa's do, has to come after the gateway, and whoever mounts it is told so.
 */
function parsedBody({ body, readableEnded, headers }: Incoming): AsyncIterable<Uint8Array> | undefined {
  if (!readableEnded) return undefined
  return (async function* () {
    if (body instanceof Uint8Array) yield body
    else if (body !== undefined) yield Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    else if (Number(headers['content-length']) > 0 || 'transfer-encoding' in headers)
      throw new ChatError('internal', 'Something in front of the gateway has read the body.')
  })()
}
