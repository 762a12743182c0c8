import { afterAll, expect, test } from 'vitest'
import { startNano } from '../src/index.ts'
import { allLines, ask, expectedText, postChat, rawRequest, recording, shape, textOf, type Line } from './support.ts'

const nano = await startNano({ tokensPerSecond: 0 })
afterAll(() => nano.close())

const lastLine = (body: string): Line => JSON.parse(body.trimEnd().split('\n').at(-1) ?? '') as Line

test('wire: a stream has the lines, the headers and the order of a real Ollama', async () => {
  const real = recording('chat-plain')
  const response = await postChat(nano, ask('Hello!'))
  expect(response.status).toBe(real.status)
  expect(response.headers.get('content-type')).toBe(real.type)
  expect(response.headers.get('transfer-encoding')).toBe('chunked')
  const body = await response.text()
  expect(body.endsWith('}\n')).toBe(true)
  const lines = body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  const realLines = real.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  for (const line of lines.slice(0, -1)) expect(shape(line)).toEqual(shape(realLines[0]))
  expect(shape(lines.at(-1))).toEqual(shape(realLines.at(-1)))
  expect(textOf(lines)).toBe(expectedText('a greeting'))
  // One line for each token, and the end token is the last line.
  expect(lines.at(-1)).toMatchObject({ done_reason: 'stop', eval_count: lines.length })
  expect(lines.every(({ created_at }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(created_at ?? ''))).toBe(
    true,
  )
})

test('wire: no two lines are equal, not even for equal tokens', async () => {
  const body = await (await postChat(nano, ask('Tell me a story about a fox'))).text()
  const lines = body.trimEnd().split('\n')
  expect(new Set(lines).size).toBe(lines.length)
})

test('wire: stream false gives one JSON object', async () => {
  const real = recording('chat-non-stream')
  const response = await postChat(nano, ask('Tell me a story about a fox', { stream: false }))
  expect(response.headers.get('content-type')).toBe(real.type)
  const reply = (await response.json()) as Line
  expect(shape(reply)).toEqual(shape(JSON.parse(real.body)))
  expect(reply.message?.content).toBe(expectedText('a story'))
})

test('wire: num_predict ends an answer with length', async () => {
  const lines = await allLines(await postChat(nano, ask('Hello!', { options: { temperature: 0, num_predict: 3 } })))
  expect(shape(lines.at(-1))).toEqual(shape(lastLine(recording('chat-length').body)))
  expect(lines.at(-1)).toMatchObject({ done_reason: 'length', eval_count: 3 })
  expect(expectedText('a greeting').startsWith(textOf(lines))).toBe(true)
})

test('wire: stop ends an answer before its text', async () => {
  const lines = await allLines(await postChat(nano, ask('Hello!', { options: { temperature: 0, stop: [' can I'] } })))
  expect(textOf(lines)).toBe('Hello! How')
  expect(lines.at(-1)).toMatchObject({ done_reason: 'stop' })
})

test('wire: a prompt is rendered on demand, and shows whether the reply is left open', async () => {
  const hi = { role: 'user', content: 'Hi' }
  const rendered = async (...messages: object[]): Promise<unknown> => {
    const body = { model: 'nano', messages, stream: false, _debug_render_only: true }
    const response = await fetch(`${nano.url}/api/chat`, { method: 'POST', body: JSON.stringify(body) })
    return response.json()
  }
  expect(await rendered(hi, { role: 'assistant', content: 'Once' })).toEqual({
    model: 'nano',
    created_at: expect.any(String),
    _debug_info: { rendered_template: '<start><user>Hi<assistant>Once' },
  })
  expect(await rendered(hi)).toMatchObject({ _debug_info: { rendered_template: '<start><user>Hi<assistant>' } })
})

test('wire: a trailing assistant message is continued, and only new text comes', async () => {
  const story = expectedText('a story')
  for (const cut of [103, 233]) {
    const messages = [
      { role: 'user', content: 'Tell me a story about a fox' },
      { role: 'assistant', content: story.slice(0, cut) },
    ]
    const lines = await allLines(await postChat(nano, ask('', { messages })))
    expect(textOf(lines)).toBe(story.slice(cut))
  }
})

test('wire: a long history is cut silently, and the count of prompt tokens shows it', async () => {
  const turns = Array.from({ length: 40 }, () => [
    { role: 'user', content: 'Tell me a story about a fox' },
    { role: 'assistant', content: expectedText('a story') },
  ])
  const messages = [...turns.flat(), { role: 'user', content: 'What is its name?' }]
  const lines = await allLines(await postChat(nano, ask('', { messages })))
  expect(textOf(lines)).toBe("The fox's name is Tess.")
  expect(lines.at(-1)?.prompt_eval_count).toBeLessThanOrEqual(512)
})

test('wire: one seed gives one answer', async () => {
  const say = async (seed: number) =>
    textOf(await allLines(await postChat(nano, ask('Tell me a story', { options: { temperature: 1, seed } }))))
  const [one, again, other] = [await say(7), await say(7), await say(8)]
  expect(again).toBe(one)
  expect(other).not.toBe(one)
})

test('wire: nano:latest is the same model, and every line repeats the name that was asked for', async () => {
  const lines = await allLines(await postChat(nano, ask('Hello!', { model: 'nano:latest' })))
  expect(new Set(lines.map(({ model }) => model))).toEqual(new Set(['nano:latest']))
})

test('wire: empty messages load the model, and keep_alive 0 unloads it', async () => {
  const real = recording('chat-unload')
  const loaded = await postChat(nano, { model: 'nano' })
  expect(loaded.headers.get('content-type')).toBe(real.type)
  const reply = (await loaded.json()) as Line
  expect(shape(reply)).toEqual(shape(JSON.parse(real.body)))
  expect(reply.done_reason).toBe('load')
  const ps = async () => JSON.parse((await rawRequest(nano, 'GET', '/api/ps')).text) as unknown
  expect(shape(await ps())).toEqual(shape(JSON.parse(recording('get-ps').body)))
  const unloaded = (await (await postChat(nano, { model: 'nano', messages: [], keep_alive: 0 })).json()) as Line
  expect(unloaded.done_reason).toBe('unload')
  expect(await ps()).toEqual(JSON.parse(recording('get-ps-empty').body))
})

test('wire: the lists have the fields of a real Ollama', async () => {
  const response = await fetch(`${nano.url}/api/tags`)
  expect(response.headers.get('content-type')).toBe(recording('get-tags').type)
  expect(shape(await response.json())).toEqual(shape(JSON.parse(recording('get-tags').body)))
  expect(await (await fetch(`${nano.url}/api/version`)).json()).toEqual({ version: expect.any(String) })
})

test.each([
  ['chat-empty-body', ''],
  ['chat-malformed-json', '{"model":"nano","messages":['],
  ['chat-no-model', { messages: [{ role: 'user', content: 'Hello' }] }],
  ['chat-unknown-model', ask('Hello', { model: 'nope' })],
  ['chat-think-unsupported', ask('Hello', { think: true })],
])('wire: %s is refused like a real Ollama does', async (name, body) => {
  const real = recording(name)
  const response = await postChat(nano, body)
  expect(response.status).toBe(real.status)
  expect(response.headers.get('content-type')).toBe(real.type)
  expect(await response.text()).toBe(real.body)
})

test('wire: tools are refused in the words of a real Ollama', async () => {
  const response = await postChat(nano, ask('Hello', { tools: [{ type: 'function', function: { name: 'now' } }] }))
  const real = JSON.parse(recording('v1-tools-unsupported').body) as { error: { message: string } }
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({ error: real.error.message })
})

test.each([
  [
    '{"model":"nano","messages":"hi"}',
    400,
    'json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message',
  ],
  ['{"model":1}', 400, 'json: cannot unmarshal number into Go struct field ChatRequest.model of type string'],
  ['[]', 400, 'json: cannot unmarshal array into Go value of type api.ChatRequest'],
  ['nonsense', 400, "invalid character 'o' looking for beginning of value"],
  ['{"model":"nano","keep_alive":"soon"}', 400, 'time: invalid duration "soon"'],
  ['{"model":"nano","options":{"temperature":"hot"}}', 500, 'option "temperature" must be of type float32'],
])('wire: %s is refused', async (body, status, error) => {
  const response = await postChat(nano, body)
  expect(response.status).toBe(status)
  expect(await response.json()).toEqual({ error })
})

test('wire: a body that is too large is refused', async () => {
  const reply = await rawRequest(nano, 'POST', '/api/chat', {}, ' '.repeat(4_194_305))
  expect(reply).toMatchObject({ status: 413, text: '{"error":"http: request body too large"}' })
})

test('wire: a thinking level, null fields and unknown options do no harm', async () => {
  const body = ask('Hello!', {
    think: false,
    tools: [],
    format: null,
    keep_alive: null,
    stream: null,
    options: { temperature: 0, nonsense: 1, mirostat: 2 },
  })
  expect(textOf(await allLines(await postChat(nano, body)))).toBe(expectedText('a greeting'))
})

test('routes: the root says that Ollama is running', async () => {
  expect(await rawRequest(nano, 'GET', '/')).toMatchObject({ status: 200, text: 'Ollama is running' })
  for (const path of ['/', '/api/tags', '/api/version']) {
    expect(await rawRequest(nano, 'HEAD', path)).toMatchObject({ status: 200, text: '' })
  }
})

test('routes: an unknown path is 404, a wrong method 405, both as text', async () => {
  const real = recording('get-unknown-path')
  expect(await rawRequest(nano, 'GET', '/api/nothing')).toMatchObject({ status: real.status, text: real.body })
  expect(await rawRequest(nano, 'GET', '/api/chat')).toMatchObject({ status: 405, headers: { allow: 'POST' } })
})

test('routes: a foreign origin and a foreign host get 403 with no body', async () => {
  const foreign = [{ origin: 'https://evil.example' }, { host: 'evil.example' }]
  for (const headers of foreign) {
    expect(await rawRequest(nano, 'GET', '/api/tags', headers)).toMatchObject({ status: 403, text: '' })
  }
  expect(await rawRequest(nano, 'GET', '/api/tags', { origin: 'http://localhost:5173' })).toMatchObject({ status: 200 })
})
