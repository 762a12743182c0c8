import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { nodeTransport } from '../src/node/index.ts'
import {
  openaiCompatible,
  route,
  type OpenAiCompatibleOptions,
  type Transport,
  type Upstream,
} from '../src/upstream/index.ts'
import { textOf, type WireEvent, type WireFrame } from './support/frames.ts'
import { holdAnswer } from './support/hold-answer.ts'
import { llamaServer, startLlamaServer } from './support/llama-server.ts'
import { serveGateway } from './support/served-gateway.ts'

// Real llama-servers that die, load and come back; time is real.
vi.setConfig({ testTimeout: 30_000 })

const isMissing = llamaServer === null
const ask = {
  messages: [{ role: 'user', content: 'Tell me a story about a fox' }],
  options: { temperature: 0 },
}
const upstreamOf = (url: string, more: Partial<OpenAiCompatibleOptions> = {}): Upstream =>
  openaiCompatible({ dialect: 'llamacpp', url, model: 'nano', ...more })
const isRetry = (event: WireEvent): boolean => event.attempt !== undefined

/** What the model says when nothing happens. */
let whole = ''
let tokens = 0
beforeAll(async () => {
  if (isMissing) return
  const { url, kill } = await startLlamaServer({ onEnd: () => undefined })
  try {
    const response = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: ask.messages, temperature: 0 }),
    })
    const { choices, usage } = (await response.json()) as {
      choices: [{ message: { content: string } }]
      usage: { completion_tokens: number }
    }
    whole = choices[0].message.content
    tokens = usage.completion_tokens
  } finally {
    await kill()
  }
})

/** Every position once, in order: nothing lost, nothing doubled; and all tokens counted. */
function expectWhole(seen: readonly WireFrame[], written = tokens): void {
  expect(textOf(seen)).toBe(whole)
  let position = 0
  for (const { id, event } of seen) {
    if (event.message !== undefined) expect(id).toBe((position += event.message.length))
  }
  expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'stop', usage: { completion_tokens: written } })
}

for (const [where, deltas, end, again] of [
  ['in the middle of its answer', 40, /\w$/, 0],
  // Such a partial is continued from before it: one token is written twice.
  ['behind white space', 14, /\n\n$/, 1],
] as const) {
  test.skipIf(isMissing)(`llama-server: killed ${where} and started again, the answer is the same`, async () => {
    const server = await startLlamaServer()
    const { transport, holding, lose } = holdAnswer(deltas)
    const gateway = await serveGateway({ upstream: upstreamOf(server.url, { transport }) })
    const { frames } = await gateway.ask(ask)
    await holding
    await server.kill()
    lose()
    const seen = await frames.until(isRetry)
    expect(seen.at(-1)?.event).toMatchObject({ status: 'recovering', attempt: 1 })
    expect(textOf(seen)).toMatch(end)
    expect(textOf(seen).length).toBeLessThan(whole.length)
    await startLlamaServer({ port: server.port })
    seen.push(...(await frames.rest()))
    expectWhole(seen, tokens + again)
  })
}

test.skipIf(isMissing)(
  'llama-server: killed while it writes, wherever that is, it goes on with the same words',
  async () => {
    const server = await startLlamaServer()
    // Such an answer begins as the whole one and never ends.
    const gateway = await serveGateway({ upstream: upstreamOf(server.url, { body: { ignore_eos: true } }) })
    const { frames, first } = await gateway.ask(ask)
    const seen = await frames.until(({ message }) => message !== undefined)
    expect(await server.state()).toBe('writing')
    await server.kill()
    seen.push(...(await frames.until(isRetry)))
    const before = textOf(seen).length
    await startLlamaServer({ port: server.port })
    const isFarEnough = (): boolean => textOf(seen).length > before + whole.length
    while (!isFarEnough()) seen.push((await frames.next())!)
    await gateway.interrupt(first.run_id)
    seen.push(...(await frames.rest()))
    expect(textOf(seen).startsWith(whole)).toBe(true)
    expect(seen.at(-1)?.event).toMatchObject({ done: true, reason: 'interrupted', position: textOf(seen).length })
  },
)

test.skipIf(isMissing)('llama-server: a request made while it is down is answered once it is up', async () => {
  const { port, url, kill } = await startLlamaServer()
  await kill()
  const gateway = await serveGateway({ upstream: upstreamOf(url) })
  const { frames } = await gateway.ask(ask)
  const seen = await frames.until(isRetry)
  expect(seen.at(-1)?.event).toMatchObject({ status: 'waiting', attempt: 1 })
  await startLlamaServer({ port })
  seen.push(...(await frames.rest()))
  expectWhole(seen)
})

test.skipIf(isMissing)(
  'llama-server: a request made while it loads its model is held, and answered once it has',
  async () => {
    // A model that comes through a pipe where nobody writes is loaded for ever.
    const folder = mkdtempSync(join(tmpdir(), 'midstream-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const pipe = join(folder, 'model.gguf')
    spawnSync('mkfifo', [pipe])
    const loading = await startLlamaServer({ model: pipe, until: 503 })
    const statuses: number[] = []
    const send = nodeTransport()
    const transport: Transport = (request, sink) =>
      send(request, {
        ...sink,
        head(head) {
          statuses.push(head.status)
          sink.head(head)
        },
      })
    const gateway = await serveGateway({ upstream: upstreamOf(loading.url, { transport }) })
    const { frames } = await gateway.ask(ask)
    const seen = await frames.until(isRetry)
    expect(seen.at(-1)?.event).toMatchObject({ status: 'waiting', attempt: 1 })
    expect(statuses).toEqual([503])
    await loading.kill()
    await startLlamaServer({ port: loading.port })
    seen.push(...(await frames.rest()))
    expectWhole(seen)
    expect(statuses.at(-1)).toBe(200)
  },
)

for (const how of ['killed for good', 'frozen'] as const) {
  test.skipIf(isMissing)(`llama-server: ${how} in its answer, another one goes on from the partial`, async () => {
    const first = await startLlamaServer()
    const second = await startLlamaServer()
    const { transport, holding, lose } = holdAnswer(40)
    const sent: string[] = []
    const send = nodeTransport()
    const main = upstreamOf(first.url, { transport })
    const standby = upstreamOf(second.url, {
      model: 'standby',
      transport: (request, sink) => {
        sent.push(request.body ?? '')
        send(request, sink)
      },
    })
    const gateway = await serveGateway({
      upstream: route({ models: { nano: main }, fallback: [standby] }),
      recovery: { maxWaitMs: 400 },
      fuse: { stallMs: 2_000 },
    })
    const { frames } = await gateway.ask(ask)
    await holding
    if (how === 'frozen') first.freeze()
    else {
      await first.kill()
      lose()
    }
    const seen = await frames.until(({ upstream }) => upstream !== undefined)
    expect(seen.at(-1)?.event).toMatchObject({ status: 'recovering', upstream: 'llamacpp', model: 'standby' })
    const partial = textOf(seen)
    expect(partial).toContain('Once upon a time')
    expect(partial.length).toBeLessThan(whole.length)
    seen.push(...(await frames.rest()))
    expectWhole(seen)
    expect(sent.map((body) => JSON.parse(body) as object)).toMatchObject([
      { model: 'standby', messages: [...ask.messages, { role: 'assistant', content: partial.trimEnd() }] },
    ])
  })
}
