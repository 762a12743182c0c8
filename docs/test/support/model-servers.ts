import { once } from 'node:events'
import http, { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { text as textOf } from 'node:stream/consumers'

/** What every one of them tells, in their own protocols. */
export const story = 'Once upon a time there lived a fox.'

/** The model servers that pages name, such as `http://10.0.0.8:8000/v1`: all of them one server in this process. */
export interface ModelServers {
  /** Who was asked for a reply, by the host and port that the page names. */
  readonly asked: string[]
  /** Those that send two words and then nothing that can be read. */
  readonly broken: Set<string>
  /** Those that send the first words and then fall silent. */
  readonly silent: Set<string>
  close(): Promise<void>
}

interface Question {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
}

/** How each API writes a word, and the end; by its path. */
const dialects: Readonly<Record<string, readonly [word: (text: string) => string, end: string]>> = {
  '^/api/chat$': [
    (content) => `${JSON.stringify({ message: { content }, done: false })}\n`,
    '{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
  ],
  '^/(v1|beta)/chat/completions$': [
    (content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`,
    'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
  ],
  '^/v1/messages$': [
    (text) =>
      `event: content_block_delta\ndata: ${JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })}\n\n`,
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
  ],
}

/**
 * Answers for every model server that a page names by an address of its own, by leading the connections of `node:http`
 * and `node:https` here; those to a port in `ownPorts` go where they go.
 */
export async function startModelServers(ownPorts: () => ReadonlySet<string>): Promise<ModelServers> {
  const asked: string[] = []
  const broken = new Set<string>()
  const silent = new Set<string>()

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { host = '', 'content-type': type } = request.headers
    const dialect = Object.entries(dialects).find(([path]) => new RegExp(path).test(request.url ?? ''))?.[1]
    if (!dialect || request.method !== 'POST' || !type?.includes('json')) return void response.writeHead(404).end('{}')
    const [word, end] = dialect
    asked.push(host)
    const { messages } = JSON.parse(await textOf(request)) as Question
    const last = messages.at(-1)
    const begun = last?.role === 'assistant' ? last.content : ''
    const words = story.slice(begun.length).split(/(?= )/)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (broken.has(host))
      return void response.end(words.slice(0, 2).map(word).join('') + 'data: {no JSON\n\n'.repeat(3))
    if (silent.has(host)) return void response.write(words.slice(0, 4).map(word).join(''))
    response.end(words.map(word).join('') + end)
  }
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  // By hand: a spy of vitest's would end with the first test.
  const before = [http.Agent.prototype, https.Agent.prototype].map((agent) => {
    const { createConnection } = agent
    agent.createConnection = function (this: http.Agent, options, done) {
      if (ownPorts().has(String(options.port))) return createConnection.call(this, options, done)
      return connect(port, '127.0.0.1')
    }
    return () => void (agent.createConnection = createConnection)
  })
  return {
    asked,
    broken,
    silent,
    async close() {
      for (const restore of before) restore()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
