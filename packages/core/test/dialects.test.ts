import { expect, test } from 'vitest'
import type { DialectName } from '../src/upstream/openai/dialect.ts'
import { dialects } from '../src/upstream/openai/dialects.ts'
import { createRefusal } from '../src/upstream/openai/refusal.ts'
import { lostResult, missingQuestion } from '../src/upstream/history/history.ts'
import { continueInstruction } from '../src/upstream/history/continuation.ts'
import { openAiQuestion } from '../src/upstream/openai/body.ts'
import { missingReply, openAiMessages } from '../src/upstream/openai/messages.ts'
import type { UpstreamRequest } from '../src/upstream/upstream.ts'
import type { ChatTurn } from '../src/wire/messages.ts'

const names = Object.keys(dialects) as DialectName[]
const note = '[interrupted by the user]'
const user = (content: string): ChatTurn => ({ role: 'user', content })
const reply = (content: string, more: Partial<ChatTurn> = {}): ChatTurn => ({ role: 'assistant', content, ...more })
const call = (id: string) => ({ id, name: 'now', arguments: {} })
const result = (id: string, content: string): ChatTurn => ({ role: 'tool', content, tool_call_id: id })

interface Message {
  readonly role: string
  readonly content: unknown
  readonly tool_calls?: readonly {
    readonly id: string
    readonly type: string
    readonly function: { readonly arguments: string }
  }[]
  readonly tool_call_id?: string
  readonly reasoning_content?: unknown
}

const messagesOf = (turns: readonly ChatTurn[], name: DialectName, said: string | null = note): Message[] =>
  openAiMessages(turns, said, dialects[name].history) as unknown as Message[]

test('dialects: DeepSeek gets the thinking of turns with calls back, also where there was none, and no other', () => {
  const turns = [
    user('a'),
    reply('b', { thinking: 'old' }),
    user('c'),
    reply('', { thinking: 'Hm', tool_calls: [call('1')] }),
    result('1', 'x'),
    reply('d'),
    user('e'),
  ]
  expect(messagesOf(turns, 'deepseek').map((one) => one.reasoning_content)).toEqual([
    undefined,
    undefined,
    undefined,
    'Hm',
    undefined,
    '',
    undefined,
  ])
  expect(JSON.stringify(messagesOf(turns, 'openai'))).not.toMatch(/Hm|old|reasoning/)
})

test('dialects: Mistral gets a reply between a result and the user, and ids of its own shape', () => {
  const turns = [
    user('a'),
    reply('', { tool_calls: [call('call_1'), call('dnEN4JsJy')] }),
    result('call_1', 'x'),
    user('b'),
  ]
  const made = messagesOf(turns, 'mistral')
  const [first, second] = made[1]?.tool_calls ?? []
  expect(first?.id).toMatch(/^[a-z0-9]{9}$/)
  expect(second?.id).toBe('dnEN4JsJy')
  expect(made.slice(2)).toEqual([
    { role: 'tool', tool_call_id: first?.id, content: 'x' },
    { role: 'tool', tool_call_id: 'dnEN4JsJy', content: lostResult },
    { role: 'assistant', content: missingReply },
    { role: 'user', content: 'b' },
  ])
  expect(messagesOf(turns, 'mistral')).toEqual(made)
})

test.for<[DialectName, boolean]>([
  ['openai', false],
  ['llamacpp', true],
  ['vllm', true],
  ['sglang', true],
  ['lmstudio', true],
  ['mistral', true],
  ['deepseek', false],
])('dialects: where the assistant spoke first, %s gets something before it: %s', ([name, needs]) => {
  const system: ChatTurn = { role: 'system', content: 's' }
  const opening = needs ? [user(missingQuestion)] : []
  const greeting = reply('Hello!')
  expect(messagesOf([greeting, user('a')], name)).toEqual([...opening, greeting, user('a')])
  expect(messagesOf([system, reply(' '), greeting], name)).toEqual([system, ...opening, greeting])
  expect(messagesOf([system, user('a'), greeting], name)).toEqual([system, user('a'), greeting])
  expect(messagesOf([system], name)).toEqual([system])
  const alone = openAiQuestion({ ...request, messages: [], prefill: 'Hel' }, dialects[name], options).body['messages']
  expect((alone as Message[]).slice(0, 2).map(({ role }) => role)).toEqual(
    needs ? ['user', 'assistant'] : ['assistant'],
  )
})

// How each is asked

const request: UpstreamRequest = { model: 'm', messages: [user('Hello')], prefill: '', interruptedNote: note }
const options = { way: 'native', instruction: continueInstruction, extra: {} } as const
const bodyOf = (name: DialectName, more: Partial<UpstreamRequest> = {}, way: 'native' | 'instruction' = 'native') =>
  openAiQuestion({ ...request, ...more }, dialects[name], { ...options, way }).body

