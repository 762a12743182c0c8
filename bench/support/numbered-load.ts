// A thousand clients of one gateway: most read to the end, some vanish, some interrupt. Each checks that what it got is its
// own stream and nothing else. They read by hand: no decoder of ours takes part.
import { Agent, request as ask, type ClientRequest, type IncomingMessage } from 'node:http'
import { play } from './child.ts'
import { countTokens, isBeginning } from './numbered.ts'

const agent = new Agent({ keepAlive: true, maxSockets: Infinity })

type Part = 'reads' | 'vanishes' | 'interrupts'
interface Client {
  readonly name: string
  readonly part: Part
  text: string
  ended: string
  runId: string
  request?: ClientRequest
}

let clients: Client[] = []
let tokensRead = 0
let done: Promise<unknown> = Promise.resolve()

const post = (url: string, body: object): { request: ClientRequest; answer: Promise<IncomingMessage> } => {
  const json = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(json)) }
  const request = ask(url, { method: 'POST', agent, headers })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
  })
  request.end(json)
  return { request, answer }
}

async function follow(url: string, client: Client): Promise<void> {
  const { request, answer } = post(url, { messages: [{ role: 'user', content: client.name }] })
  client.request = request
  const response = await answer
  if (response.statusCode !== 200) {
    client.ended = `HTTP ${response.statusCode}`
    response.resume()
    return
  }
  response.setEncoding('utf8')
  let pending = ''
  response.on('data', (chunk: string) => {
    const blocks = (pending + chunk).split('\n\n')
    pending = blocks.pop()!
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1]
      const event = JSON.parse(data ?? '{}') as { message?: string; done?: true; reason?: string; run_id?: string }
      client.runId ||= event.run_id ?? ''
      if (event.message !== undefined) {
        client.text += event.message
        tokensRead += event.message.split(' ').length - 1
      }
      if (event.done) client.ended = event.reason ?? '?'
    }
  })
  await new Promise((resolve) => response.on('close', resolve))
}

const problemOf = ({ name, part, text, ended }: Client, tokens: number): string | undefined => {
  if (part === 'reads') {
    const count = countTokens(name, text)
    return count === tokens && ended === 'stop' ? undefined : `${name}: ${count} of ${tokens} tokens, ended ${ended}`
  }
  if (!isBeginning(name, text)) return `${name}: holds what is not its own`
  return part === 'interrupts' && ended !== 'interrupted' ? `${name}: interrupted, ended ${ended}` : undefined
}

play({
  /** Opens `count` streams, of which a share each vanishes and interrupts at a moment of its own within `ms`. */
  start(url: string, count: number, share: number, ms: number) {
    tokensRead = 0
    clients = Array.from({ length: count }, (_, i) => {
      const at = i / count
      const part = at < share ? 'vanishes' : at < 2 * share ? 'interrupts' : 'reads'
      return { name: `s${i}`, part, text: '', ended: '', runId: '' }
    })
    for (const client of clients) {
      if (client.part === 'reads') continue
      setTimeout(
        () => {
          if (client.part === 'vanishes') return void client.request?.destroy()
          const { answer } = post(`${url}/runs/${client.runId}/interrupt`, { position: client.text.length })
          answer.then(
            (response) => response.resume(),
            () => (client.ended = 'the interrupt failed'),
          )
        },
        ms * (0.1 + 0.8 * Math.random()),
      )
    }
    done = Promise.all(clients.map((client) => follow(url, client).catch((error) => (client.ended ||= String(error)))))
  },
  tokensRead: () => tokensRead,
  /** Waits for the end of all streams, and says what was wrong with each that was not well. */
  async problems(tokens: number) {
    await done
    return clients.map((client) => problemOf(client, tokens)).filter((problem) => problem !== undefined)
  },
})
