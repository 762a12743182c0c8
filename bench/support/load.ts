// The clients of one server, in a process of their own.
import { Agent, request as ask, type IncomingMessage } from 'node:http'
import { play } from './child.ts'

const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
let answers: IncomingMessage[] = []
let chunks = 0

const body = JSON.stringify({ model: 'qwen3:32b', messages: [{ role: 'user', content: 'Tell me about the river.' }] })
const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }

const open = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const request = ask(url, { method: 'POST', agent, headers }, (answer) => {
      answer.on('error', () => undefined)
      resolve(answer)
    })
    request.on('error', reject)
    request.end(body)
  })

play({
  /** Opens streams and reads them; settles when each has had a byte. */
  async open(url: string, count: number) {
    const starts = Array.from({ length: count }, async () => {
      const answer = await open(url)
      answers.push(answer)
      answer.on('data', () => (chunks += 1))
      await new Promise((resolve) => answer.once('data', resolve))
    })
    await Promise.all(starts)
  },
  chunks: () => chunks,
  /** Hangs up on every stream. */
  closeAll() {
    for (const answer of answers) answer.destroy()
    answers = []
  },
  /** Reads so many answers at once, each to its end. */
  async readWhole(url: string, count: number) {
    const reads = Array.from({ length: count }, async () => {
      const answer = await open(url)
      answer.resume()
      await new Promise((resolve) => answer.on('end', resolve))
    })
    await Promise.all(reads)
  },
  /** Milliseconds from the request to the first text of its answer, which then is given up. */
  async firstText(url: string) {
    const from = performance.now()
    const answer = await open(url)
    // `content` on Ollama's wire, `message` on ours: the pipe's first bytes hold text, the gateway's first frame does not.
    const pattern = /"content":"[^"]|"message":"[^"]/
    let text = ''
    const ms = await new Promise<number>((resolve) => {
      answer.on('data', (bytes: Buffer) => {
        text += bytes.toString()
        if (pattern.test(text)) resolve(performance.now() - from)
      })
    })
    answer.destroy()
    return ms
  },
})
