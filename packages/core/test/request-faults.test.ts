import { pushing } from './support/answers.ts'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway } from '../src/gateway/index.ts'
import { scriptedUpstream } from '../src/testing/index.ts'
import { anthropic, dialects, ollama, openaiCompatible } from '../src/upstream/index.ts'
import type { Transport } from '../src/upstream/http/transport.ts'
import type { Upstream, UpstreamEvent } from '../src/upstream/upstream.ts'

/** A fault of a request, of its model's answer, or of an app's own events is no fault of the model server. */

const nested = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)
const replying = (text: string): Transport =>
  pushing(async () => ({
    status: 200,
    header: () => 'text/event-stream',
    body: (async function* () {
      yield new TextEncoder().encode(text)
    })(),
  }))
async function post(gateway: Gateway, body: unknown): Promise<{ status: number; code: string | undefined }> {
  const text = typeof body === 'string' ? body : JSON.stringify({ stream: false, ...(body as object) })
  const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body: text }))
  const { error } = (await response.json()) as { error?: { code: string } }
  return { status: response.status, code: error?.code }
}
function gatewayOf(upstream: Upstream): Gateway {
  const gateway = createGateway({ upstream, requestTools: true, breaker: { failures: 1 } })
  onTestFinished(() => gateway.close())
  return gateway
}
const hello = { messages: [{ role: 'user', content: 'Hello' }] }
const breakerOf = (gateway: Gateway): unknown => gateway.stats().upstreams[0]?.breaker

test.for<[what: string, body: unknown, code: string]>([
  ['a temperature that is a word', { ...hello, options: { temperature: 'hot' } }, 'bad_request'],
  ['a stop that is an object', { ...hello, options: { stop: { a: 1 } } }, 'bad_request'],
  [
    'tools nested too deep',
    `{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"t","parameters":${nested(20_000)}}]}`,
    'bad_request',
  ],
  ['think that is a sentence', { ...hello, think: 'as hard as you can, please' }, 'bad_request'],
  [
    'nothing to continue',
    { messages: [...hello.messages, { role: 'assistant', content: '' }], resume: 'continue' },
    'bad_request',
  ],
  [
    'no parts to continue',
    { messages: [...hello.messages, { role: 'assistant', content: [] }], resume: 'continue' },
    'bad_request',
  ],
])('gateway: %s is 400 before anybody is asked', async ([, body, code]) => {
  const upstream = scriptedUpstream()
  const gateway = gatewayOf(upstream)
  expect(await post(gateway, body)).toEqual({ status: 400, code })
  expect([upstream.replies.length, breakerOf(gateway)]).toEqual([0, 'closed'])
})

const ollamaLine = (args: string): string =>
  `{"message":{"content":"before ","tool_calls":[{"id":"c","function":{"name":"f","arguments":${args}}}]},"done":false}\n{"done":true,"done_reason":"stop"}\n`
const openAiFrames = (args: string): string =>
  `data: {"choices":[{"index":0,"delta":{"content":"before ","tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":${args}}}]}}]}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n`
const anthropicFrames = (args: string): string =>
  `event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":${args}}}\n\nevent: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`

const servers: Readonly<Record<string, (args: string) => Upstream>> = {
  'Ollama, as an object': (args) => ollama({ model: 'm', transport: replying(ollamaLine(args)) }),
  'Ollama, as text': (args) => ollama({ model: 'm', transport: replying(ollamaLine(JSON.stringify(args))) }),
  "OpenAI's kind, as an object": (args) =>
    openaiCompatible({ dialect: 'vllm', model: 'm', transport: replying(openAiFrames(args)) }),
  Anthropic: (args) => anthropic({ model: 'm', apiKey: 'sk-test', transport: replying(anthropicFrames(args)) }),
}
for (const [name, server] of Object.entries(servers)) {
  test(`gateway: arguments of a call nested 20 000 deep by ${name}, end the run, and close no server`, async () => {
    const gateway = gatewayOf(server(nested(20_000)))
    expect(await post(gateway, { ...hello, tools: [{ name: 'f' }] })).toEqual({ status: 502, code: 'overflow' })
    expect(breakerOf(gateway)).toBe('closed')
  })
  test(`gateway: arguments of a call nested 50 deep by ${name}, come through`, async () => {
    const gateway = gatewayOf(server(nested(50)))
    expect(await post(gateway, { ...hello, tools: [{ name: 'f' }] })).toEqual({ status: 200, code: undefined })
  })
}

test('gateway: an error of a model server nested 20 000 deep ends the run', async () => {
  const gateway = gatewayOf(ollama({ model: 'm', transport: replying(`{"error":${nested(20_000)}}\n`) }))
  expect(await post(gateway, hello)).toEqual({ status: 502, code: 'overflow' })
})

test.for<[what: string, event: unknown, code: string]>([
  [
    'that goes round',
    { data: Object.defineProperty({ type: 'x' }, 'self', { get: (): object => globalThis, enumerable: true }) },
    'internal',
  ],
  ['with a BigInt', { data: { type: 'cost', tokens: 1n } }, 'internal'],
  ['that is no text', { message: 5 }, 'internal'],
])('gateway: an event %s ends the run as an error for its reader, and blames no server', async ([, event, code]) => {
  const upstream = scriptedUpstream({ script: (reply) => reply.send('before ', event as UpstreamEvent) })
  const gateway = gatewayOf(upstream)
  const body = JSON.stringify(hello)
  const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
  const frames = await response.text()
  expect(frames).toContain('"message":"before "')
  expect(frames).toMatch(new RegExp(`"reason":"error","error":\\{"code":"${code}"`))
  expect(breakerOf(gateway)).toBe('closed')
})

test('ollama: a stop that is one string goes up as a list, as Ollama fails at a string', async () => {
  let sent = ''
  const transport: Transport = (request, sink) => {
    sent = request.body ?? ''
    replying(`{"message":{"content":"ok"},"done":true,"done_reason":"stop"}\n`)(request, sink)
  }
  await post(gatewayOf(ollama({ model: 'm', transport })), { ...hello, options: { stop: 'END', seed: 1 } })
  expect(JSON.parse(sent)).toMatchObject({ options: { stop: ['END'], seed: 1 } })
})

test('gateway: an app’s fact of a dialect that throws ends the run, and blames no server', async () => {
  const oops = (): never => {
    throw new Error('no')
  }
  const messages = [...hello.messages, { role: 'assistant', content: 'Once upon a time' }]
  for (const [facts, body] of [
    [{ opensThinking: oops }, hello],
    [{ continuation: { models: oops } }, { messages, resume: 'continue' }],
  ] as const) {
    const dialect = { ...dialects.openai, ...facts }
    const gateway = gatewayOf(openaiCompatible({ dialect, model: 'm', apiKey: 'sk-test', transport: replying('') }))
    expect(await post(gateway, body)).toEqual({ status: 500, code: 'internal' })
    expect(breakerOf(gateway)).toBe('closed')
  }
})
