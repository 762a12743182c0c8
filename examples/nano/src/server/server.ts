import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isAllowedHost, isAllowedOrigin, isLoopback } from './access.ts'
import { answerChat, type ChatContext } from './chat.ts'
import { psReply, tagsReply, type ModelFile } from './model-card.ts'
import { sendJson, sendText } from './send.ts'
import { StatusError } from './status-error.ts'

/** What the server needs to answer. */
export interface ServerContext extends ChatContext {
  readonly file: ModelFile
  readonly version: string
}

type Handler = (incoming: IncomingMessage, out: ServerResponse) => void | Promise<void>

/** Makes a `node:http` server that speaks Ollama's wire; the caller lets it listen. */
export function createNanoServer(context: ServerContext): Server {
  const running: Handler = (_, out) => sendText(out, 200, 'Ollama is running')
  const version: Handler = (_, out) => sendJson(out, 200, { version: context.version })
  const tags: Handler = (_, out) => sendJson(out, 200, tagsReply(context.file))
  const routes = new Map<string, Readonly<Record<string, Handler>>>([
    ['/', { GET: running, HEAD: running }],
    ['/api/version', { GET: version, HEAD: version }],
    ['/api/tags', { GET: tags, HEAD: tags }],
    ['/api/ps', { GET: (_, out) => sendJson(out, 200, psReply(context.file, context.residency.expiresMs())) }],
    ['/api/chat', { POST: (incoming, out) => answerChat(context, incoming, out) }],
  ])

  const route = async (incoming: IncomingMessage, out: ServerResponse): Promise<void> => {
    const { origin, host } = incoming.headers
    const { address } = server.address() as AddressInfo
    if (!isAllowedOrigin(origin, host) || (isLoopback(address) && !isAllowedHost(host))) {
      out.writeHead(403, { 'Content-Length': 0 }).end()
      return
    }
    const methods = routes.get((incoming.url ?? '').replace(/\?.*$/s, ''))
    if (methods === undefined) return sendText(out, 404, '404 page not found')
    const handler = methods[incoming.method ?? '']
    if (handler !== undefined) return await handler(incoming, out)
    out.setHeader('Allow', Object.keys(methods).join(', '))
    sendText(out, 405, '405 method not allowed')
  }
  const server = createServer((incoming, out) => {
    route(incoming, out).catch((error: unknown) => refuse(out, error))
  })
  server.keepAliveTimeout = 0 // like Go: a client's idle connection is not closed under its next request
  return server
}

function refuse(out: ServerResponse, error: unknown): void {
  if (out.destroyed) return // the client left, and with it whoever could be told
  const status = error instanceof StatusError ? error.status : 500
  // The rest of a body that is too large is not read, so the connection cannot be used again.
  if (status === 413) out.setHeader('Connection', 'close')
  sendJson(out, status, { error: error instanceof Error ? error.message : String(error) })
}
