// A model server behind Ollama's wire and OpenAI's. Every address below which it is asked (`/node/api/chat`) has counts of its own.
import { subscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { startNano } from '@midstream/example-nano'
import { play } from './child.ts'
import { listen } from './listen.ts'
import { deltaLine, finalLine } from './ollama-lines.ts'
import { deltaFrame, finalFrames } from './openai-chunks.ts'

/** Milliseconds that mean the same in every process of a machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** How a server words a token, and the end. */
interface Wire {
  readonly type: string
  delta(n: number): string
  end(tokens: number): string
}

const wires: Readonly<Record<'ollama' | 'openai', Wire>> = {
  ollama: { type: 'application/x-ndjson', delta: deltaLine, end: finalLine },
  openai: { type: 'text/event-stream', delta: deltaFrame, end: finalFrames },
}

/** Bytes of one write at full speed: about as much as a socket takes at once. */
const fullWrite = 65_536

interface Stream {
  readonly response: ServerResponse
  readonly wire: Wire
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
  stream.response.write(stream.wire.delta((stamps += 1)))
  if (stream.sent < maxTokens) return
  streams.delete(stream)
  stream.response.end(stream.wire.end(stream.sent))
}

/** A whole answer, as fast as it is read. */
function* atOnce(wire: Wire, place: string, tokens: number): Generator<string> {
  let text = ''
  for (let n = 0; n < tokens; n++) {
    text += wire.delta(n)
    if (text.length < fullWrite) continue
    yield text
    text = ''
  }
  counts[place] = (counts[place] ?? 0) + tokens
  yield text + wire.end(tokens)
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
  const [place = '', path = ''] = request.url!.split(/\/(?=api\/|v1\/)/)
  const wire = wires[path.startsWith('v1/') ? 'openai' : 'ollama']
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': wire.type })
    if (tokensPerSecond === Infinity) return void Readable.from(atOnce(wire, place, maxTokens)).pipe(response)
    const stream: Stream = { response, wire, place, dueAt: now() + (1_000 * Math.random()) / tokensPerSecond, sent: 0 }
    if (tokensPerSecond > 0) streams.add(stream)
    response.on('close', () => streams.delete(stream))
    send(stream)
  })
}

const server = createServer(answer)

// Says when an answer broke off, of whatever server this process has: the nano model's own server knows nothing of it.
subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
  if (!request.url!.endsWith('/api/chat')) return
  response.on('close', () => closed.resolve(now()))
})

play({
  listen: () => listen(server),
  nano: async (pace: number) => (await startNano({ tokensPerSecond: pace })).url,
  /**
   * From now on: tokens a second of every stream (0: one, then silence; null: as fast as they are read), and how many until
   * an answer is whole.
   */
  pace(perSecond: number | null, tokens?: number | null) {
    tokensPerSecond = perSecond ?? Infinity
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
