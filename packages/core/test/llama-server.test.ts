import OpenAI from 'openai'
import { beforeAll, expect, test, vi } from 'vitest'
import { openaiCompatible, type OpenAiCompatibleOptions, type Transport, type Upstream } from '../src/upstream/index.ts'
import { textOf } from './support/frames.ts'
import { holdAnswer } from './support/hold-answer.ts'
import { llamaServer, startLlamaServer, type LlamaServer } from './support/llama-server.ts'
import { serveGateway } from './support/served-gateway.ts'

// A real llama-server, which all tests of this file share. What it does is asked of the server itself.
vi.setConfig({ testTimeout: 30_000 })

let server: LlamaServer
beforeAll(async () => {
  if (isMissing) return undefined
  server = await startLlamaServer({ onEnd: () => undefined })
  return server.kill
})
const isMissing = llamaServer === null

const user = (content: string): { role: 'user'; content: string } => ({ role: 'user', content })
const assistant = (content: string): { role: 'assistant'; content: string } => ({ role: 'assistant', content })
const question = 'Tell me a story about a fox'
const 问题 = '北京有哪些著名景点?'
const greedy = { options: { temperature: 0 } }
const ask = { messages: [user(question)], ...greedy }
const longPrompt = { messages: [user('狐狸'.repeat(10_000))], ...greedy }

const upstreamOf = (more: Partial<OpenAiCompatibleOptions> = {}): Upstream =>
  openaiCompatible({ dialect: 'llamacpp', url: server.url, model: 'nano', ...more })
/** Never ends by itself. */
const endless = (): Upstream => upstreamOf({ body: { ignore_eos: true } })

/** What the server says without a stream and without this project. */
async function plainAnswer(
  content: string,
  more: object = {},
): Promise<{ text: string; reason: string; usage: { prompt_tokens: number; completion_tokens: number } }> {
  const body = JSON.stringify({ messages: [user(content)], temperature: 0, ...more })
  const response = await fetch(`${server.url}/chat/completions`, { method: 'POST', body })
  const { choices, usage } = (await response.json()) as {
    choices: [{ message: { content: string }; finish_reason: string }]
    usage: { prompt_tokens: number; completion_tokens: number }
  }
  const [{ message, finish_reason: reason }] = choices
  return { text: message.content, reason, usage }
}
/** Within how long a server that was told to stop has to have stopped, ms: it looks for its client once a second. */
const stopMs = 2_000
const untilIdle = (): Promise<void> => expect.poll(() => server.state(), { timeout: stopMs, interval: 20 }).toBe('idle')
const untilIs = (state: string): Promise<void> =>
  expect.poll(() => server.state(), { timeout: 10_000, interval: 5 }).toBe(state)

for (const [what, content, more, reason] of [
  ['an English answer', question, {}, 'stop'],
  ['a Chinese answer', 问题, {}, 'stop'],
  ['an answer that may not be longer', question, { max_tokens: 20 }, 'length'],
] as const) {
  test.skipIf(isMissing)(
    `llama-server: ${what} streams to the text and the usage that it has without a stream`,
    async () => {
      const plain = await plainAnswer(content, more)
      const gateway = await serveGateway({ upstream: upstreamOf({ body: more }) })
      const { frames } = await gateway.ask({ messages: [user(content)], ...greedy })
      const seen = await frames.rest()
      expect(textOf(seen)).toBe(plain.text)
      const { prompt_tokens, completion_tokens } = plain.usage
      expect(seen.at(-1)?.event).toEqual({ done: true, reason, usage: { prompt_tokens, completion_tokens } })
      expect(plain.reason).toBe(reason)
      expect(plain.text.length).toBeGreaterThan(20)
    },
  )

  test.skipIf(isMissing)(`llama-server: the npm client of OpenAI reads the same text of ${what}`, async () => {
    const client = new OpenAI({ baseURL: server.url, apiKey: 'none', maxRetries: 0 })
    const chunks = await client.chat.completions.create({
      model: 'nano',
      messages: [user(content)],
      temperature: 0,
      stream: true,
      ...more,
    })
    let theirs = ''
    let theirReason: string | null = null
    for await (const { choices } of chunks) {
      theirs += choices[0]?.delta.content ?? ''
      theirReason = choices[0]?.finish_reason ?? theirReason
    }
    const gateway = await serveGateway({ upstream: upstreamOf({ body: more }) })
    const ours = await gateway.whole({ messages: [user(content)], ...greedy })
    expect(ours).toMatchObject({ message: { content: theirs }, reason: theirReason })
    expect(theirs.length).toBeGreaterThan(20)
  })
}

