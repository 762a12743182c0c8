import { pushing } from './support/answers.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { nodeTransport } from '../src/node/index.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import { manualClock } from '../src/testing/index.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import {
  continueInstruction,
  openaiCompatible,
  type OpenAiCompatibleOptions,
  type Transport,
  type TransportRequest,
  type Upstream,
  type UpstreamEvent,
  type UpstreamRequest,
} from '../src/upstream/index.ts'
import { isChatError, type ChatError } from '../src/wire/errors.ts'
import { closedPort } from './support/listen.ts'
import { openAiRecording, openAiRecordings, readByHand } from './support/openai-recordings.ts'
import { bodyOf, handmade, replayServer, type Recording } from './support/replay-server.ts'

const request: UpstreamRequest = {
  model: 'nano',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill: '',
  interruptedNote: null,
}
const frame = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const delta = (content: string, finish: string | null = null): string =>
  frame({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })
const done = frame('[DONE]')
const stream = (reads: readonly string[], more: Partial<NonNullable<Recording['response']>> = {}): Recording =>
  handmade(reads, { headers: { 'Content-Type': 'text/event-stream' }, ...more })
const json = (status: number, body: unknown): Recording =>
  handmade([JSON.stringify(body)], { status, headers: { 'Content-Type': 'application/json' } })

/** One run of an upstream, to its end. */
async function ran(
  upstream: Upstream,
  more: Partial<UpstreamRequest> = {},
): Promise<{ end: string; text: string; run: Run }> {
  const run = startRun({
    runId: 'run',
    sessionId: 'sess',
    model: 'nano',
    open: (_question, sink, signal) => upstream.open({ ...request, ...more }, sink, signal),
    clock: manualClock(),
    fuse: fuseDefaults,
    orphanMs: 0,
  })
  const terminal = await run.ended
  const end = terminal.reason === 'error' ? terminal.error.code : terminal.reason
  return { end, text: run.log.partial().content, run }
}
const upstreamOf = (url: string, more: Partial<OpenAiCompatibleOptions> = {}): Upstream =>
  openaiCompatible({ url: `${url}/v1`, model: 'nano', transport: nodeTransport(), ...more })

/** What a run failed with; its cause is what must not travel. */
const errorOf = (run: Run): ChatError => {
  if (!isChatError(run.error)) throw new Error('the run did not fail')
  return run.error
}

// What was recorded from real servers

/** How those end that are no stream that finishes by itself. */
const failed: Readonly<Record<string, string>> = {
  'llama-v1-connection-refused': 'upstream_unreachable',
  'llama-v1-loading': 'upstream_busy',
  'llama-v1-malformed-json': 'upstream_failed',
  'llama-v1-non-stream-abort-busy': 'upstream_unreachable',
  'llama-v1-non-stream-abort': 'upstream_unreachable',
  'llama-v1-server-killed-before-head': 'upstream_unreachable',
  'llama-v1-server-killed': 'upstream_unreachable',
  'llama-v1-server-sigterm-ping': 'upstream_unreachable',
  'llama-v1-server-sigterm': 'upstream_unreachable',
  'llama-v1-too-long-prompt': 'upstream_rejected',
  'llama-v1-two-assistants': 'upstream_rejected',
  'llama07-v1-malformed-json': 'upstream_rejected',
  'llama07-v1-server-sigterm': 'upstream_unreachable',
  'llama07-v1-two-assistants': 'upstream_rejected',
  'ollama-v1-reasoning-unsupported': 'upstream_rejected',
  'ollama-v1-runner-killed': 'upstream_incomplete',
  'ollama-v1-server-killed': 'upstream_unreachable',
  'ollama-v1-tools-unsupported': 'upstream_rejected',
  'ollama-v1-unknown-model': 'upstream_model_missing',
}

function wholeByHand(body: string): { readonly text: string; readonly reason: string } {
  const [choice] = (JSON.parse(body) as { choices: { message: { content: string }; finish_reason: string }[] }).choices
  return { text: choice!.message.content, reason: choice!.finish_reason }
}

