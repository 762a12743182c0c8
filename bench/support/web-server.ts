import { createServer, type Server } from 'node:http'
import { Readable } from 'node:stream'

/** A host that knows only `Request -> Response`, as the web adapters of `node:http` are at their smallest. */
export function createWebServer(handle: (request: Request) => Promise<Response>): Server {
  return createServer((incoming, out) => {
    const abort = new AbortController()
    out.on('close', () => abort.abort())
    const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD'
    const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
      method: incoming.method!,
      headers: incoming.headers as Record<string, string>,
      signal: abort.signal,
      ...(hasBody && { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: 'half' }),
    })
    void handle(request).then(async (response) => {
      out.writeHead(response.status, Object.fromEntries(response.headers))
      out.flushHeaders()
      if (!response.body) return out.end()
      const reader = response.body.getReader()
      out.on('close', () => void reader.cancel().catch(() => undefined))
      for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) out.write(value)
      return out.end()
    })
  })
}