test.skipIf(isMissing)('llama-server: an interrupt in the middle of an answer stops the server', async () => {
  const gateway = await serveGateway({ upstream: endless() })
  const { frames, first } = await gateway.ask(ask)
  const seen = await frames.until(({ message }) => message !== undefined)
  await untilIs('writing')
  const { outcome, position, partial } = await gateway.interrupt(first.run_id)
  await untilIdle()
  expect(outcome).toBe('interrupted')
  seen.push(...(await frames.rest()))
  expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'interrupted', by: 'person', position })
  expect(textOf(seen)).toBe(partial.content)
})

test.skipIf(isMissing)('llama-server: the usage of an interrupted answer is what the server had counted', async () => {
  const { transport, holding } = holdAnswer(40)
  const gateway = await serveGateway({ upstream: upstreamOf({ transport }) })
  const { frames, first } = await gateway.ask(ask)
  await holding
  await gateway.interrupt(first.run_id)
  const { prompt_tokens, completion_tokens } = (await plainAnswer(question, { max_tokens: 40 })).usage
  expect((await frames.rest()).at(-1)?.event.usage).toEqual({ prompt_tokens, completion_tokens })
})

test.skipIf(isMissing)(
  'llama-server: a reader who leaves without a promise to come back stops the server',
  async () => {
    const gateway = await serveGateway({ upstream: endless() })
    const reader = new AbortController()
    const { frames } = await gateway.ask(ask, { signal: reader.signal })
    await frames.until(({ message }) => message !== undefined)
    await untilIs('writing')
    reader.abort()
    await untilIdle()
  },
)

test.skipIf(isMissing)('llama-server: an interrupt while it reads a long prompt stops the server', async () => {
  const gateway = await serveGateway({ upstream: upstreamOf() })
  const { frames, first } = await gateway.ask(longPrompt)
  await untilIs('reading')
  expect(await gateway.interrupt(first.run_id)).toMatchObject({ outcome: 'interrupted', position: 0 })
  await untilIdle()
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ reason: 'interrupted', position: 0 })
})

test.skipIf(isMissing)(
  'llama-server: an interrupt while it reads a prompt and says nothing stops the server',
  async () => {
    const silent = upstreamOf({ body: { return_progress: false, sse_ping_interval: -1 } })
    const gateway = await serveGateway({ upstream: silent })
    const { first } = await gateway.ask(longPrompt)
    await untilIs('reading')
    await gateway.interrupt(first.run_id)
    // It looks after a silent socket when it was asked nothing for a second, its state included.
    await expect.poll(() => server.state(), { timeout: 10_000, interval: 1_500 }).toBe('idle')
  },
)

test.skipIf(isMissing)('llama-server: how far it has read a long prompt is told in status frames', async () => {
  const gateway = await serveGateway({ upstream: upstreamOf() })
  const { frames, first } = await gateway.ask(longPrompt)
  const told: number[] = []
  await frames.until(({ status, progress }) => {
    if (!progress) return false
    // Each character of the prompt is a token, and its frame adds three.
    expect({ status, ...progress }).toMatchObject({ status: 'waiting', stage: 'prompt', total: 20_003 })
    return told.push(progress.done ?? -1) === 3
  })
  await gateway.interrupt(first.run_id)
  await untilIdle()
  expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b))
  expect(told.at(-1)).toBeGreaterThan(0)
  expect(told.at(-1)).toBeLessThan(20_003)
})