for (const name of openAiRecordings().filter((one) => !one.endsWith('client-abort'))) {
  test(`openai: the recording ${name}, over a socket, gives its text and its end`, async () => {
    const play = openAiRecording(name)
    const server = play.response ? await replayServer(play) : undefined
    const { end, text, run } = await ran(upstreamOf(server?.url ?? `http://127.0.0.1:${await closedPort()}`))
    // A whole answer in one piece of JSON is a reply, too.
    const isWhole = play.response !== null && name.includes('non-stream')
    const { text: theirs, reason } = isWhole
      ? wholeByHand(bodyOf(play).toString())
      : readByHand(bodyOf(play).toString())
    expect(text).toBe(theirs)
    expect(end).toBe(failed[name] ?? reason)
    expect(Object.hasOwn(failed, name)).toBe(reason === undefined)
    const body = bodyOf(play).toString()
    if (run.error && body !== '') expect(errorOf(run).message).not.toContain(body.slice(0, 20))
    await server?.allClosed()
  })
}

for (const name of openAiRecordings().filter((one) => one.endsWith('client-abort'))) {
  test(`openai: the recording ${name}: an interrupt closes the socket and keeps the partial`, async () => {
    const play = openAiRecording(name)
    const server = await replayServer(play, { holdAt: play.response!.reads.length })
    const abort = new AbortController()
    const reply = eventsOf(upstreamOf(server.url), request, abort.signal)[Symbol.asyncIterator]()
    const { text: theirs } = readByHand(bodyOf(play).toString())
    let text = ''
    while (text !== theirs) {
      const { value = [] } = (await reply.next()) as IteratorResult<readonly UpstreamEvent[], undefined>
      text += value.map((event) => ('message' in event ? event.message : '')).join('')
    }
    const rest = reply.next()
    abort.abort(new DOMException('enough', 'AbortError'))
    await expect(rest).rejects.toMatchObject({ name: 'AbortError', message: 'enough' })
    expect(await (await server.next()).closed).toBe(false)
  })
}

for (const name of [
  'llama-v1-usage',
  'llama-v1-long',
  'llama-v1-ping-mid',
  'llama07-v1-continue-word-end',
  'ollama-v1-story',
]) {
  test(`openai: OpenAI's own client reads the same text from the recording ${name}`, async () => {
    const server = await replayServer(openAiRecording(name))
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'k', maxRetries: 0 })
    let theirs = ''
    let reason: string | null = null
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    for await (const chunk of await client.chat.completions.create({ model: 'nano', messages, stream: true })) {
      theirs += chunk.choices[0]?.delta.content ?? ''
      reason = chunk.choices[0]?.finish_reason ?? reason
    }
    const { text, end } = await ran(upstreamOf(server.url))
    expect(text).toBe(theirs)
    expect(end).toBe(reason)
    expect(theirs.length).toBeGreaterThan(0)
  })
}

// Requests

test('openai: one POST goes up, with the key, the own headers and nothing else', async () => {
  const server = await replayServer(stream([delta('Hi', 'stop'), done]))
  const upstream = upstreamOf(server.url, {
    apiKey: 'sk-1',
    headers: { 'OpenAI-Organization': 'org' },
    body: { temperature: 0 },
  })
  expect(await ran(upstream, { options: { top_p: 1 } })).toMatchObject({ end: 'stop', text: 'Hi' })
  const [one, ...more] = server.requests
  expect(more).toEqual([])
  expect(one).toMatchObject({ method: 'POST', path: '/v1/chat/completions' })
  expect(Object.keys(one!.headers).sort()).toEqual(
    [
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'openai-organization',
    ].sort(),
  )
  expect(one!.headers).toMatchObject({ authorization: 'Bearer sk-1', accept: 'text/event-stream' })
  expect(JSON.parse(one!.body)).toEqual({
    stream_options: { include_usage: true },
    temperature: 0,
    top_p: 1,
    model: 'nano',
    messages: request.messages,
    stream: true,
  })
})

test.for<[string, Partial<OpenAiCompatibleOptions>, RegExp]>([
  ['no model', { model: '' }, /name a model/],
  ['no http URL', { url: 'ftp://x' }, /not an http/],
  ['a dialect nobody knows', { dialect: 'toString' as 'openai' }, /unknown: toString/],
  ['X-Conversation-Id, which keeps llama.cpp going', { headers: { 'X-Conversation-ID': 'c' } }, /stopping/],
  ['a key with a line end', { apiKey: 'sk-secret\n' }, /no header may hold/],
])('openai: %s is refused at once', ([, options, message]) => {
  const make = (): Upstream => openaiCompatible({ model: 'm', ...options })
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
  expect(make).not.toThrow(/secret/)
})

