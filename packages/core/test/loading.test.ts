import { pushing } from './support/answers.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { manualClock, type ManualClock } from '../src/testing/index.ts'
import { ollama, openaiCompatible, type Transport, type Upstream, type UpstreamEvent } from '../src/upstream/index.ts'
import { utf8 } from './support/bytes.ts'

type Asked = { readonly path: string; readonly signal: AbortSignal }
interface Server {
  readonly transport: Transport
  readonly clock: ManualClock
  readonly asked: Asked[]
  /** What side questions are answered, by path; a path without an answer fails. */
  readonly says: Record<string, unknown>
  /** Lets the oldest waiting reply come. */
  answer(): void
}
/** A server whose replies wait, and whose side questions are answered at once. */
function server(reply: string, type: string): Server {
  const asked: Asked[] = []
  const waiting: (() => void)[] = []
  const says: Record<string, unknown> = {}
  const transport: Transport = pushing(async ({ method, url, signal }) => {
    const path = new URL(url).pathname
    if (method === 'POST') {
      const head = Promise.withResolvers<void>()
      waiting.push(head.resolve)
      signal.addEventListener('abort', () => head.reject(signal.reason))
      await head.promise
    } else asked.push({ path, signal })
    const said = method === 'POST' ? reply : JSON.stringify(says[path])
    if (said === undefined) throw new Error('no answer')
    return {
      status: 200,
      header: () => type,
      body: (async function* () {
        yield utf8(said)
      })(),
    }
  })
  return { transport, clock: manualClock(), asked, says, answer: () => waiting.shift()?.() }
}
const ollamaReply = '{"message":{"content":"Hi"}}\n{"message":{"content":""},"done":true,"done_reason":"stop"}\n'
const openAiReply = 'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
const reply: UpstreamEvent[] = [{ message: 'Hi' }, { finish: 'stop' }]

interface Reading {
  readonly events: UpstreamEvent[]
  readonly ended: Promise<void>
  readonly abort: AbortController
}
function read(upstream: Upstream, model = 'nano'): Reading {
  const abort = new AbortController()
  const events: UpstreamEvent[] = []
  const request = { model, messages: [], prefill: '', interruptedNote: null }
  const ended = (async () => {
    for await (const some of eventsOf(upstream, request, abort.signal)) events.push(...some)
  })()
  ended.catch(() => undefined)
  return { events, ended, abort }
}
/** Time passes, and whatever it sets off is over. */
async function advance({ clock }: Server, ms: number): Promise<void> {
  clock.advance(ms)
  await setImmediate()
}
const list = (...names: string[]): unknown => ({ models: names.map((name) => ({ name, size: 42 })) })
const upstreamOf = ({ transport, clock }: Server): Upstream => ollama({ model: 'nano', transport, clock })
const loading: UpstreamEvent = { progress: { stage: 'loading', total: 42 } }
const prompt: UpstreamEvent = { progress: { stage: 'prompt' } }

test('loading: Ollama is asked after 1 s and then every 2 s, and only what is new is told', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  Object.assign(fake.says, { '/api/ps': list(), '/api/tags': list('nano:latest') })
  const { events, ended } = read(upstreamOf(fake))
  await setImmediate()
  await advance(fake, 999)
  expect(fake.asked).toEqual([])
  await advance(fake, 1)
  expect(events).toEqual([loading])
  await advance(fake, 1_999)
  expect(fake.asked).toHaveLength(2)
  await advance(fake, 1)
  expect(fake.asked.map(({ path }) => path)).toEqual(['/api/ps', '/api/tags', '/api/ps', '/api/tags'])
  expect(events).toEqual([loading])
  fake.says['/api/ps'] = list('nano:latest')
  await advance(fake, 2_000)
  expect(events).toEqual([loading, prompt])
  fake.answer()
  await ended
  expect(events).toEqual([loading, prompt, ...reply])
  expect(fake.clock.timers).toBe(0)
})

test('loading: all runs that wait share one question, and each hears of its own model', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  Object.assign(fake.says, { '/api/ps': list('nano'), '/api/tags': list('nano', 'big') })
  const upstream = upstreamOf(fake)
  const runs = ['nano', 'big', 'gone'].map((model) => read(upstream, model))
  await setImmediate()
  await advance(fake, 1_000)
  expect(fake.asked).toHaveLength(2)
  expect(runs.map(({ events }) => events)).toEqual([[prompt], [loading], []])
  fake.answer()
  await runs[0]!.ended
  expect(fake.clock.timers).toBe(1)
  fake.answer()
  fake.answer()
  await Promise.all(runs.map(({ ended }) => ended))
  expect(fake.clock.timers).toBe(0)
  const [late] = [read(upstream)]
  await setImmediate()
  expect(fake.clock.dueAt - fake.clock.now()).toBe(1_000)
  fake.answer()
  await late.ended
})

