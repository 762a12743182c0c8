import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import { callNames } from '../src/upstream/history/call-names.ts'
import type { Transport } from '../src/upstream/http/transport.ts'
import { anthropic, ollama, openaiCompatible } from '../src/upstream/index.ts'
import type { Upstream, UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import type { ChatTurn } from '../src/wire/messages.ts'
import { utf8 } from './support/bytes.ts'

const history = (...names: string[]): ChatTurn[] => [
  { role: 'user', content: 'q' },
  ...names.flatMap((name, i): ChatTurn[] => [
    { role: 'assistant', content: '', tool_calls: [{ id: `c${i}`, name, arguments: {} }] },
    { role: 'tool', tool_call_id: `c${i}`, content: '12' },
  ]),
]
const tools = (...names: string[]) => names.map((name) => ({ name }))
const told = (toolNames: string[], called: string[] = []): string[] => {
  const names = callNames({ messages: history(...called), tools: tools(...toolNames) })
  return [...toolNames, ...called].map((name) => names?.get(name) ?? name)
}

test('call names: those that a server takes are told as they are', () => {
  expect(callNames({ messages: history('now', 'x'.repeat(64)), tools: tools('get_weather', 'a-b_9') })).toBeUndefined()
  expect(callNames({ messages: [] })).toBeUndefined()
})

test('call names: two that would become one stay two, and a tool whose name is taken as it is keeps it', () => {
  expect(told(['get.weather', 'get weather', 'get_weather'])).toEqual(['get_weather_2', 'get_weather_3', 'get_weather'])
  expect(told(['get_weather'], ['get weather'])).toEqual(['get_weather', 'get_weather_2'])
  expect(told(['get weather'], ['get weather', 'get.weather'])).toEqual(['get_weather', 'get_weather', 'get_weather_2'])
  expect(told(['a.b_2', 'a.b', 'a b'], ['a_b_2'])).toEqual(['a_b_2_2', 'a_b', 'a_b_3', 'a_b_2'])
})

test('call names: long ones stay different within 64 characters, and one of nothing that is allowed is a name, too', () => {
  const long = 'x'.repeat(64)
  const names = told([`${long}1`, `${long}2`, '查天气', '', '@@@', '\n'])
  expect(new Set(names).size).toBe(6)
  for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/)
})

test('call names: thousands that would become one are told in one pass', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `a${String.fromCharCode(0x4e00 + i)}`)
  const names = told(many)
  expect(new Set(names).size).toBe(many.length)
  expect(names.every((name) => /^[\w-]{1,64}$/.test(name))).toBe(true)
})

test('call names: words that objects know are names like others', () => {
  expect(told(['__proto__', 'to string', 'constructor'])).toEqual(['__proto__', 'to_string', 'constructor'])
})

// From the request to the calls of the reply

interface Named {
  readonly name?: string
  readonly function?: { readonly name: string }
}
interface Message {
  readonly role: string
  readonly content: readonly { readonly type: string; readonly name: string }[]
  readonly tool_calls?: readonly Named[]
  readonly tool_name?: string
}
interface Body {
  readonly tools: readonly Named[]
  readonly messages: readonly Message[]
  readonly tool_choice?: Named & { readonly allowed_tools?: { readonly tools: readonly Named[] } }
}
const nameOf = (one: Named): string | undefined => one.function?.name ?? one.name
const calledIn = ({ messages }: Body): unknown[] =>
  messages.flatMap(({ tool_calls: calls = [] }) => calls.map((call) => nameOf(call)))
interface Asked {
  readonly body: Body
  readonly calls: readonly string[]
}
const openAiCalls = (names: readonly string[]): string =>
  `data: ${JSON.stringify({
    choices: [
      {
        delta: {
          tool_calls: names.map((name, index) => ({ index, id: `n${index}`, function: { name, arguments: '{}' } })),
        },
        finish_reason: 'tool_calls',
      },
    ],
  })}\n\ndata: [DONE]\n\n`
const anthropicCalls = (names: readonly string[]): string =>
  JSON.stringify({
    type: 'message',
    content: names.map((name, i) => ({ type: 'tool_use', id: `n${i}`, name, input: { a: 1 } })),
    stop_reason: 'tool_use',
  })
const ollamaCalls = (names: readonly string[]): string =>
  `${JSON.stringify({ message: { tool_calls: names.map((name) => ({ function: { name, arguments: {} } })) }, done: true, done_reason: 'stop' })}\n`

/** Asks with a request, and answers with a call of each tool as it was told. */
function ask(
  upstream: (transport: Transport) => Upstream,
  answer: (names: readonly string[]) => string,
  more: Partial<UpstreamRequest>,
): Asked {
  let body: Body = { tools: [], messages: [] }
  const transport: Transport = (request, sink) => {
    body = JSON.parse(request.body ?? '{}') as Body
    const names = body.tools.map((tool) => nameOf(tool) ?? '')
    sink.head({ status: 200, header: () => undefined })
    void sink.data(utf8(answer(names)))
    sink.end()
  }
  const events: UpstreamEvent[] = []
  upstream(transport).open(
    { model: 'm', messages: [], prefill: '', interruptedNote: null, ...more },
    { push: (batch) => void events.push(...batch), end: () => undefined },
    new AbortController().signal,
  )
  return { body, calls: events.flatMap((event) => ('tool_call' in event ? [event.tool_call.name] : [])) }
}
const own = ['mail.send', 'mail send', 'mail_send', '查天气']
const request = { messages: history('mail.send', 'made up!'), tools: tools(...own) }
const clock = manualClock()

