import { expect, test } from 'vitest'
import { parseChatRequest, parseInterrupt, type ChatRequest } from '../src/wire/messages.ts'

const runId = `run_${'a'.repeat(32)}`
const sessionId = `sess_${'b'.repeat(32)}`
const hello = { role: 'user', content: 'Hello' }

function parse(body: unknown, maxMessages = 10): ChatRequest {
  return parseChatRequest(typeof body === 'string' ? body : JSON.stringify(body), { maxMessages })
}
const withMessages = (...messages: unknown[]): unknown => ({ messages })
const withField = (field: object): unknown => ({ messages: [hello], ...field })

test('parseChatRequest: a lone message gets the defaults, and nothing else appears', () => {
  expect(parse({ messages: [hello] })).toStrictEqual({
    messages: [hello],
    stream: true,
    when_busy: 'interrupt',
    reconnect: false,
  })
})

test('parseChatRequest: everything a request can hold comes through, unknown keys do not', () => {
  const call = { id: 'call_1', name: 'weather', arguments: { city: '北京' } }
  const body = {
    messages: [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: '天气?' },
      { role: 'assistant', content: '', thinking: 'Hm.', tool_calls: [call], interrupted: true },
      { role: 'tool', content: 'Rain', tool_call_id: 'call_1' },
    ],
    session_id: sessionId,
    run_id: runId,
    stream: false,
    model: 'qwen3:32b',
    options: { temperature: 0 },
    tools: [{ name: 'weather', description: 'Tells it.', parameters: { type: 'object' } }],
    think: 'low',
    interrupts: { run_id: runId, position: 3 },
    when_busy: 'reject',
    reconnect: true,
  } as const
  expect(parse({ ...body, later: 1, interrupts: { ...body.interrupts, later: 1 } })).toStrictEqual(body)
})

test('parseChatRequest: resume continues a last message of the assistant', () => {
  const messages = [hello, { role: 'assistant', content: 'Hi th' }]
  expect(parse({ messages, resume: 'continue' })).toMatchObject({ messages, resume: 'continue' })
})

test('parseChatRequest: null is as good as absent', () => {
  const names = ['session_id', 'run_id', 'stream', 'model', 'options', 'tools', 'think', 'interrupts', 'when_busy']
  const nulls = Object.fromEntries([...names, 'reconnect', 'resume'].map((name) => [name, null]))
  expect(parse(withField(nulls))).toStrictEqual(parse({ messages: [hello] }))
  const message = { ...hello, thinking: null, tool_calls: null, tool_call_id: null, interrupted: null }
  expect(parse(withMessages(message)).messages).toStrictEqual([hello])
})

test('parseChatRequest: no tools and no calls are as good as none', () => {
  expect(parse(withField({ tools: [] }))).not.toHaveProperty('tools')
  expect(
    parse(withMessages({ role: 'assistant', content: 'Hi', tool_calls: [] }, hello)).messages[0],
  ).not.toHaveProperty('tool_calls')
})

test('parseChatRequest: text parts are joined', () => {
  const content = [
    { type: 'text', text: '春' },
    { type: 'text', text: '光' },
  ]
  expect(parse(withMessages({ role: 'user', content })).messages).toEqual([{ role: 'user', content: '春光' }])
})

test('parseChatRequest: an assistant message may lack its text, as clients write null beside a tool call', () => {
  const reply = { role: 'assistant', tool_calls: [{ id: 'call_1', name: 'now', arguments: {} }] }
  expect(parse(withMessages(reply, hello)).messages[0]?.content).toBe('')
  expect(parse(withMessages({ ...reply, content: null }, hello)).messages[0]?.content).toBe('')
})

test('parseChatRequest: only true says interrupted', () => {
  const reply = { role: 'assistant', content: 'Hi' }
  expect(parse(withMessages({ ...reply, interrupted: true }, hello)).messages[0]?.interrupted).toBe(true)
  expect(parse(withMessages({ ...reply, interrupted: 'yes' }, hello)).messages[0]).not.toHaveProperty('interrupted')
})

test('parseChatRequest: as many messages as the limit pass, one more does not', () => {
  expect(parse(withMessages(hello, hello, hello), 3).messages).toHaveLength(3)
  expect(() => parse(withMessages(hello, hello, hello), 2)).toThrow(
    expect.objectContaining({ code: 'too_many_messages', message: 'messages must hold at most 2 messages.' }),
  )
})

const call = { id: 'call_1', name: 'now', arguments: {} }
const withCall = (change: unknown): unknown =>
  withMessages({ role: 'assistant', content: '', tool_calls: [call, change] }, hello)

