import { eventsOf } from '../src/upstream/events-of.ts'
import { expect, test } from 'vitest'
import type { DialectName } from '../src/upstream/openai/dialect.ts'
import { dialects } from '../src/upstream/openai/dialects.ts'
import { continueInstruction, openaiCompatible, type Dialect, type Upstream } from '../src/upstream/index.ts'
import { nodeTransport } from '../src/node/index.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { handmade, replayServer, type Recording, type ReplayServer } from './support/replay-server.ts'

const prefill = 'There was once a fox called Eva'
const request: UpstreamRequest = {
  model: 'nano',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill,
  interruptedNote: null,
}
const frame = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const delta = (content: string, finish: string | null = null): string =>
  frame({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })
const stream = (...reads: string[]): Recording => handmade(reads, { headers: { 'Content-Type': 'text/event-stream' } })
const saying = (...texts: string[]): Recording => stream(...texts.map((text) => delta(text)), delta('', 'stop'))
const json = (status: number, body: unknown, headers: Record<string, string> = {}): Recording =>
  handmade([JSON.stringify(body)], { status, headers: { 'Content-Type': 'application/json', ...headers } })

async function events(upstream: Upstream, more: Partial<UpstreamRequest> = {}): Promise<UpstreamEvent[]> {
  const all: UpstreamEvent[] = []
  for await (const some of eventsOf(upstream, { ...request, ...more }, new AbortController().signal)) all.push(...some)
  return all
}
/** What a run would append to the reply. */
async function ran(upstream: Upstream, more: Partial<UpstreamRequest> = {}): Promise<string> {
  const all = await events(upstream, more)
  for (const event of all) if ('error' in event) throw event.error
  return all.map((event) => ('message' in event ? event.message : '')).join('')
}
const upstreamOf = ({ url }: ReplayServer, dialect: DialectName | Dialect, model = 'nano'): Upstream =>
  openaiCompatible({ url: `${url}/v1`, model, dialect, transport: nodeTransport() })
const continuationOf = async (upstream: Upstream) => (await upstream.status!(new AbortController().signal)).continuation
const lastMessages = ({ requests }: ReplayServer): unknown[] =>
  requests
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => (JSON.parse(body) as { messages: unknown[] }).messages.at(-1))
const inWords = { role: 'user', content: continueInstruction }

// What says the partial again

/** By hand, from what is known of the servers; null: asked in words. */
const echoes: Readonly<Record<DialectName, Dialect['echo'] | null>> = {
  openai: null,
  llamacpp: 'maybe',
  vllm: 'never',
  sglang: 'never',
  lmstudio: null,
  deepseek: 'never',
  dashscope: 'never',
  mistral: 'always',
  openrouter: 'maybe',
  ollama: null,
}
test.for(Object.keys(dialects) as DialectName[])(
  'dialects: a copy of the partial goes where %s may say it again',
  async (name) => {
    const echo = echoes[name]
    const model = name === 'openrouter' ? 'anthropic/claude-sonnet-4.5' : 'nano'
    const short = 'ha'
    const server = await replayServer(({ body }) => saying(body.includes(prefill) ? `${prefill}, who` : `${short}, ho`))
    const upstream = upstreamOf(server, name, model)
    expect(await ran(upstream, { model })).toBe(echo === 'never' ? `${prefill}, who` : ', who')
    // A short one may be chance.
    expect(await ran(upstream, { model, prefill: short })).toContain(echo === 'always' ? ', ho' : 'ha, ho')
    expect((await ran(upstream, { model, prefill: short })).startsWith(',')).toBe(echo === 'always')
    expect(lastMessages(server).every((last) => (last as { role: string }).role === 'user')).toBe(echo === null)
  },
)

// Who goes on with a reply

