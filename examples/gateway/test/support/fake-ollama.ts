import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

/** One chat that the gateway asked for, answered by the test. */
interface Asked {
  readonly body: {
    readonly model: string
    readonly _debug_render_only?: true
    readonly messages: readonly { readonly role: string; readonly content: string }[]
  }
  say(text: string): void
  finish(): void
  /** Answers with an error of the server's own words. */
  fail(status: number, words: string): void
  /** Breaks off in the middle. */
  reset(): void
  /** Sends bytes as they are. */
  write(bytes: string): void
  /** Settles when the answer is over; false: the gateway hung up before its end. */
  readonly whole: Promise<boolean>
}

/** A model server on Ollama's wire that says what the test says. It ends with the test. */
export interface FakeOllama {
  readonly url: string
  readonly port: number
  /** How often it was asked how it is. */
  readonly asksOfState: number
  /** The next chat that nobody has taken yet. */
  next(): Promise<Asked>
  close(): Promise<void>
}

/** @param model - The only one that it has. @param port - 0 takes any. */
export async function startFakeOllama(model = 'fake', port = 0): Promise<FakeOllama> {
  const asked: Asked[] = []
  let arrived = (): void => {}
  let asksOfState = 0
  const models = JSON.stringify({ models: [{ name: model, model }] })
  const server = createServer((request, response) => {
    // A reset is to be of a connection of its own: one that is used again, the gateway replaces and says nothing.
    response.shouldKeepAlive = false
    if (request.url === '/api/chat') {
      json(request).then(
        (read) => {
          const body = read as Asked['body']
          // Its template leaves a reply open at its end: whoever asks that wants no chat.
          const rendered_template = body.messages.at(-1)?.content
          if (body._debug_render_only) return void response.end(JSON.stringify({ _debug_info: { rendered_template } }))
          asked.push(answer(body, response))
          arrived()
        },
        () => response.destroy(),
      )
      return
    }
    if (request.url === '/api/tags') asksOfState += 1
    response.end(request.url === '/api/version' ? '{"version":"0.0.0"}' : models)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const taken = (server.address() as AddressInfo).port
  let closed: Promise<unknown> | undefined
  const close = async (): Promise<void> => {
    closed ??= once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  onTestFinished(close)
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    get asksOfState() {
      return asksOfState
    },
    async next() {
      for (;;) {
        const first = asked.shift()
        if (first) return first
        await new Promise<void>((resolve) => (arrived = resolve))
      }
    },
    close,
  }
}

function answer(body: Asked['body'], response: ServerResponse): Asked {
  let lines = 0
  const line = (content: string, rest: object): string => {
    lines += 1
    const created_at = `2026-01-01T00:00:00.${String(lines).padStart(9, '0')}Z`
    return `${JSON.stringify({ model: body.model, created_at, message: { role: 'assistant', content }, ...rest })}\n`
  }
  const counts = { prompt_eval_count: 3, eval_count: 5 }
  return {
    body,
    say: (text) => void response.write(line(text, { done: false })),
    finish: () => void response.end(line('', { done: true, done_reason: 'stop', ...counts })),
    fail: (status, words) => void response.writeHead(status).end(JSON.stringify({ error: words })),
    reset: () => void response.socket?.resetAndDestroy(),
    write: (bytes) => void response.write(bytes),
    whole: once(response, 'close').then(() => response.writableFinished),
  }
}