// Failures

test.for<[string, Recording, string, boolean]>([
  [
    '401 that repeats the key',
    json(401, { error: { message: 'Incorrect API key provided: sk-secret.' } }),
    'upstream_unauthorized',
    false,
  ],
  ['429', json(429, { error: { message: 'slow down' } }), 'upstream_busy', true],
  ['502', json(502, {}), 'upstream_unreachable', true],
  ['500', json(500, { error: 'no' }), 'upstream_failed', true],
  ['200 with JSON of an error', json(200, { error: { code: 503, message: 'Loading model' } }), 'upstream_busy', true],
  ['200 with a page', handmade(['<html>'], { headers: { 'Content-Type': 'text/html' } }), 'upstream_malformed', true],
  ['nothing at all', stream([]), 'upstream_incomplete', true],
  ['[DONE] alone', stream([done]), 'upstream_incomplete', true],
  ['an error that repeats the key', stream([frame({ error: { message: 'no sk-secret' } })]), 'upstream_failed', true],
  [
    'three frames in a row that are no JSON',
    stream([frame('{x'), frame('{y'), frame('{z')]),
    'upstream_malformed',
    true,
  ],
])('openai: %s fails the run, and neither the words nor the key travel', async ([, play, code, retryable]) => {
  const server = await replayServer(play)
  const { end, run, text } = await ran(upstreamOf(server.url, { apiKey: 'sk-secret' }))
  expect({ end, text }).toEqual({ end: code, text: '' })
  const terminal = JSON.stringify(await run.ended)
  expect(terminal).toContain(`"retryable":${retryable}`)
  expect(terminal).not.toMatch(/sk-secret|slow|Loading|html/)
  expect(String(errorOf(run).cause)).not.toContain('sk-secret')
  await server.allClosed()
})

test('openai: a socket that breaks after the finish chunk takes nothing from a reply that is whole', async () => {
  const server = await replayServer(stream([delta('Hi'), delta('', 'stop')], { ended: 'reset', socket: 'fin' }))
  expect(await ran(upstreamOf(server.url))).toMatchObject({ end: 'stop', text: 'Hi' })
})

test('openai: an abort closes the socket before the head, before the first delta and in mid text', async () => {
  for (const holdAt of ['head', 0, 1] as const) {
    const server = await replayServer(stream([delta('Hi'), delta(' you', 'stop'), done]), { holdAt })
    const abort = new AbortController()
    const reply = eventsOf(upstreamOf(server.url), request, abort.signal)[Symbol.asyncIterator]()
    if (holdAt === 1) await reply.next()
    const next = reply.next()
    const asked = await server.next()
    await asked.holding
    abort.abort()
    await expect(next).rejects.toMatchObject({ name: 'AbortError' })
    expect(await asked.closed).toBe(false)
  }
})

// Continuations

const prefill = 'There was once a fox called Eva'
const messagesOf = (body: string): { role: string; content: string }[] =>
  (JSON.parse(body) as { messages: { role: string; content: string }[] }).messages

test('openai: llama.cpp continues by its own means, and what it recorded is the rest of the story', async () => {
  const server = await replayServer(openAiRecording('llama-v1-continue-word-end'))
  const known = readByHand(bodyOf(openAiRecording('llama-v1-story')).toString()).text
  const begun = 'There was once a fox called Eva, who lived in a house by the old'
  const { text } = await ran(upstreamOf(server.url, { dialect: 'llamacpp' }), { prefill: begun })
  expect(begun + text).toBe(known)
  expect(JSON.parse(server.requests[0]!.body)).toMatchObject({ continue_final_message: true })
})

test('openai: what llama.cpp says again without its flags is removed, as recorded', async () => {
  // The recording's own partial, said again by a server that was not told to keep it.
  const play = openAiRecording('llama-v1-implicit-word-end')
  const server = await replayServer(play)
  const { messages } = play.request.body as { messages: { content: string }[] }
  const begun = messages.at(-1)!.content
  const known = readByHand(bodyOf(openAiRecording('llama-v1-story')).toString()).text
  const { text } = await ran(upstreamOf(server.url, { dialect: 'llamacpp' }), { prefill: begun })
  expect(begun + text).toBe(known)
})

