import { startNano, type Nano } from '@midstream/example-nano'
import { Ollama } from 'ollama'
import { beforeAll, expect, test } from 'vitest'
import { ollama } from '../src/upstream/index.ts'
import { textOf } from './support/frames.ts'
import { serveGateway } from './support/served-gateway.ts'

// A real model behind Ollama's wire, and Ollama's own client as the witness of what it says.

let nano: Nano
beforeAll(async () => {
  nano = await startNano({ tokensPerSecond: 0 })
  return () => nano.close()
})

for (const [what, content, limit, reason] of [
  ['an English answer', 'Tell me a story about a fox', undefined, 'stop'],
  ['a Chinese answer', '北京有哪些著名景点?', undefined, 'stop'],
  ['an answer that may not be longer', 'Tell me a story about a fox', 20, 'length'],
] as const) {
  test(`ollama: the npm client of Ollama reads the same text of ${what}`, async () => {
    const options = { temperature: 0, ...(limit === undefined ? {} : { num_predict: limit }) }
    const messages = [{ role: 'user', content }]
    const client = new Ollama({ host: nano.url })
    let theirs = ''
    let theirReason = ''
    for await (const part of await client.chat({ model: 'nano', messages, options, stream: true })) {
      theirs += part.message.content
      if (part.done) theirReason = part.done_reason
    }
    const gateway = await serveGateway({
      upstream: ollama({ url: nano.url, model: 'nano' }),
      requestOptions: ['temperature', 'num_predict'],
    })
    const seen = await (await gateway.ask({ messages, options })).frames.rest()
    expect(textOf(seen)).toBe(theirs)
    expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: theirReason })
    expect(theirReason).toBe(reason)
    expect(theirs.length).toBeGreaterThan(20)
  })
}