test('loading: a side question that fails harms nothing and is asked again', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  const { events, ended } = read(upstreamOf(fake))
  await setImmediate()
  await advance(fake, 1_000)
  Object.assign(fake.says, { '/api/ps': 'x', '/api/tags': list('nano') })
  await advance(fake, 2_000)
  fake.answer()
  await ended
  expect(events).toEqual([loading, ...reply])
})

test('loading: an abort ends the question, too, and leaves no timer', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  const transport: Transport = (request, sink) => {
    if (request.method === 'POST') return fake.transport(request, sink)
    fake.asked.push({ path: request.url, signal: request.signal })
  }
  const { ended, abort, events } = read(ollama({ model: 'nano', transport, clock: fake.clock }))
  await setImmediate()
  await advance(fake, 1_000)
  abort.abort(new DOMException('enough', 'AbortError'))
  await expect(ended).rejects.toThrow('enough')
  expect(fake.asked.map(({ signal }) => signal.aborted)).toEqual([true, true])
  expect({ events, timers: fake.clock.timers }).toEqual({ events: [], timers: 0 })
})

test('loading: an answer that never comes, not even when it is told to stop, is not watched after an abort', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  const deaf: Transport = (request, sink) => {
    if (request.method !== 'POST') fake.transport(request, sink)
  }
  const upstream = ollama({ model: 'nano', transport: deaf, clock: fake.clock })
  const [early, late] = [read(upstream), read(upstream)]
  await setImmediate()
  early.abort.abort(new Error('enough'))
  await expect(early.ended).rejects.toThrow('enough')
  expect(fake.clock.timers).toBe(1)
  await advance(fake, 1_000)
  late.abort.abort(new Error('enough'))
  await expect(late.ended).rejects.toThrow('enough')
  expect(fake.clock.timers).toBe(0)
  const asked = fake.asked.length
  await advance(fake, 60_000)
  expect(fake.asked).toHaveLength(asked)
})

test('loading: a gateway that is closed asks no more, whatever its transport does', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  const deaf: Transport = (request, sink) => {
    if (request.method !== 'POST') fake.transport(request, sink)
  }
  const { clock } = fake
  const gateway = createGateway({ upstream: ollama({ model: 'nano', transport: deaf, clock }), clock })
  const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })
  const answer = gateway(new Request('http://g.test/api/chat', { method: 'POST', body }))
  await setImmediate()
  await advance(fake, 3_000)
  await gateway.close()
  expect(await (await answer).json()).toMatchObject({ reason: 'interrupted', by: 'shutdown' })
  await setImmediate()
  expect(clock.timers).toBe(0)
})

test('loading: whoever leaves before the answer closes the request', async () => {
  const fake = server(ollamaReply, 'application/x-ndjson')
  Object.assign(fake.says, { '/api/ps': list(), '/api/tags': list('nano') })
  const signals: AbortSignal[] = []
  const transport: Transport = (request, sink) => {
    if (request.method === 'POST') signals.push(request.signal)
    fake.transport(request, sink)
  }
  const request = { model: 'nano', messages: [], prefill: '', interruptedNote: null }
  const upstream = ollama({ model: 'nano', transport, clock: fake.clock })
  const events = eventsOf(upstream, request, new AbortController().signal)[Symbol.asyncIterator]()
  const first = events.next()
  await setImmediate()
  await advance(fake, 1_000)
  expect((await first).value).toEqual([loading])
  await events.return?.()
  expect(signals[0]?.aborted).toBe(true)
  expect(fake.clock.timers).toBe(0)
})

test('loading: LM Studio tells it beside /v1, by the key or by the name of what is loaded', async () => {
  const fake = server(openAiReply, 'text/event-stream')
  const models = [
    { key: 'qwen/qwen3-4b', size_bytes: 42, loaded_instances: [] },
    { key: 'gemma', size_bytes: 7, loaded_instances: [{ id: 'mine' }] },
  ]
  fake.says['/api/v1/models'] = { models }
  const { transport, clock } = fake
  const upstream = openaiCompatible({ model: 'm', dialect: 'lmstudio', url: 'http://h:1/v1', transport, clock })
  const runs = ['qwen/qwen3-4b', 'mine', 'none'].map((model) => read(upstream, model))
  await setImmediate()
  await advance(fake, 1_000)
  expect(fake.asked.map(({ path }) => path)).toEqual(['/api/v1/models'])
  for (const _ of runs) fake.answer()
  await Promise.all(runs.map(({ ended }) => ended))
  expect(runs.map(({ events }) => events)).toEqual([[loading, ...reply], [prompt, ...reply], reply])
})

test('loading: servers that tell it by themselves, or never, are not asked', async () => {
  for (const dialect of ['openai', 'llamacpp', 'vllm'] as const) {
    const fake = server(openAiReply, 'text/event-stream')
    const { transport, clock } = fake
    const { ended } = read(openaiCompatible({ model: 'm', dialect, transport, clock }))
    await setImmediate()
    expect(clock.timers).toBe(0)
    fake.answer()
    await ended
  }
})