test.for<[model: string, isNative: boolean]>([
  ['anthropic/claude-sonnet-4.5', true],
  ['anthropic/claude-3.5-haiku:beta', true],
  ['~anthropic/claude-sonnet-latest', true],
  ['anthropic/claude-opus-4.6', false],
  ['openai/gpt-5.2', false],
  ['deepseek/deepseek-chat', false],
  ['vendor/claude-sonnet-4.5', false],
])('dialects: OpenRouter goes on with a reply of %s natively: %s', async ([model, isNative]) => {
  const server = await replayServer(saying(', who'))
  const upstream = upstreamOf(server, 'openrouter', model)
  const way = isNative ? 'native' : 'instruction'
  expect(await continuationOf(upstream)).toEqual({ plain: way, thinking: way })
  expect(await ran(upstream, { model })).toBe(', who')
  expect(lastMessages(server)).toEqual([isNative ? { role: 'assistant', content: prefill } : inWords])
})

test("dialects: Ollama's /v1 is asked in words: a template that begins anew says nothing of it", async () => {
  const server = await replayServer(saying('once a fox', ' called Eva', ', who'))
  expect(await ran(upstreamOf(server, 'ollama'))).toBe(', who')
  expect(lastMessages(server)).toEqual([inWords])
})

// Refusals

test('dialects: a Mistral model without thinking goes on with a reply natively', async () => {
  const refusal = json(422, {
    detail: [{ type: 'extra_forbidden', loc: ['body', 'reasoning_effort'], msg: 'Extra inputs are not permitted' }],
  })
  const server = await replayServer(({ body }) =>
    body.includes('reasoning_effort') ? refusal : saying(`${prefill}, who`),
  )
  expect(await ran(upstreamOf(server, 'mistral'))).toBe(', who')
  expect(lastMessages(server)).toEqual([{ role: 'assistant', content: prefill, prefix: true }])
})

test('dialects: a thinking field that is refused with a continuation is asked in words', async () => {
  const refusal = json(400, { message: 'reasoning_effort is not enabled for this model' })
  const server = await replayServer(({ body }) => (body.includes('"none"') ? refusal : saying(', who')))
  const upstream = upstreamOf(server, 'mistral')
  expect(await ran(upstream, { think: 'high' })).toBe(', who')
  expect(await continuationOf(upstream)).toEqual({ plain: 'native', thinking: 'instruction' })
})

test('dialects: a busy server that names the field is asked again when it says, and teaches nothing', async () => {
  const busy = json(
    429,
    { error: { message: 'prefix cache is being rebuilt; prefix not supported' } },
    { 'Retry-After': '20' },
  )
  const server = await replayServer(busy)
  const upstream = upstreamOf(server, 'deepseek')
  await expect(ran(upstream)).rejects.toMatchObject({ code: 'upstream_busy', retryAfterMs: 20_000 })
  expect(lastMessages(server)).toHaveLength(1)
  expect((await continuationOf(upstream))?.plain).toBe('native')
})

test('dialects: a request that is refused in words, too, teaches nothing', async () => {
  const server = await replayServer(json(422, { detail: [{ loc: ['temperature'], msg: 'Unknown parameter: prefix' }] }))
  const upstream = upstreamOf(server, 'mistral')
  await expect(ran(upstream)).rejects.toMatchObject({ code: 'upstream_rejected' })
  expect(lastMessages(server)).toHaveLength(2)
  expect((await continuationOf(upstream))?.plain).toBe('native')
})

// A dialect of one's own

const acme: Dialect = {
  url: 'http://127.0.0.1:9000/v1',
  continuation: { body: { go_on: true } },
  echo: 'never',
  send: {},
  think: { on: {}, off: {} },
  history: {},
  listsModels: true,
}
const reply = (frames: readonly unknown[], facts: Partial<Dialect> = {}) =>
  replayServer(stream(...frames.map(frame))).then((server) => events(upstreamOf(server, { ...acme, ...facts })))
const ended = (reason: string | null): unknown => ({ choices: [{ delta: { content: 'Hi' }, finish_reason: reason }] })

