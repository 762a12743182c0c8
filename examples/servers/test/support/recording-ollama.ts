import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** One chat that the gateway asked for, answered by the test. */
interface Asked {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  say(text: string): void
  finish(): void
  /** Settles when the answer is over; false: the gateway hung up before its end. */
  readonly whole: Promise<boolean>
}

/** A model server on Ollama's wire that records what it is asked, and says what the test says. */
export interface RecordingOllama {
  readonly url: string
  /** The next chat that nobody has taken yet. */
  next(): Promise<Asked>
  close(): Promise<void>
}

export async function startRecordingOllama(): Promise<RecordingOllama> {
  const asked: Asked[] = []
  let arrived = (): void => {}
  const server = createServer((request, response) => {
    if (request.url !== '/api/chat') return void response.writeHead(404).end()
    json(request).then(
      (body) => {
        asked.push(answer(body as Pick<Asked, 'messages'>, response))
        arrived()
      },
      () => response.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async next() {
      for (;;) {
        const first = asked.shift()
        if (first) return first
        await new Promise<void>((resolve) => (arrived = resolve))
      }
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function answer({ messages }: Pick<Asked, 'messages'>, response: ServerResponse): Asked {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  let lines = 0
  const line = (content: string, rest: object): string => {
    lines += 1
    const created_at = `2026-01-01T00:00:00.${String(lines).padStart(9, '0')}Z`
    return `${JSON.stringify({ model: 'recording', created_at, message: { role: 'assistant', content }, ...rest })}\n`
  }
  return {
    messages,
    say: (text) => void response.write(line(text, { done: false })),
    finish: () => void response.end(line('', { done: true, done_reason: 'stop' })),
    whole: once(response, 'close').then(() => response.writableFinished),
  }
}
