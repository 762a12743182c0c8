// A model server behind Ollama's wire whose every token says which stream it belongs to, and where in it.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { play } from './child.ts'
import { listen } from './listen.ts'
import { contentLine, finalLine } from './ollama-lines.ts'
import { numberedToken } from './numbered.ts'

interface Stream {
  readonly response: ServerResponse
  readonly name: string
  dueAt: number
  sent: number
}

const streams = new Set<Stream>()
let tokensPerSecond = 8
let tokens = 480
let stamps = 0
let sent = 0
let lateMs = 0

const send = (stream: Stream): void => {
  stream.response.write(contentLine((stamps += 1), numberedToken(stream.name, stream.sent)))
  stream.sent += 1
  sent += 1
  if (stream.sent < tokens) return
  streams.delete(stream)
  stream.response.end(finalLine(stream.sent))
}

// One timer for all streams: each has its own phase, so their tokens do not come in step.
setInterval(() => {
  const at = performance.now()
  for (const stream of streams) {
    if (stream.dueAt > at) continue
    lateMs = Math.max(lateMs, at - stream.dueAt)
    stream.dueAt += 1_000 / tokensPerSecond
    send(stream)
  }
}, 2)

const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  response.setHeader('content-type', 'application/x-ndjson')
  if (request.method !== 'POST') return void response.end('{}')
  const { messages } = JSON.parse(body) as { messages: readonly { readonly content: string }[] }
  const stream = { response, name: messages.at(-1)!.content, dueAt: performance.now() + 1_000 * Math.random(), sent: 0 }
  streams.add(stream)
  response.on('close', () => streams.delete(stream))
}

const server = createServer((request, response) => void answer(request, response))

play({
  listen: () => listen(server),
  pace(perSecond: number, until: number) {
    tokensPerSecond = perSecond
    tokens = until
    sent = 0
    lateMs = 0
  },
  /** Streams that nobody has left yet, tokens sent, and how late the latest of them was, ms. */
  state: () => ({ open: streams.size, sent, lateMs }),
})