const partial = { role: 'assistant', content: 'Hel' }
const flags = { continue_final_message: true, add_generation_prompt: false }
const noThinking = { chat_template_kwargs: { enable_thinking: false } }
test.for<[DialectName, message: object, body: object, asked: object]>([
  ['llamacpp', {}, { ...flags, ...noThinking }, {}],
  ['vllm', {}, { ...flags, ...noThinking }, {}],
  ['sglang', {}, { continue_final_message: true, ...noThinking }, {}],
  ['deepseek', { prefix: true }, { thinking: { type: 'disabled' } }, {}],
  ['dashscope', { partial: true }, { enable_thinking: false }, {}],
  ['mistral', { prefix: true }, {}, { reasoning_effort: 'none' }],
  ['openrouter', {}, {}, { reasoning: { enabled: false } }],
])('dialects: %s is asked to continue by %o in the message and %o in the body', ([name, message, body, asked]) => {
  const plain = bodyOf(name)
  const messages = [user('Hello'), { ...partial, ...message }]
  expect(bodyOf(name, { prefill: 'Hel' })).toEqual({ ...plain, ...body, messages })
  for (const think of [true, false, 'low'])
    expect(bodyOf(name, { prefill: 'Hel', think })).toEqual({ ...plain, ...body, ...asked, messages })
  // And in words, with thinking as it was asked for.
  const inWords = bodyOf(name, { prefill: 'Hel' }, 'instruction')
  expect(inWords).toEqual({ ...plain, messages: [user('Hello'), partial, user(continueInstruction)] })
})

test('dialects: what does not fit into the table is asked in words', () => {
  expect(names.filter((name) => dialects[name].continuation === null)).toEqual(['openai', 'lmstudio', 'ollama'])
})

test('dialects: llama.cpp is asked for pings, progress and timings, vLLM for usage, Mistral for nothing it may refuse', () => {
  const usage = { stream_options: { include_usage: true } }
  const plain = { model: 'm', messages: [user('Hello')], stream: true }
  expect(bodyOf('llamacpp')).toEqual({
    ...plain,
    ...usage,
    return_progress: true,
    timings_per_token: true,
    sse_ping_interval: 1,
  })
  expect(bodyOf('vllm')['stream_options']).toEqual({ include_usage: true, continuous_usage_stats: true })
  expect(bodyOf('mistral')).toEqual(plain)
  expect(bodyOf('openai')).toEqual({ ...plain, ...usage })
})

test.for<[DialectName, unknown, object]>([
  ['openai', true, { reasoning_effort: 'medium' }],
  ['openai', 'low', { reasoning_effort: 'low' }],
  ['openai', false, { reasoning_effort: 'none' }],
  ['vllm', true, { chat_template_kwargs: { enable_thinking: true } }],
  ['vllm', 'low', { chat_template_kwargs: { enable_thinking: true, reasoning_effort: 'low' } }],
  ['deepseek', 'high', { thinking: { type: 'enabled' } }],
  ['dashscope', false, { enable_thinking: false }],
  ['openrouter', 'high', { reasoning: { enabled: true, effort: 'high' } }],
])('dialects: %s thinks %o by %o', ([name, think, fields]) => {
  expect(bodyOf(name, { think: think as boolean })).toEqual({ ...bodyOf(name), ...fields })
})

test('dialects: options go up as they are, but change nothing that the gateway relies on', () => {
  const asked = {
    temperature: 0,
    stream: false,
    messages: [],
    model: 'x',
    continue_final_message: false,
    chat_template_kwargs: { a: 1 },
  }
  const made = bodyOf('vllm', { options: asked, prefill: 'Hel' })
  expect(made).toMatchObject({
    temperature: 0,
    stream: true,
    model: 'm',
    messages: [user('Hello'), partial],
    continue_final_message: true,
    chat_template_kwargs: { a: 1, enable_thinking: false },
  })
})

