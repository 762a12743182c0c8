import { expect, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { anthropic, ollama, openaiCompatible, type Upstream } from '../src/upstream/index.ts'
import type { Transport } from '../src/upstream/http/transport.ts'

// A request names its options as OpenAI does, and each server is asked in its own words.

interface Asked {
  readonly body: Record<string, unknown>
  readonly answer: unknown
}

/** What goes up for some options; the server says nothing then. */
async function asked(make: (transport: Transport) => Upstream, options: object): Promise<Asked> {
  let body: Record<string, unknown> = {}
  const transport: Transport = ({ body: sent }, sink) => {
    body = JSON.parse(sent ?? '{}') as Record<string, unknown>
    sink.head({ status: 404, header: () => undefined })
    sink.end()
  }
  const requestOptions = Object.keys(options)
  const gateway = createGateway({ upstream: make(transport), recovery: false, requestOptions })
  const request = JSON.stringify({ stream: false, options, messages: [{ role: 'user', content: 'Hello' }] })
  const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body: request }))
  const answer: unknown = await response.json()
  await gateway.close()
  return { body, answer }
}

const toOllama = (transport: Transport): Upstream => ollama({ model: 'm', transport })
const toClaude = (transport: Transport): Upstream => anthropic({ model: 'claude-sonnet-5', apiKey: 'k', transport })
const toOpenAi = (transport: Transport): Upstream => openaiCompatible({ model: 'm', apiKey: 'k', transport })
const toMistral = (transport: Transport): Upstream =>
  openaiCompatible({ model: 'm', dialect: 'mistral', apiKey: 'k', transport })
const toProxy = (transport: Transport): Upstream =>
  openaiCompatible({ model: 'm', url: 'http://127.0.0.1:4000/v1', transport })

const all = { temperature: 0.5, top_p: 0.9, max_tokens: 100, stop: 'END' }

test('options: Ollama is told them in an object, the limit by its own name', async () => {
  const { body } = await asked(toOllama, { ...all, top_k: 40, seed: 7 })
  expect(body['options']).toEqual({ temperature: 0.5, top_p: 0.9, num_predict: 100, stop: ['END'], top_k: 40, seed: 7 })
})

test('options: Anthropic is told stop_sequences, as a list', async () => {
  const { body } = await asked(toClaude, { ...all, top_k: 40 })
  expect(body).toMatchObject({ temperature: 0.5, top_p: 0.9, max_tokens: 100, stop_sequences: ['END'], top_k: 40 })
  expect(body).not.toHaveProperty('stop')
})

test('options: OpenAI itself is told max_completion_tokens', async () => {
  const { body } = await asked(toOpenAi, { ...all, seed: 7 })
  expect(body).toMatchObject({ temperature: 0.5, max_completion_tokens: 100, stop: 'END', seed: 7 })
  expect(body).not.toHaveProperty('max_tokens')
})

test('options: Mistral is told random_seed', async () => {
  const { body } = await asked(toMistral, { ...all, seed: 7 })
  expect(body).toMatchObject({ max_tokens: 100, random_seed: 7 })
  expect(body).not.toHaveProperty('seed')
})

test('options: whoever stands at another address is told the common names', async () => {
  const { body } = await asked(toProxy, { ...all, top_k: 40, seed: 7 })
  expect(body).toMatchObject({ ...all, top_k: 40, seed: 7 })
})

test.for<[server: string, make: (transport: Transport) => Upstream, option: string]>([
  ['Anthropic', toClaude, 'seed'],
  ['Anthropic', toClaude, 'presence_penalty'],
  ['OpenAI', toOpenAi, 'top_k'],
  ['Mistral', toMistral, 'top_k'],
])(
  'options: %s is not asked with what it would refuse (%s %s), and the client is told the name',
  async ([, make, option]) => {
    const { body, answer } = await asked(make, { [option]: 1 })
    expect(body).toEqual({})
    expect(answer).toMatchObject({
      error: { code: 'option_not_allowed', message: expect.stringContaining(option), retryable: false },
    })
  },
)

test('options: a limit counts what a reply has taken already, under the server’s own name', async () => {
  for (const [make, name] of [
    [toClaude, 'max_tokens'],
    [toOpenAi, 'max_completion_tokens'],
  ] as const) {
    const bodies: Record<string, unknown>[] = []
    const transport: Transport = ({ body }, sink) => {
      bodies.push(JSON.parse(body ?? '{}') as Record<string, unknown>)
      sink.end()
    }
    make(transport).open(
      {
        model: 'm',
        messages: [{ role: 'user', content: 'Hi' }],
        prefill: 'So',
        spent: 40,
        interruptedNote: null,
        options: { max_tokens: 100 },
      },
      { push: () => undefined, end: () => undefined },
      new AbortController().signal,
    )
    expect(bodies[0]?.[name]).toBe(60)
  }
})