test.for(['openai', 'mistral', 'deepseek', 'openrouter', 'vllm'] as const)(
  'call names: of %s, tools, calls of the history and a forced tool agree, and calls come back under the app’s names',
  (dialect) => {
    const options = { tool_choice: { type: 'function', function: { name: 'mail send' } } }
    const { body, calls } = ask(
      (transport) => openaiCompatible({ model: 'm', dialect, transport, clock }),
      openAiCalls,
      {
        ...request,
        options,
      },
    )
    const names = body.tools.map(nameOf)
    expect(names.slice(0, 3)).toEqual(['mail_send_2', 'mail_send_3', 'mail_send'])
    for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/)
    expect(calledIn(body)).toEqual(['mail_send_2', 'made_up_'])
    expect(body.tool_choice?.function?.name).toBe('mail_send_3')
    expect(calls).toEqual(own)
  },
)

test('call names: a tool that an app forces in every request is told by its name, too', () => {
  const body = { tool_choice: { type: 'allowed_tools', allowed_tools: { tools: [{ name: 'mail.send' }] } } }
  const asked = ask((transport) => openaiCompatible({ model: 'm', transport, clock, body }), openAiCalls, request)
  expect(asked.body.tool_choice?.allowed_tools?.tools).toEqual([{ name: 'mail_send_2' }])
})

test('call names: of Anthropic, tools, calls of the history and a forced tool agree, and calls come back under the app’s names', () => {
  const { body, calls } = ask((transport) => anthropic({ model: 'm', transport, clock }), anthropicCalls, {
    ...request,
    options: { tool_choice: { type: 'tool', name: 'mail.send' } },
  })
  const names = body.tools.map(nameOf)
  expect(names.slice(0, 3)).toEqual(['mail_send_2', 'mail_send_3', 'mail_send'])
  const blocks = body.messages.flatMap(({ content }) => content)
  expect(blocks.filter(({ type }) => type === 'tool_use').map(({ name }) => name)).toEqual(['mail_send_2', 'made_up_'])
  expect(body.tool_choice?.name).toBe('mail_send_2')
  expect(calls).toEqual(own)
})

test('call names: Ollama takes any, so that all of them are told as they are', () => {
  const { body, calls } = ask((transport) => ollama({ model: 'm', transport, clock }), ollamaCalls, request)
  expect(body.tools.map(nameOf)).toEqual(own)
  expect(calledIn(body)).toEqual(body.messages.flatMap(({ tool_name: name }) => name ?? []))
  expect(calls).toEqual(own)
})

// Thinking in tags does not go up

const think = (prefill: string, messages: ChatTurn[] = [{ role: 'user', content: 'q' }]): Partial<UpstreamRequest> => ({
  messages,
  prefill,
  tools: tools('now'),
})
const upstreams: Readonly<Record<string, [(transport: Transport) => Upstream, (names: readonly string[]) => string]>> =
  {
    openai: [(transport) => openaiCompatible({ model: 'm', transport, clock }), openAiCalls],
    'llamacpp, which continues natively': [
      (transport) => openaiCompatible({ model: 'm', dialect: 'llamacpp', transport, clock }),
      openAiCalls,
    ],
    anthropic: [(transport) => anthropic({ model: 'claude-3-haiku', transport, clock }), anthropicCalls],
  }
for (const [name, [upstream, answer]] of Object.entries(upstreams)) {
  test.for([
    ['<think>I should', '', ''],
    ['\n <think>', '', ''],
    ['<thin', '', ''],
    ['<thinking>Hm', '', ''],
    ['[THINK]Hm', '', ''],
    ['<|START_THINKING|>Hm', '', ''],
    ['<think>Hm</think>\n\nThe answer', '', 'The answer'],
    ['<think>Hm</think><think>and', '', ''],
    ['The tag <think> is', '', 'The tag <think> is'],
    ['<table>', '', '<table>'],
  ] as const)(`think tags: of %j as a partial, ${name} is told what is behind the thinking`, ([partial, , sent]) => {
    const { body } = ask(upstream, answer, think(partial))
    const said = JSON.stringify(body.messages.filter(({ role }) => role === 'assistant'))
    expect(said).toContain(JSON.stringify(sent).slice(1, -1))
    if (sent === '') expect(said).toBe('[]')
    const past = ask(
      upstream,
      answer,
      think('', [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: partial, interrupted: true },
        { role: 'user', content: 'p' },
      ]),
    )
    const told = JSON.stringify(past.body.messages.filter(({ role }) => role === 'assistant'))
    expect(told).toContain(JSON.stringify(sent).slice(1, -1))
    if (sent === '') expect(told).toBe('[]')
  })
}

test('think tags: Ollama, asked to continue, is not told of open thinking, neither by its probe nor by the question', async () => {
  const bodies: string[] = []
  const answered = Promise.withResolvers<void>()
  const transport: Transport = ({ body = '' }, sink) => {
    bodies.push(body)
    sink.head({ status: 200, header: () => undefined })
    void sink.data(utf8(ollamaCalls(['now'])))
    sink.end()
  }
  ollama({ model: 'm', transport, clock }).open(
    { model: 'm', messages: [{ role: 'user', content: 'q' }], prefill: '<think>I should', interruptedNote: null },
    { push: () => answered.resolve(), end: () => answered.resolve() },
    new AbortController().signal,
  )
  await answered.promise
  expect(bodies).toHaveLength(1)
  expect(bodies[0]).not.toContain('think>')
})