test('dialects: tools are written as functions', () => {
  expect(bodyOf('openai', { tools: [{ name: 'now' }] })['tools']).toEqual([
    { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
  ])
})

test('dialects: white space at the end of a partial does not go up, and is remembered; alone it is no partial', () => {
  const question = openAiQuestion({ ...request, prefill: 'One.\n\n' }, dialects.vllm, options)
  expect(question).toMatchObject({ sent: 'One.', tail: '\n\n' })
  expect(openAiQuestion({ ...request, prefill: ' \n' }, dialects.vllm, options)).toMatchObject({
    sent: '',
    body: bodyOf('vllm'),
  })
})

test('dialects: a history that ends in a reply is never two assistant messages in a row', () => {
  const question = openAiQuestion(
    { ...request, messages: [user('a'), reply('One.')], prefill: 'Two' },
    dialects.mistral,
    options,
  )
  expect(question.sent).toBe('One.\n\nTwo')
  expect(question.body['messages']).toEqual([user('a'), { role: 'assistant', content: 'One.\n\nTwo', prefix: true }])
})

test.for<[DialectName, string]>([
  [
    'openrouter',
    'This model does not support assistant message prefill. The conversation must end with a user message.',
  ],
  ['openrouter', 'Reasoning is mandatory for this endpoint and cannot be disabled.'],
  ['llamacpp', 'Assistant response prefill is incompatible with enable_thinking.'],
  ['llamacpp', 'Cannot have 2 or more assistant messages at the end of the list.'],
  ['llamacpp', 'Cannot continue an assistant message that contains tool calls.'],
  [
    'vllm',
    'continue_final_message is set but the final message does not appear in the chat after applying the chat template!',
  ],
  ['mistral', 'Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant'],
  ['dashscope', 'The value of the enable_thinking parameter is restricted to True.'],
])('dialects: %s refuses to continue by the sentence "%s", by whatever status', ([name, said]) => {
  expect(createRefusal(dialects[name])(said, true)).toBe(true)
  expect(createRefusal(dialects[name])(said, false)).toBe(true)
})

test.for<[DialectName, string]>([
  ['deepseek', 'Unknown parameter: prefix'],
  ['deepseek', 'prefix is only available when using beta api (set base_url="https://api.deepseek.com/beta")'],
  ['sglang', 'Extra inputs are not permitted: continue_final_message'],
  ['vllm', `{"type":"extra_forbidden","loc":["body","add_generation_prompt"],"msg":"Extra inputs are not permitted"}`],
  ['mistral', 'reasoning_effort is not enabled for this model'],
  [
    'mistral',
    String.raw`{"message":"{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"messages\",2,\"assistant\",\"prefix\"]}]}"}`,
  ],
  ['mistral', `{"loc":["body","reasoning_effort"],"msg":"Extra inputs are not permitted","input":"none"}`],
  ['dashscope', 'Value error, current model does not support parameter `enable_thinking`.'],
  ['mistral', "Unsupported value: 'reasoning_effort' does not support 'none' with this model."],
])('dialects: %s refuses to continue by naming the field: %s', ([name, said]) => {
  expect(createRefusal(dialects[name])(said, true)).toBe(true)
  // A server that failed, and quotes its own code or what it was sent.
  expect(createRefusal(dialects[name])(said, false)).toBe(false)
})

const echoed = { role: 'assistant', content: 'unknown', prefix: true }
test.for<[DialectName, string]>([
  ['deepseek', 'prefix cache is being rebuilt'],
  ['deepseek', '<html><p>No route for this prefix</p></html>'],
  ['dashscope', '{"code":"DataInspectionFailed","message":"Output data may contain inappropriate content (partial)."}'],
  ['vllm', 'EngineCore encountered an issue in continue_final_message'],
  ['mistral', `{"type":"less_than_equal","loc":["body","temperature"],"input":${JSON.stringify(echoed)}}`],
  [
    'mistral',
    `{"type":"extra_forbidden","loc":["body","n"],"msg":"Extra inputs are not permitted","input":2},{"loc":["body","messages"],"input":[${JSON.stringify(echoed)}]}`,
  ],
])('dialects: %s names the field, and does not refuse it: %s', ([name, said]) => {
  expect(createRefusal(dialects[name])(said, true)).toBe(false)
})

test('dialects: a field and words of one of its own may be of any kind', () => {
  const own = { ...dialects.openai, continuation: { body: { 'go(on': true } }, refusals: /afresh/gi }
  expect(createRefusal(own)('Unknown parameter: go(on', true)).toBe(true)
  expect(createRefusal(own)('Loading model', true)).toBe(false)
  for (let i = 0; i < 3; i++) expect(createRefusal(own)('afresh', false)).toBe(true)
})

test('dialects: other faults are no refusal', () => {
  for (const said of [
    'model not found',
    'request (9003 tokens) exceeds the available context size (2048 tokens)',
    'Loading model',
    'Unknown parameter: temperature',
  ])
    for (const name of names) expect(createRefusal(dialects[name])(said, true)).toBe(false)
})

test('dialects: ids over 40 characters become short ones, the same in call and result, and others stay', () => {
  const [a, b] = [`toolu_${'x'.repeat(58)}`, `toolu_${'x'.repeat(59)}`]
  const turns = [
    user('q'),
    reply('', { tool_calls: [call(a), call(b), call('functions.weather:0')] }),
    result(a, '1'),
    result(b, '2'),
    result('functions.weather:0', '3'),
  ]
  for (const name of ['openai', 'vllm', 'deepseek'] as const) {
    const made = messagesOf(turns, name)
    const ids = made.flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id))
    expect(new Set(ids).size).toBe(3)
    expect(ids.every((id) => id.length <= 40)).toBe(true)
    expect(ids[2]).toBe('functions.weather:0')
    const results = made.filter(({ role }) => role === 'tool').map((one) => [one.tool_call_id, one.content])
    expect(results).toEqual(ids.map((id, i) => [id, String(i + 1)]))
    expect(messagesOf(turns, name)).toEqual(made)
  }
})
