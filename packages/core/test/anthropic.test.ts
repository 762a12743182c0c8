import { pushing } from './support/answers.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import Anthropic, { APIError } from '@anthropic-ai/sdk'
import { expect, onTestFinished, test, vi } from 'vitest'
import { nodeTransport } from '../src/node/index.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import { manualClock } from '../src/testing/index.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import {
  anthropic,
  continueInstruction,
  openaiCompatible,
  type AnthropicOptions,
  type Transport,
  type TransportRequest,
  type Upstream,
  type UpstreamEvent,
  type UpstreamRequest,
} from '../src/upstream/index.ts'
import { isChatError, type ChatError } from '../src/wire/errors.ts'
import { anthropicBreaches } from './support/anthropic-rules.ts'
import {
  anthropicSample,
  anthropicSamples,
  block,
  frame,
  reason,
  said,
  start,
  stop,
} from './support/anthropic-samples.ts'
import { closedPort } from './support/listen.ts'
import { handmade, replayServer, type Recording } from './support/replay-server.ts'

const request: UpstreamRequest = {
  model: 'claude-sonnet-4-5',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill: '',
  interruptedNote: null,
}
const stream = (reads: readonly string[], more: Partial<NonNullable<Recording['response']>> = {}): Recording =>
  handmade(reads, { headers: { 'Content-Type': 'text/event-stream; charset=utf-8' }, ...more })
const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Recording =>
  handmade([JSON.stringify(body)], { status, headers: { 'Content-Type': 'application/json', ...headers } })
const failure = (type: string, message: string): object => ({
  type: 'error',
  error: { type, message },
  request_id: 'req_1',
})
const reply = (...texts: string[]): Recording => stream([start, ...texts.map(said), reason('end_turn'), stop])

const upstreamOf = (url: string, more: Partial<AnthropicOptions> = {}): Upstream =>
  anthropic({ url, model: request.model, transport: nodeTransport(), ...more })

/** One run of an upstream, to its end. */
async function ran(
  upstream: Upstream,
  more: Partial<UpstreamRequest> = {},
): Promise<{ end: string; text: string; run: Run }> {
  const run = startRun({
    runId: 'run',
    sessionId: 'sess',
    model: request.model,
    open: (_question, sink, signal) => upstream.open({ ...request, ...more }, sink, signal),
    clock: manualClock(),
    fuse: fuseDefaults,
    orphanMs: 0,
  })
  const terminal = await run.ended
  const end = terminal.reason === 'error' ? terminal.error.code : terminal.reason
  return { end, text: run.log.partial().content, run }
}
/** What a run failed with; its cause is what must not travel. */
const errorOf = (run: Run): ChatError => {
  if (!isChatError(run.error)) throw new Error('the run did not fail')
  return run.error
}

// Replies

test('anthropic: a reply with thinking and calls comes over a socket as it was sent', async () => {
  const server = await replayServer(stream([anthropicSample('tools').toString()]))
  const { end, text, run } = await ran(upstreamOf(server.url))
  expect({ end, text }).toEqual({ end: 'tool_calls', text: 'Okay, let me check:' })
  expect(run.log.partial().tool_calls).toMatchObject([{ name: 'get_weather' }, { name: 'now' }])
  expect(await run.ended).toMatchObject({ usage: { prompt_tokens: 472, completion_tokens: 89 } })
  const thinking = await replayServer(stream([anthropicSample('thinking').toString()]))
  const other = await ran(upstreamOf(thinking.url), { think: true })
  expect(other.run.log.partial()).toMatchObject({ thinking: /Euclidean/, content: /\*\*21\*\*/ })
  await Promise.all([server.allClosed(), thinking.allClosed()])
})

for (const name of anthropicSamples().filter((one) => one !== 'crlf')) {
  test(`anthropic: Anthropic's own client reads the same text from the sample ${name}`, async () => {
    const server = await replayServer(stream([anthropicSample(name).toString()]))
    const client = new Anthropic({ baseURL: server.url, apiKey: 'k', maxRetries: 0 })
    const model = 'claude-opus-5'
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    let theirs = ''
    let why: string | null = null
    let hasFailed = false
    try {
      for await (const event of await client.messages.create({ model, messages, max_tokens: 9, stream: true })) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') theirs += event.delta.text
        if (event.type === 'message_delta') why = event.delta.stop_reason ?? why
      }
    } catch (error) {
      if (!(error instanceof APIError)) throw error
      hasFailed = true
    }
    const { text, end } = await ran(upstreamOf(server.url))
    expect(text).toBe(theirs)
    // A refusal, a turn that the server paused, a broken call and an end without a reason are no failures to it; it leaves them to the app.
    const failsHere = hasFailed || why === null || why === 'refusal' || why === 'pause_turn' || name === 'tools-broken'
    expect(end.startsWith('upstream_')).toBe(failsHere)
  })
}

