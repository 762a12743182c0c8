// A model server behind Ollama's wire. Every address below which it is asked (`/node/api/chat`) has its own pace and counts.
import { subscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { startNano } from '@midstream/example-nano'
import { play } from './child.ts'
import { listen } from './listen.ts'
import { deltaLine, finalLine } from './ollama-lines.ts'

/** Milliseconds that mean the same in every process of a machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

interface Stream {
  readonly response: ServerResponse
  readonly place: string
  dueAt: number
  sent: number
}

const streams = new Set<Stream>()
const counts: Record<string, number> = {}
let tokensPerSecond = 50
let maxTokens = Infinity
let stamps = 0
let closed = Promise.withResolvers<number>()

const send = (stream: Stream): void => {
  stream.sent += 1
  counts[stream.place] = (counts[stream.place] ?? 0) + 1
  stream.response.write(deltaLine((stamps += 1)))
  if (stream.sent < maxTokens) return
  streams.delete(stream)
  stream.response.end(finalLine(stream.sent))
}

// One timer for all streams: each has its own phase, so their tokens do not come in step.
setInterval(() => {
  const at = now()
  for (const stream of streams) {
    if (stream.dueAt > at) continue
    stream.dueAt += 1_000 / tokensPerSecond
    send(stream)
  }
}, 2)

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const place = request.url!.split('/api/')[0]!
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    const stream: Stream = { response, place, dueAt: now() + (1_000 * Math.random()) / tokensPerSecond, sent: 0 }
    if (tokensPerSecond > 0) streams.add(stream)
    response.on('close', () => streams.delete(stream))
    send(stream)
  })
}

const server = createServer(answer)
server.keepAliveTimeout = 600_000

// Says when an answer broke off, of whatever server this process has: the nano model's own server knows nothing of it.
subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
  if (!request.url!.endsWith('/api/chat')) return
  response.on('close', () => closed.resolve(now()))
})

play({
  listen: () => listen(server),
  nano: async (pace: number) => (await startNano({ tokensPerSecond: pace })).url,
  /** From now on: tokens a second of every stream (0: one, then silence), and how many until an answer is whole. */
  pace(perSecond: number, tokens?: number | null) {
    tokensPerSecond = perSecond
    maxTokens = tokens ?? Infinity
  },
  /** Tokens sent so far, by address. */
  counts: () => counts,
  open: () => streams.size,
  /** Forgets when an answer was closed last. */
  watch() {
    closed = Promise.withResolvers<number>()
  },
  /** When the next answer after `watch` is closed. */
  closedAt: () => closed.promise,
})