test.for<[what: string, body: unknown, names: string]>([
  ['broken JSON', '{"messages":', 'JSON'],
  ['no JSON at all', '', 'JSON'],
  ['an array', [], 'body must be a JSON object'],
  ['a string', '"x"', 'body must be a JSON object'],
  ['null', 'null', 'body must be a JSON object'],
  ['no messages', {}, 'messages'],
  ['empty messages', withMessages(), 'messages'],
  ['messages that are no array', { messages: { 0: hello } }, 'messages'],
  ['a message that is no object', withMessages(hello, 'x', hello), 'messages[1]'],
  ['a message that is an array', withMessages(hello, [], hello), 'messages[1]'],
  ['no role', withMessages({ content: 'x' }), 'messages[0].role'],
  ['an unknown role', withMessages({ role: 'robot', content: 'x' }), 'messages[0].role'],
  ['a role every object has', withMessages({ role: 'constructor', content: 'x' }), 'messages[0].role'],
  ['a number as content', withMessages({ role: 'user', content: 7 }), 'messages[0].content'],
  ['null as content of a user', withMessages({ role: 'user', content: null }), 'messages[0].content'],
  ['no content of a user', withMessages({ role: 'user' }), 'messages[0].content'],
  ['thinking that is no text', withMessages({ role: 'assistant', content: '', thinking: 1 }, hello), 'thinking'],
  ['calls that are no array', withMessages({ role: 'assistant', content: '', tool_calls: {} }, hello), 'tool_calls'],
  ['a call that is no object', withCall('x'), 'messages[0].tool_calls[1]'],
  ['a call without an id', withCall({ ...call, id: undefined }), 'messages[0].tool_calls[1]'],
  ['a call without a name', withCall({ ...call, name: undefined }), 'messages[0].tool_calls[1]'],
  ['a call with its arguments as text', withCall({ ...call, arguments: '{}' }), 'messages[0].tool_calls[1]'],
  ['a result with a number as its call', withMessages({ role: 'tool', content: 'x', tool_call_id: 7 }), 'tool_call_id'],
  ['a last message of the assistant', withMessages(hello, { role: 'assistant', content: 'Hi' }), 'last message'],
  ['a last message of the system', withMessages({ role: 'system', content: 'x' }), 'last message'],
  ['a session id of another shape', withField({ session_id: 'sess_1' }), 'session_id'],
  ['a run id in place of a session id', withField({ session_id: runId }), 'session_id'],
  ['a run id of another shape', withField({ run_id: 7 }), 'run_id'],
  ['omitted that is no whole number', withField({ omitted: 1.5 }), 'omitted'],
  ['omitted below 0', withField({ omitted: -1 }), 'omitted'],
  ['a stream that is no boolean', withField({ stream: 'false' }), 'stream'],
  ['a model that is no string', withField({ model: 7 }), 'model'],
  ['options that are an array', withField({ options: [] }), 'options'],
  ['tools that are no array', withField({ tools: {} }), 'tools'],
  ['a tool without a name', withField({ tools: [{ name: 'now' }, { description: 'x' }] }), 'tools[1]'],
  ['a tool with a number as description', withField({ tools: [{ name: 'now', description: 7 }] }), 'description'],
  ['a tool with text as parameters', withField({ tools: [{ name: 'now', parameters: 'x' }] }), 'parameters'],
  ['think that is a number', withField({ think: 1 }), 'think'],
  ['interrupts that is a string', withField({ interrupts: runId }), 'interrupts'],
  ['interrupts without a run', withField({ interrupts: { position: 3 } }), 'interrupts.run_id'],
  ['interrupts at half a position', withField({ interrupts: { run_id: runId, position: 1.5 } }), 'position'],
  ['interrupts before the start', withField({ interrupts: { run_id: runId, position: -1 } }), 'position'],
  ['an unknown when_busy', withField({ when_busy: 'queue' }), 'when_busy'],
  ['a reconnect that is no boolean', withField({ reconnect: 1 }), 'reconnect'],
  ['a resume of what a person said', withField({ resume: 'continue' }), 'resume'],
  [
    'a resume of a tool call',
    { messages: [{ role: 'assistant', content: '', tool_calls: [call] }], resume: 'continue' },
    'resume',
  ],
  ['an unknown resume', withField({ resume: true }), 'resume'],
])('parseChatRequest: %s is a bad_request that names it', ([, body, names]) => {
  expect(() => parse(body)).toThrow(
    expect.objectContaining({ code: 'bad_request', retryable: false, message: expect.stringContaining(names) }),
  )
})

test.for<[what: string, part: unknown]>([
  ['an image', { type: 'image_url', image_url: { url: 'data:,' } }],
  ['text without its text', { type: 'text' }],
  ['a string', 'x'],
  ['null', null],
])('parseChatRequest: a content part that is %s is unsupported_content', ([, part]) => {
  const content = [{ type: 'text', text: 'x' }, part]
  expect(() => parse(withMessages(hello, { role: 'user', content }))).toThrow(
    expect.objectContaining({ code: 'unsupported_content', message: expect.stringContaining('messages[1].content') }),
  )
})

test('parseChatRequest: what a message says is not repeated in a refusal', () => {
  const refusal = (body: unknown): string => {
    try {
      parse(body)
      return 'none'
    } catch (error) {
      return error instanceof Error ? error.message : 'none'
    }
  }
  expect(refusal(withMessages({ role: 'secret', content: 'x' }))).not.toContain('secret')
  expect(refusal('{"secret')).not.toContain('secret')
})

test.for([
  ['', undefined],
  ['  \n', undefined],
  ['{}', undefined],
  ['{"position":null}', undefined],
  ['{"position":0}', 0],
  ['{"position":12,"later":1}', 12],
] as const)('parseInterrupt: %j is a position of %s', ([body, position]) => {
  expect(parseInterrupt(body)).toBe(position)
})

test.for([
  '7',
  '[]',
  'x',
  '{"position":-1}',
  '{"position":1.5}',
  '{"position":"3"}',
  '{"position":1e999}',
  '{"position":9007199254740993}',
])('parseInterrupt: %j is a bad_request', (body) => {
  expect(() => parseInterrupt(body)).toThrow(expect.objectContaining({ code: 'bad_request' }))
})

test('parseChatRequest: a last message of a tool must answer a call of the history', () => {
  const call = { id: 'call_1', name: 'look', arguments: {} }
  const asked = { role: 'assistant', content: null, tool_calls: [call] }
  const answer = { role: 'tool', content: 'blue', tool_call_id: 'call_1' }
  expect(parse(withMessages(hello, asked, answer)).messages).toHaveLength(3)
  expect(() => parse(withMessages(hello, answer))).toThrow(/tool_call_id names no call/)
})