// Requests

test('anthropic: one POST goes up, with the key, the own headers and nothing else', async () => {
  const server = await replayServer(reply('Hi'))
  const options = { apiKey: 'sk-ant-1', headers: { 'Anthropic-Beta': 'b' }, body: { temperature: 0 } }
  const upstream = upstreamOf(`${server.url}/v1/`, options)
  const tools = [{ name: 'now' }]
  expect(await ran(upstream, { tools, options: { top_k: 1 } })).toMatchObject({ end: 'stop', text: 'Hi' })
  const [one, ...more] = server.requests
  expect(more).toEqual([])
  expect(one).toMatchObject({ method: 'POST', path: '/v1/messages' })
  expect(Object.keys(one!.headers).sort()).toEqual(
    [
      'accept',
      'accept-encoding',
      'anthropic-beta',
      'anthropic-version',
      'connection',
      'content-length',
      'content-type',
      'host',
      'x-api-key',
    ].sort(),
  )
  expect(one!.headers).toMatchObject({ 'x-api-key': 'sk-ant-1', 'anthropic-version': '2023-06-01' })
  expect(JSON.parse(one!.body)).toEqual({
    max_tokens: 16_384,
    temperature: 0,
    top_k: 1,
    tools: [{ name: 'now', input_schema: { type: 'object', properties: {} } }],
    model: 'claude-sonnet-4-5',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    stream: true,
  })
  expect(anthropicBreaches(one!.body)).toEqual([])
})

test.for<[string, Partial<AnthropicOptions>, RegExp]>([
  ['no model', { model: '' }, /name a model/],
  ['no http URL', { url: 'ftp://x' }, /not an http/],
  ['no room for an answer', { maxTokens: 0 }, /maxTokens/],
  ['half a token', { maxTokens: 1.5 }, /maxTokens/],
  ['a key with a line end', { apiKey: 'sk-secret\n' }, /no header may hold/],
])('anthropic: %s is refused at once', ([, options, message]) => {
  const make = (): Upstream => anthropic({ model: 'm', ...options })
  expect(make).toThrow(message)
  expect(make).not.toThrow(/secret/)
})

// Failures

test.for<[string, Recording, string, boolean]>([
  [
    '401 that repeats the key',
    json(401, failure('authentication_error', 'no sk-secret')),
    'upstream_unauthorized',
    false,
  ],
  ['400', json(400, failure('invalid_request_error', 'slow')), 'upstream_rejected', false],
  ['404', json(404, failure('not_found_error', 'model: m')), 'upstream_model_missing', false],
  ['429', json(429, failure('rate_limit_error', 'slow down')), 'upstream_busy', true],
  ['529', json(529, failure('overloaded_error', 'Overloaded')), 'upstream_busy', true],
  ['500', json(500, failure('api_error', 'no')), 'upstream_failed', true],
  ['504', json(504, failure('timeout_error', 'no')), 'upstream_unreachable', true],
  ['200 with JSON of an error', json(200, failure('overloaded_error', 'Overloaded')), 'upstream_busy', true],
  ['200 with a page', handmade(['<html>'], { headers: { 'Content-Type': 'text/html' } }), 'upstream_malformed', true],
  ['nothing at all', stream([]), 'upstream_incomplete', true],
  ['a start without a reply', stream([start]), 'upstream_incomplete', true],
  ['message_stop alone', stream([start, stop]), 'upstream_incomplete', true],
  [
    'an error that repeats the key',
    stream([frame(failure('api_error', 'no sk-secret') as { type: string })]),
    'upstream_failed',
    true,
  ],
])('anthropic: %s fails the run, and neither the words nor the key travel', async ([, play, code, retryable]) => {
  const server = await replayServer(play)
  const { end, run, text } = await ran(upstreamOf(server.url, { apiKey: 'sk-secret' }))
  expect({ end, text }).toEqual({ end: code, text: '' })
  const terminal = JSON.stringify(await run.ended)
  expect(terminal).toContain(`"retryable":${retryable}`)
  expect(terminal).not.toMatch(/sk-secret|slow|Overloaded|html/)
  expect(String(errorOf(run).cause)).not.toContain('sk-secret')
  await server.allClosed()
})

