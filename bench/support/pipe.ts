import { createServer, request as ask, type Server } from 'node:http'

/** The least a proxy can do: bytes up, bytes down, and whoever hangs up hangs up the other side. */
export function createPipe(upstream: string): Server {
  return createServer((incoming, out) => {
    const { host: _, ...headers } = incoming.headers
    const up = ask(upstream + incoming.url!, { method: incoming.method!, headers })
    up.on('response', (answer) => {
      out.writeHead(answer.statusCode!, answer.headers)
      out.flushHeaders()
      answer.pipe(out)
      answer.on('error', () => out.destroy())
    })
    up.on('error', () => out.destroy())
    out.on('close', () => up.destroy())
    incoming.pipe(up)
  })
}
