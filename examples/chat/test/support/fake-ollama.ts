import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** One line of an answer: what differs from the usual fields. */
export type Line =
  | { readonly content: string }
  | { readonly thinking: string }
  | { readonly error: string }
  /** How it ends, if not by `stop`. */
  | { readonly reason: 'length' }

/** A model server that says what the test wants, on Ollama's wire. */
export interface FakeOllama {
  readonly url: string
  /** What the next answers say. An answer without an end is held open until the client leaves. */
  answers: (lines: AsyncIterable<Line> | Iterable<Line>) => void
  close(): Promise<void>
}

/** An answer that grows when the test says so. */
export interface LiveLines extends AsyncIterable<Line> {
  say(content: string): void
  /** Says a word after the other until the test is over: text that grows however long the test takes. */
  keepTalking(onTestFinished: (stop: () => void) => void): void
}

export function liveLines(): LiveLines {
  let out: ReadableStreamDefaultController<Line>
  const lines = new ReadableStream<Line>({ start: (controller) => void (out = controller) })
  const say = (content: string): void => out.enqueue({ content })
  return {
    [Symbol.asyncIterator]: () => lines.values({ preventCancel: true }),
    say,
    keepTalking(onTestFinished) {
      let words = 0
      const timer = setInterval(() => say(`word ${(words += 1)} `), 20)
      onTestFinished(() => clearInterval(timer))
    },
  }
}

export async function startFakeOllama(): Promise<FakeOllama> {
  let lines: AsyncIterable<Line> | Iterable<Line> = []
  const about: Readonly<Record<string, unknown>> = {
    '/api/tags': { models: [{ name: 'fake:latest', model: 'fake:latest' }] },
    '/api/ps': { models: [{ name: 'fake:latest', model: 'fake:latest' }] },
    '/api/version': { version: '0.0.0' },
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url = '' } = request
    if (url in about) return void response.setHeader('content-type', 'application/json').end(JSON.stringify(about[url]))
    await json(request)
    response.setHeader('content-type', 'application/x-ndjson')
    let stamp = 0
    let reason = 'stop'
    const write = (fields: object): void => {
      stamp += 1
      response.write(
        `${JSON.stringify({ model: 'fake:latest', created_at: `2026-01-01T00:00:00.${String(stamp).padStart(9, '0')}Z`, ...fields })}\n`,
      )
    }
    for await (const line of lines) {
      // The client has left.
      if (response.destroyed) return
      if ('error' in line) {
        response.end(`${JSON.stringify(line)}\n`)
        return
      }
      if ('reason' in line) reason = line.reason
      else write({ message: { role: 'assistant', content: '', ...line }, done: false })
    }
    write({
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: reason,
      prompt_eval_count: 1,
      eval_count: stamp,
    })
    response.end()
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers: (next) => (lines = next),
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
