import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What went up to the model server. */
interface Recorded {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
}

/** Stands before a model server, writes down what it is asked, and has it say the same each time. */
export interface Recorder {
  readonly url: string
  readonly chats: readonly Recorded[]
  close(): Promise<void>
}

export async function startRecorder(upstream: string): Promise<Recorder> {
  const chats: Recorded[] = []
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    let body = await text(incoming)
    if (incoming.url === '/api/chat') {
      const chat = JSON.parse(body) as Recorded
      chats.push(chat)
      body = JSON.stringify({ ...chat, options: { temperature: 0 } })
    }
    const { method = 'GET', url = '/' } = incoming
    const asked = request(
      new URL(url, upstream),
      { method, headers: { 'content-type': 'application/json' } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    asked.on('error', () => outgoing.destroy())
    outgoing.on('close', () => asked.destroy())
    asked.end(body)
  }
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    chats,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
