import { createServer, request as ask, type Server } from 'node:http'
import { createSession } from 'better-sse'
import { createParser } from 'eventsource-parser'

/**
 * What people write by hand: the model server's frames by eventsource-parser, their text out by better-sse. It keeps nothing,
 * and whoever hangs up hangs up the other side.
 */
export function createBetterSse(upstreamUrl: string): Server {
  return createServer((incoming, out) => {
    incoming.resume()
    const body = JSON.stringify({ model: 'qwen3:32b', stream: true, messages: [{ role: 'user', content: 'Hi' }] })
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    // Its keep-alive would be written after the end of an answer.
    void createSession(incoming, out, { keepAlive: null }).then((session) => {
      const up = ask(upstreamUrl, { method: 'POST', headers }, (answer) => {
        const parser = createParser({
          onEvent({ data }) {
            if (data === '[DONE]') return void session.push({ done: true })
            const { choices } = JSON.parse(data) as { choices: { delta: { content?: string } }[] }
            const text = choices[0]?.delta.content
            if (text) session.push({ message: text })
          },
        })
        answer.setEncoding('utf8')
        answer.on('data', (text: string) => parser.feed(text))
        answer.on('end', () => out.end())
        answer.on('error', () => out.destroy())
      })
      up.on('error', () => out.destroy())
      out.on('close', () => up.destroy())
      up.end(body)
    })
  })
}