test('openai: Mistral says the partial again, split over deltas, and the person does not see it', async () => {
  const server = await replayServer(
    stream([delta('There was'), delta(' once a fox'), delta(' called Eva, who'), delta('', 'stop'), done]),
  )
  expect(await ran(upstreamOf(server.url, { dialect: 'mistral' }), { prefill })).toMatchObject({
    end: 'stop',
    text: ', who',
  })
})

test('openai: DeepSeek continues below /beta, and starts a reply where it always does', async () => {
  const server = await replayServer(stream([delta(', who', 'stop'), done]))
  const upstream = upstreamOf(server.url, { dialect: 'deepseek' })
  await ran(upstream)
  await ran(upstream, { prefill })
  await ran(openaiCompatible({ url: `${server.url}/beta`, model: 'm', dialect: 'deepseek' }), { prefill })
  expect(server.requests.map(({ path }) => path)).toEqual([
    '/v1/chat/completions',
    '/beta/chat/completions',
    '/beta/chat/completions',
  ])
  expect(messagesOf(server.requests[1]!.body).at(-1)).toEqual({ role: 'assistant', content: prefill, prefix: true })
})

test('openai: a server without means is asked in words, and what it says again is removed', async () => {
  const server = await replayServer(stream([delta('a fox called'), delta(' Eva, who'), delta('', 'stop'), done]))
  expect(await ran(upstreamOf(server.url), { prefill })).toMatchObject({ end: 'stop', text: ', who' })
  expect(messagesOf(server.requests[0]!.body)).toEqual([
    ...request.messages,
    { role: 'assistant', content: prefill },
    { role: 'user', content: continueInstruction },
  ])
})

for (const [where, refusal] of [
  [
    'by a status',
    json(400, { error: { code: 400, message: 'Assistant response prefill is incompatible with enable_thinking.' } }),
  ],
  [
    'in its stream',
    stream([
      frame({ error: { code: 400, message: 'Cannot continue an assistant message that contains tool calls.' } }),
    ]),
  ],
] as const) {
  test(`openai: a server that refuses ${where} is asked in words, once, and it is learnt per model and thinking`, async () => {
    const server = await replayServer(({ body }) =>
      body.includes('continue_final_message') ? refusal : stream([delta(', who', 'stop'), done]),
    )
    const upstream = upstreamOf(server.url, { dialect: 'llamacpp' })
    const asked = (): boolean[] => server.requests.map(({ body }) => body.includes('continue_final_message'))
    expect(await ran(upstream, { prefill })).toMatchObject({ end: 'stop', text: ', who' })
    expect(asked()).toEqual([true, false])
    await ran(upstream, { prefill })
    expect(asked()).toEqual([true, false, false])
    await ran(upstream, { prefill, think: true })
    await ran(upstream, { prefill, model: 'other' })
    expect(asked().slice(3)).toEqual([true, false, true, false])
    await ran(upstreamOf(server.url, { dialect: 'llamacpp' }), { prefill })
    expect(asked().slice(7)).toEqual([true, false])
  })
}

test('openai: a server that refuses in words, too, is asked no third time; another fault teaches nothing', async () => {
  const refusing = await replayServer(json(400, { error: { message: 'conversation must end with a user message' } }))
  expect(await ran(upstreamOf(refusing.url, { dialect: 'vllm' }), { prefill })).toMatchObject({
    end: 'upstream_rejected',
  })
  expect(refusing.requests).toHaveLength(2)
  const busy = await replayServer(json(503, { error: { message: 'Loading model' } }))
  const upstream = upstreamOf(busy.url, { dialect: 'vllm' })
  await ran(upstream, { prefill })
  await ran(upstream, { prefill })
  expect(busy.requests.map(({ body }) => body.includes('continue_final_message'))).toEqual([true, true])
})

test('openai: a continuation that breaks off keeps what came', async () => {
  const server = await replayServer(stream([delta(', who'), delta(' lived')], { ended: 'reset', socket: 'fin' }))
  const upstream = upstreamOf(server.url, { dialect: 'vllm' })
  expect(await ran(upstream, { prefill })).toMatchObject({ end: 'upstream_unreachable', text: ', who lived' })
})

test('openai: a body that ends in mid echo gives out what was held back', async () => {
  const server = await replayServer(stream([delta('There was')]))
  expect(await ran(upstreamOf(server.url, { dialect: 'llamacpp' }), { prefill })).toMatchObject({ text: 'There was' })
})

// Status

