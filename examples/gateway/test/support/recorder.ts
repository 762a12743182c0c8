import { eventsOf } from '@midstream/core/upstream'
import type { Upstream } from '@midstream/core/upstream'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

/** One request that a model server got. */
export interface Recorded {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
}

/** A server that writes down what it is asked, and refuses it. It ends with the test. */
export async function startRecorder(): Promise<{ readonly url: string; readonly asked: readonly Recorded[] }> {
  const asked: Recorded[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push({ path: request.url ?? '', headers: request.headers, body: body as Recorded['body'] })
      response.writeHead(400).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** Asks a model server for one reply. @returns Why it failed; undefined when it did not. */
export async function ask(upstream: Upstream, prefill = ''): Promise<unknown> {
  const { model } = upstream
  const request = { model, messages: [{ role: 'user' as const, content: 'hello' }], prefill, interruptedNote: null }
  try {
    for await (const events of eventsOf(upstream, request, new AbortController().signal))
      for (const event of events) if ('error' in event) return event.error
    return undefined
  } catch (error) {
    return error
  }
}