test('anthropic: a server that is not there is unreachable', async () => {
  expect(await ran(upstreamOf(`http://127.0.0.1:${await closedPort()}`))).toMatchObject({ end: 'upstream_unreachable' })
})

test('anthropic: an error in mid reply keeps what came', async () => {
  const server = await replayServer(stream([anthropicSample('error-overloaded').toString()]))
  expect(await ran(upstreamOf(server.url))).toMatchObject({ end: 'upstream_busy', text: 'Half' })
})

test('anthropic: Retry-After is told, also as a date', async () => {
  const clock = manualClock()
  clock.advance(Date.UTC(2026, 10, 22))
  for (const [header, ms] of [
    ['7', 7_000],
    ['Sun, 22 Nov 2026 00:00:09 GMT', 9_000],
  ] as const) {
    const server = await replayServer(json(429, failure('rate_limit_error', 'slow'), { 'Retry-After': header }))
    const { run } = await ran(upstreamOf(server.url, { clock }))
    expect(errorOf(run).retryAfterMs).toBe(ms)
  }
})

test('anthropic: a socket that breaks behind the reason takes nothing from a reply that is whole, before it all', async () => {
  const broken = { ended: 'reset', socket: 'fin' } as const
  const whole = await replayServer(stream([start, said('Hi'), reason('end_turn')], broken))
  expect(await ran(upstreamOf(whole.url))).toMatchObject({ end: 'stop', text: 'Hi' })
  const half = await replayServer(stream([start, said('Hi')], broken))
  expect(await ran(upstreamOf(half.url))).toMatchObject({ end: 'upstream_unreachable', text: 'Hi' })
})

for (const [where, holdAt, before] of [
  ['before the head', 'head', 0],
  ['before the first delta', 1, 1],
  ['in mid text', 2, 2],
  ['in mid call', 4, 4],
] as const) {
  test(`anthropic: an abort ${where} closes the socket`, async () => {
    const call = { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} }
    const args = (partial_json: string): string =>
      block('content_block_delta', { delta: { type: 'input_json_delta', partial_json } })
    const play = stream([
      start,
      said('Hi'),
      block('content_block_start', { content_block: call }),
      args('{"x":'),
      args('1}'),
    ])
    const server = await replayServer(play, { holdAt })
    const abort = new AbortController()
    const events: UpstreamEvent[] = []
    const replying = eventsOf(upstreamOf(server.url), request, abort.signal)[Symbol.asyncIterator]()
    while (events.length < before)
      events.push(...((await replying.next()) as IteratorYieldResult<readonly UpstreamEvent[]>).value)
    const next = replying.next()
    const asked = await server.next()
    await asked.holding
    abort.abort()
    await expect(next).rejects.toMatchObject({ name: 'AbortError' })
    expect(await asked.closed).toBe(false)
    expect(events.some((event) => 'tool_call' in event)).toBe(false)
  })
}

// Continuations

const prefill = 'There was once a fox called Eva'
const refused = json(
  400,
  failure(
    'invalid_request_error',
    'This model does not support assistant message prefill. The conversation must end with a user message.',
  ),
)
const lastOf = (body: string): { role: string; content: { text: string }[] } =>
  (JSON.parse(body) as { messages: { role: string; content: { text: string }[] }[] }).messages.at(-1)!
const isPrefill = (body: string): boolean => lastOf(body).role === 'assistant'

test('anthropic: Claude 4.5 goes on from its own words, without thinking, and white space is not written twice', async () => {
  const server = await replayServer(reply('\n', '\nShe lived'))
  const upstream = upstreamOf(server.url)
  const { end, text } = await ran(upstream, { prefill: `${prefill}.\n\n`, think: true })
  expect({ end, text }).toEqual({ end: 'stop', text: 'She lived' })
  const { body } = server.requests[0]!
  expect(lastOf(body)).toEqual({ role: 'assistant', content: [{ type: 'text', text: `${prefill}.` }] })
  expect(JSON.parse(body)).not.toHaveProperty('thinking')
  expect(anthropicBreaches(body)).toEqual([])
})

test('anthropic: what Claude says right behind a prefill is never taken for a copy of it', async () => {
  const server = await replayServer(reply(prefill))
  expect(await ran(upstreamOf(server.url), { prefill })).toMatchObject({ text: prefill })
})