test.skipIf(isMissing)(
  'llama-server: interrupted while it waits for its turn, a request is dropped when that comes',
  async () => {
    const gateway = await serveGateway({ upstream: endless() })
    const busy = await gateway.ask(ask)
    await untilIs('writing')
    const queued = await gateway.ask({ ...ask, messages: [user('Hello!')] })
    await expect.poll(() => server.waiting(), { timeout: 10_000, interval: 5 }).toBe(1)
    expect(await gateway.interrupt(queued.first.run_id)).toMatchObject({ outcome: 'interrupted', position: 0 })
    // Tokens of the other reply keep the server from looking after this socket: it only does when this one's turn comes.
    await gateway.interrupt(busy.first.run_id)
    await untilIdle()
    expect(await server.waiting()).toBe(0)
  },
)

test.skipIf(isMissing)('llama-server: a follow-up goes up with the partial and the note, and is answered', async () => {
  const { transport: hold, holding } = holdAnswer(40)
  const sent: unknown[] = []
  const transport: Transport = (request, sink) => {
    sent.push(JSON.parse(request.body ?? ''))
    hold(request, sink)
  }
  const gateway = await serveGateway({ upstream: upstreamOf({ transport }) })
  const { first } = await gateway.ask(ask)
  await holding
  const { partial } = await gateway.interrupt(first.run_id)
  const next = user('What is its name?')
  const { frames } = await gateway.ask({
    ...ask,
    messages: [user(question), assistant(partial.content), next],
    session_id: first.session_id,
  })
  const seen = await frames.rest()
  expect(partial.content).toContain('a clever fox named Tess')
  expect(sent.at(-1)).toMatchObject({
    messages: [user(question), assistant(`${partial.content}\n\n[interrupted by the user]`), next],
  })
  expect(textOf(seen)).toContain('Tess')
  expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
})

for (const [what, content, places] of [
  ['an English answer', question, [1, 2, 7, 8, 13, 14, 30, 41, 60, 85, 110, 135, 166]],
  ['a Chinese answer', 问题, [1, 12, 50, 120, 285]],
] as const) {
  test.skipIf(isMissing)(
    `llama-server: ${what} interrupted behind any delta and continued is the uninterrupted one`,
    async () => {
      const { text } = await plainAnswer(content)
      const messages = [user(content)]
      for (const place of places) {
        const { transport, holding } = holdAnswer(place)
        const gateway = await serveGateway({ upstream: upstreamOf({ transport }) })
        const { first } = await gateway.ask({ messages, ...greedy })
        await holding
        const { outcome, partial } = await gateway.interrupt(first.run_id)
        expect(outcome).toBe('interrupted')
        expect(text.startsWith(partial.content)).toBe(true)
        const { frames, first: start } = await gateway.ask({
          messages: [...messages, assistant(partial.content)],
          ...greedy,
          resume: 'continue',
          session_id: first.session_id,
        })
        const kept = start.continues?.position ?? -1
        expect(kept).toBe(partial.content.trimEnd().length)
        const seen = await frames.rest()
        expect(partial.content.slice(0, kept) + textOf(seen), `behind ${place}`).toBe(text)
        expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop' })
      }
    },
  )
}

test.skipIf(isMissing)(
  'llama-server: interrupted inside a word, an answer is continued from before it to the same text',
  async () => {
    const { text } = await plainAnswer(question)
    const { transport, holding } = holdAnswer(60)
    const gateway = await serveGateway({ upstream: upstreamOf({ transport }) })
    const { first } = await gateway.ask(ask)
    await holding
    const { partial } = await gateway.interrupt(first.run_id, text.indexOf('upon') + 2)
    expect(partial.content.endsWith('Once up')).toBe(true)
    const { frames, first: start } = await gateway.ask({
      messages: [user(question), assistant(partial.content)],
      ...greedy,
      resume: 'continue',
      session_id: first.session_id,
    })
    const kept = partial.content.slice(0, start.continues?.position)
    expect(kept.endsWith('Once')).toBe(true)
    expect(kept + textOf(await frames.rest())).toBe(text)
  },
)