/** A transport that answers by path. */
function answering(answers: Readonly<Record<string, readonly [status: number, body: unknown]>>): {
  asked: TransportRequest[]
  transport: Transport
} {
  const asked: TransportRequest[] = []
  const transport: Transport = pushing(async (one) => {
    asked.push(one)
    const [status, body] = answers[new URL(one.url).pathname] ?? [404, '']
    return {
      status,
      header: () => undefined,
      body: (async function* () {
        yield new TextEncoder().encode(JSON.stringify(body))
      })(),
    }
  })
  return { asked, transport }
}
const models = (...ids: string[]): readonly [number, unknown] => [
  200,
  { object: 'list', data: ids.map((id) => ({ id })) },
]

test.for<[string, Partial<OpenAiCompatibleOptions>, Parameters<typeof answering>[0], string]>([
  ['lists the model', {}, { '/v1/models': models('nano', 'x') }, 'ready'],
  ['lists it with a tag', { dialect: 'ollama' }, { '/v1/models': models('nano:latest') }, 'ready'],
  ['lists others', {}, { '/v1/models': models('x') }, 'model_missing'],
  ['refuses the key', {}, { '/v1/models': [401, {}] }, 'unauthorized'],
  ['refuses the key otherwise', { dialect: 'openrouter' }, { '/v1/models': [403, {}] }, 'unauthorized'],
  [
    'refuses the key before it tells its health',
    { dialect: 'llamacpp' },
    { '/health': [401, {}], '/v1/models': [401, {}] },
    'unauthorized',
  ],
  ['says what is no list', {}, { '/v1/models': [200, 'x'] }, 'model_missing'],
  [
    'ignores names',
    { dialect: 'llamacpp' },
    { '/health': [200, { status: 'ok' }], '/v1/models': models('x') },
    'ready',
  ],
  ['loads', { dialect: 'llamacpp' }, { '/health': [503, { error: { message: 'Loading model' } }] }, 'idle'],
  ['has no list', { dialect: 'dashscope' }, {}, 'ready'],
  ['has no list, where there should be one', {}, {}, 'ready'],
  ['lets nobody get its list', { dialect: 'dashscope' }, { '/v1/models': [405, {}] }, 'ready'],
  ['lets nobody get its list, where there should be one', {}, { '/v1/models': [405, {}] }, 'ready'],
  ['is too busy to tell', {}, { '/v1/models': [503, {}] }, 'unreachable'],
  ['fails', { dialect: 'openrouter' }, { '/v1/models': [500, {}] }, 'unreachable'],
])('openai: the status of a server that %s', async ([, options, answers, state]) => {
  const { asked, transport } = answering(answers)
  const upstream = openaiCompatible({ url: 'http://h/v1', model: 'nano', apiKey: 'k', transport, ...options })
  expect(await upstream.status?.(new AbortController().signal)).toMatchObject({ state })
  expect(asked.every(({ method, headers }) => method === 'GET' && headers['authorization'] === 'Bearer k')).toBe(true)
})

test('openai: the status says how replies are continued, also where the server is away', async () => {
  const url = `http://127.0.0.1:${await closedPort()}`
  const told = await Promise.all(
    (['llamacpp', 'openai'] as const).map((dialect) =>
      upstreamOf(url, { dialect }).status!(new AbortController().signal),
    ),
  )
  expect(told.map((status) => status?.continuation?.plain)).toEqual(['native', 'instruction'])
})

test('openai: the status of a server that is not there', async () => {
  const upstream = upstreamOf(`http://127.0.0.1:${await closedPort()}`, { dialect: 'llamacpp' })
  expect(await upstream.status?.(new AbortController().signal)).toMatchObject({ state: 'unreachable' })
})

test('openai: the status as real servers say it, and no socket stays', async () => {
  const server = await replayServer(({ path }) =>
    openAiRecording(path === '/health' ? 'llama-get-health' : 'llama-get-v1-models'),
  )
  expect(await upstreamOf(server.url, { dialect: 'llamacpp' }).status?.(new AbortController().signal)).toMatchObject({
    state: 'ready',
  })
  await server.allClosed()
  const other = await replayServer(openAiRecording('ollama-get-v1-models'))
  expect(await upstreamOf(other.url, { dialect: 'ollama' }).status?.(new AbortController().signal)).toMatchObject({
    state: 'ready',
  })
})