test('anthropic: Claude from 4.6 on is asked in words at once, and what it says again is removed', async () => {
  const server = await replayServer(reply('a fox called', ' Eva, who'))
  for (const model of ['claude-opus-4-6', 'claude-sonnet-5-5', 'claude-fable-5']) {
    const { end, text } = await ran(upstreamOf(server.url), { model, prefill, think: true })
    expect({ end, text }).toEqual({ end: 'stop', text: ', who' })
    const { body } = server.requests.at(-1)!
    expect(lastOf(body).content[0]?.text).toBe(continueInstruction)
    expect(JSON.parse(body)).toMatchObject({ thinking: { type: 'adaptive' } })
    expect(anthropicBreaches(body)).toEqual([])
  }
  expect(server.requests).toHaveLength(3)
})

for (const [where, refusal] of [
  ['by a status', refused],
  [
    'in its stream',
    stream([
      frame(
        failure('invalid_request_error', 'final `assistant` message must start with a thinking block') as {
          type: string
        },
      ),
    ]),
  ],
] as const) {
  test(`anthropic: a model that refuses a prefill ${where} is asked in words, once, and it is learnt`, async () => {
    const server = await replayServer(({ path, body }) =>
      path.startsWith('/v1/models') ? json(200, models()) : isPrefill(body) ? refusal : reply(', who'),
    )
    const model = 'claude-mythos-preview'
    const upstream = upstreamOf(server.url, { model, instruction: 'Go on.' })
    const abort = new AbortController()
    const status = async () => (await upstream.status!(abort.signal)).continuation
    expect(await status()).toEqual({ plain: 'native', thinking: 'native' })
    const asked = (): boolean[] =>
      server.requests.filter(({ method }) => method === 'POST').map(({ body }) => isPrefill(body))
    expect(await ran(upstream, { model, prefill })).toMatchObject({ end: 'stop', text: ', who' })
    expect(asked()).toEqual([true, false])
    expect(lastOf(server.requests.at(-1)!.body).content[0]?.text).toBe('Go on.')
    await ran(upstream, { model, prefill })
    expect(asked()).toEqual([true, false, false])
    expect(await status()).toEqual({ plain: 'instruction', thinking: 'native' })
    await ran(upstream, { model: 'glm-5', prefill })
    expect(asked().slice(3)).toEqual([true, false])
  })
}

test('anthropic: another fault teaches nothing', async () => {
  const server = await replayServer(json(529, failure('overloaded_error', 'Overloaded')))
  const upstream = upstreamOf(server.url)
  await ran(upstream, { prefill })
  await ran(upstream, { prefill })
  expect(server.requests.map(({ body }) => isPrefill(body))).toEqual([true, true])
})

// Status