test('dialects: the sentences of a dialect of its own refuse a continuation, and others do not', async () => {
  const server = await replayServer(({ body }) =>
    body.includes('go_on') ? json(400, { error: 'We only ever start afresh.' }) : saying(', who'),
  )
  await expect(ran(upstreamOf(server, acme))).rejects.toMatchObject({ code: 'upstream_rejected' })
  expect(await ran(upstreamOf(server, { ...acme, refusals: /only ever start afresh/ }))).toBe(', who')
})

test('dialects: a dialect of its own says which fields think, in their order, and no others do', async () => {
  const frames = [{ choices: [{ delta: { inner: 'Hm', musing: 'x', reasoning: 'y' } }] }, ended('stop'), '[DONE]']
  const thoughts = async (facts?: Partial<Dialect>) =>
    (await reply(frames, facts)).flatMap((event) => ('thinking' in event ? [event.thinking] : []))
  expect(await thoughts({ thinkingFields: ['absent', 'inner', 'musing'] })).toEqual(['Hm'])
  expect(await thoughts()).toEqual(['y'])
})

test('dialects: where `[DONE]` proves success, a reply without a reason ends with it, and an empty one does not', async () => {
  const facts = { proof: '[DONE]' } as const
  expect(await reply([ended(null), '[DONE]'], facts)).toEqual([{ message: 'Hi' }, { finish: 'stop' }])
  expect((await reply([ended(null)], facts)).some((event) => 'finish' in event)).toBe(false)
  expect((await reply([ended('length'), '[DONE]'], facts)).at(-1)).toEqual({ finish: 'length' })
  const call = (args: string): unknown => ({
    choices: [{ delta: { tool_calls: [{ index: 0, id: 'a', function: { name: 'now', arguments: args } }] } }],
  })
  expect((await reply([call('{}'), '[DONE]'], facts)).slice(-2)).toEqual([
    { tool_call: { id: 'a', name: 'now', arguments: {} } },
    { finish: 'tool_calls' },
  ])
  const broken = await reply([call('{'), '[DONE]'], facts)
  expect(broken.filter((event) => 'error' in event)).toMatchObject([{ error: { code: 'upstream_malformed' } }])
  const incomplete = { error: { code: 'upstream_incomplete' } }
  expect((await reply([{ choices: [] }, '[DONE]'], facts)).at(-1)).toMatchObject(incomplete)
  // A pool judges what ends without a reason.
  expect(await reply([ended(null), '[DONE]'])).toEqual([{ message: 'Hi' }])
})

test('dialects: a dialect of its own says what its finish reasons mean, before what all know', async () => {
  const finishReasons = { budget: 'length', evicted: 'upstream_busy', content_filter: 'stop' } as const
  const last = async (reason: string) => (await reply([ended(reason), '[DONE]'], { finishReasons })).at(-1)
  expect(await last('budget')).toEqual({ finish: 'length' })
  expect(await last('evicted')).toMatchObject({ error: { code: 'upstream_busy', retryable: true } })
  expect(await last('content_filter')).toEqual({ finish: 'stop' })
  expect(await last('error')).toMatchObject({ error: { code: 'upstream_failed' } })
  expect(await last('toString')).toMatchObject({ error: { code: 'upstream_incomplete', retryable: false } })
})

test('dialects: a dialect of its own says what its errors mean, by a status, in a stream and in place of one', async () => {
  const upstream = async (play: Recording) =>
    ran(upstreamOf(await replayServer(play), { ...acme, errors: [[/out of credit/i, 'upstream_rejected']] }))
  const error = { error: { message: 'Out of credit' } }
  for (const play of [json(503, error), stream(frame(error)), json(200, error)])
    await expect(upstream(play)).rejects.toMatchObject({ code: 'upstream_rejected', retryable: false })
  await expect(upstream(json(503, {}))).rejects.toMatchObject({ code: 'upstream_busy' })
})
