// The same conversation over sockets: a server of the runtime's own, in front of a stand-in for Ollama. `served()` gives what
// came of it, or throws. Plain JavaScript over the built packages.
import { createChatClient } from '@midstream/client'
import { createGateway } from '@midstream/core/gateway'
import { ollama } from '@midstream/core/upstream'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { equal, shows, texts } from './checks.mjs'

export async function served() {
  const model = await startOllama()
  const gateway = createGateway({ upstream: ollama({ url: model.url, model: 'm' }) })
  const server = await serve(gateway)
  const client = createChatClient({ url: `${server.url}/api/chat` })
  const session = client.session()

  const cut = session.send('Tell me a story')
  const story = await model.next()
  story.say('Once upon')
  await shows(session, 'Once upon')
  story.say(' a time')
  await shows(session, 'Once upon a time')

  equal((await session.interrupt()).outcome, 'interrupted')
  equal((await cut).state, 'interrupted')
  // The model server sees its socket close: that is what makes it stop.
  await story.left

  const whole = session.send('Hello')
  const hello = await model.next()
  const told = hello.body.messages.map(({ role, content }) => `${role}: ${content}`)
  equal(told[0], 'user: Tell me a story')
  equal(told[1].split('\n')[0], 'assistant: Once upon a time')
  equal(told.at(-1).endsWith('Hello'), true)
  hello.say('Good day')
  hello.finish()
  equal((await whole).state, 'done')
  equal(texts(session), 'Tell me a story | Once upon a time | Hello | Good day')

  await gateway.close()
  await server.close()
  model.close()
  return `${told.length} messages told, ${session.getSnapshot().messages.length} shown`
}

/** The runtime's own server, on a free port, with the gateway as its handler. */
async function serve(gateway) {
  const hostname = '127.0.0.1'
  if (globalThis.Bun) {
    const server = globalThis.Bun.serve({ port: 0, hostname, fetch: gateway })
    return { url: `http://${hostname}:${server.port}`, close: () => server.stop(true) }
  }
  if (globalThis.Deno) {
    const server = globalThis.Deno.serve({ port: 0, hostname, onListen: () => {} }, gateway)
    return { url: `http://${hostname}:${server.addr.port}`, close: () => server.shutdown() }
  }
  const [http, { toNodeListener }] = await Promise.all([import('node:http'), import('@midstream/core/node')])
  const server = http.createServer(toNodeListener(gateway)).listen(0, hostname)
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://${hostname}:${server.address().port}`, close }
}

/** As much of Ollama as a reply takes, on bare TCP: what a socket does is seen as it is. */
async function startOllama() {
  const asked = []
  const waiting = []
  const sockets = new Set()
  const server = createServer((socket) => {
    let text = ''
    sockets.add(socket)
    const left = once(socket, 'close')
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes
      const [head, body] = text.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (body === undefined || body.length < length) return
      text = ''
      if (!head.startsWith('POST /api/chat ')) return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n')
      const line = (rest) => `${JSON.stringify({ model: 'm', ...rest })}\n`
      const say = (content) => socket.write(line({ message: { role: 'assistant', content }, done: false }))
      const finish = () => {
        const message = { role: 'assistant', content: '' }
        socket.end(line({ message, done: true, done_reason: 'stop', prompt_eval_count: 1, eval_count: 1 }))
      }
      const question = { body: JSON.parse(body), left, say, finish }
      const next = waiting.shift()
      if (next) next(question)
      else asked.push(question)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    next: () => (asked.length > 0 ? asked.shift() : new Promise((resolve) => waiting.push(resolve))),
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