/** A transport that answers every request alike. */
function answering(status: number, body: unknown): { asked: TransportRequest[]; transport: Transport } {
  const asked: TransportRequest[] = []
  const transport: Transport = pushing(async (one) => {
    asked.push(one)
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
const models = (...ids: string[]): unknown => ({ data: ids.map((id) => ({ type: 'model', id })), has_more: false })
const listed = models('claude-opus-5-5', 'claude-sonnet-4-5-20250929')

test.for<[string, number, unknown, string, string]>([
  ['lists the model', 200, listed, 'claude-opus-5-5', 'ready'],
  ['lists it with its date', 200, listed, 'claude-sonnet-4-5', 'ready'],
  ['lists it with its date, not as the latest', 200, listed, 'claude-sonnet-4-5-latest', 'ready'],
  ['lists others', 200, listed, 'claude-sonnet-4', 'model_missing'],
  ['lists none', 200, {}, 'claude-opus-5', 'model_missing'],
  ['refuses the key', 401, {}, 'claude-opus-5', 'unauthorized'],
  ['refuses the key otherwise', 403, {}, 'claude-opus-5', 'unauthorized'],
  ['has no list', 404, {}, 'claude-opus-5', 'ready'],
  ['lets nobody get its list', 405, {}, 'claude-opus-5', 'ready'],
  ['fails', 500, {}, 'claude-opus-5', 'unreachable'],
])('anthropic: the status of a server that %s', async ([, status, body, model, state]) => {
  const { asked, transport } = answering(status, body)
  const upstream = anthropic({ model, apiKey: 'k', transport })
  expect(await upstream.status!(new AbortController().signal)).toMatchObject({
    state,
    ...(status !== 200 && { status }),
  })
  expect(asked).toMatchObject([
    {
      method: 'GET',
      url: 'https://api.anthropic.com/v1/models?limit=1000',
      headers: { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' },
    },
  ])
})

test.for<[string, string]>([
  ['claude-sonnet-4-5', 'native'],
  ['claude-3-7-sonnet-20250219', 'native'],
  ['claude-opus-4-20250514', 'native'],
  ['anthropic.claude-haiku-4-5-20251001-v1:0', 'native'],
  ['glm-5', 'native'],
  ['claude-opus-4-6', 'instruction'],
  ['anthropic/claude-sonnet-4.6', 'instruction'],
  ['claude-opus-5', 'instruction'],
  ['claude-fable-5-2', 'instruction'],
])('anthropic: what is known of %s, before it is asked, is that it continues by %s', async ([model, way]) => {
  const { transport } = answering(200, models())
  const { continuation } = await anthropic({ model, transport }).status!(new AbortController().signal)
  expect(continuation).toEqual({ plain: way, thinking: way })
})

// Keys from the environment

function inEnvironment(variable: string, value: string): void {
  vi.stubEnv(variable, value)
  onTestFinished(() => void vi.unstubAllEnvs())
}

test.for<[string, (transport: Transport) => Upstream, string, string | undefined]>([
  ['Anthropic', (transport) => anthropic({ model: 'm', transport }), 'ANTHROPIC_API_KEY', 'x-api-key'],
  ['OpenAI', (transport) => openaiCompatible({ model: 'm', transport }), 'OPENAI_API_KEY', undefined],
  ...(['deepseek', 'dashscope', 'mistral', 'openrouter'] as const).map(
    (dialect) =>
      [
        dialect,
        (transport: Transport) => openaiCompatible({ model: 'm', dialect, transport }),
        `${dialect.toUpperCase()}_API_KEY`,
        undefined,
      ] as [string, (transport: Transport) => Upstream, string, string | undefined],
  ),
])('env key: the key of %s is in the environment, if nowhere else', async ([, make, variable, header]) => {
  inEnvironment(variable, ' sk-env\n')
  const { asked, transport } = answering(200, {})
  await make(transport).status!(new AbortController().signal)
  expect(asked[0]?.headers[header ?? 'authorization']).toBe(header === undefined ? 'Bearer sk-env' : 'sk-env')
})

test('env key: a key of the environment goes to its own server only, and not where another one is given', async () => {
  inEnvironment('ANTHROPIC_API_KEY', 'sk-env')
  inEnvironment('OPENAI_API_KEY', 'sk-env')
  const { asked, transport } = answering(200, {})
  const own = { 'X-API-Key': 'sk-own' }
  for (const upstream of [
    anthropic({ model: 'm', transport, url: 'https://api.anthropic.com.example' }),
    anthropic({ model: 'm', transport, url: 'http://api.anthropic.com' }),
    anthropic({ model: 'm', transport, apiKey: 'sk-own' }),
    anthropic({ model: 'm', transport, headers: own }),
    anthropic({ model: 'm', transport, headers: { Authorization: 'Bearer sk-own' } }),
    openaiCompatible({ model: 'm', transport, url: 'https://api.openai.com.example/v1' }),
    openaiCompatible({ model: 'm', transport, dialect: 'vllm' }),
    openaiCompatible({ model: 'm', transport, apiKey: 'sk-own' }),
    openaiCompatible({ model: 'm', transport, headers: { Authorization: 'Bearer sk-own' } }),
  ])
    await upstream.status!(new AbortController().signal)
  expect(asked).toHaveLength(9)
  expect(JSON.stringify(asked)).not.toContain('sk-env')
})

test('env key: a blank variable is none, and so is an environment that may not be read', async () => {
  inEnvironment('ANTHROPIC_API_KEY', ' ')
  const { asked, transport } = answering(200, {})
  await anthropic({ model: 'm', transport }).status!(new AbortController().signal)
  const refusing = new Proxy(
    {},
    {
      get() {
        throw new Error('NotCapable')
      },
    },
  )
  vi.stubGlobal('process', { env: refusing })
  const upstream = anthropic({ model: 'm', transport })
  vi.unstubAllGlobals()
  await upstream.status!(new AbortController().signal)
  expect(asked.map(({ headers }) => headers['x-api-key'])).toEqual([undefined, undefined])
})
