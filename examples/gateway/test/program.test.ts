import { startNano } from '@midstream/example-nano'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { runToEnd, startDemo, startProgram, temporaryFolder } from './support/program.ts'

test('program: chats with the embedded model: a stream, an interrupt, a follow-up', async () => {
  const nano = await startNano({ tokensPerSecond: 200 })
  onTestFinished(() => nano.close())
  const program = await startProgram(`
model:
  provider: ollama
  endpoint: ${nano.url}
  model_name: nano
server:
  port: 0
  host: 0.0.0.0
  cors_allowed_origins: ["*"]
logging:
  level: info
`)
  expect(await program.line(/^Model/)).toBe(
    `Model nano by ollama at ${nano.url}: it answers; the model is loaded by the first request`,
  )
  expect(program.printed[1]).toMatch(/^Chat at http:\/\/localhost:\d+\/api\/chat$/)
  expect(program.printed[2]).toMatch(/^Model/)
  const head = await program.fetch('/api/chat', { method: 'HEAD' })
  expect(head.status).toBe(200)

  const story = await chat(program.fetch, 'Tell me a story about a fox')
  expect(story.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const partial = (await story.text(12)).slice(0, 12)
  const interrupt = await postJson(program.fetch, `/api/chat/runs/${story.runId}/interrupt`, { position: 12 })
  expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', partial: { content: partial } })
  expect(await story.end()).toMatchObject({ reason: 'interrupted', by: 'person' })
  const followUp = await chat(program.fetch, [
    { role: 'user', content: 'Tell me a story about a fox' },
    { role: 'assistant', content: partial, interrupted: true },
    { role: 'user', content: 'Tell me a story about a rabbit' },
  ])
  expect(await followUp.end()).toMatchObject({ done: true, reason: 'stop' })
})

test('demo: one program is a whole site, with a page and a model', async () => {
  const program = await startDemo()
  await program.line(/^Model/)
  expect(program.printed[2]).toBe(`Page at ${program.url}/`)
  const page = await program.fetch('/')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const story = await chat(program.fetch, 'Tell me a story about a fox')
  expect((await story.text(12)).length).toBeGreaterThan(11)
  await story.leave()
  program.signal('SIGINT')
  expect(await program.exited).toBe(0)
})

test('program: says at the start when a model server does not answer, or lacks the model', async () => {
  const fake = await startFakeOllama('other')
  const program = await startProgram(`
models:
  here: { provider: ollama, endpoint: "${fake.url}", model_name: qwen3:32b }
  away: { provider: vllm, endpoint: "http://127.0.0.1:9", model_name: m }
fallback: [here]
server: { port: 0 }
`)
  await program.line(/^Fallback/)
  expect(program.printed.slice(2)).toEqual([
    `Model here: qwen3:32b by ollama at ${fake.url}: it answers, but has no model of that name: ollama pull qwen3:32b`,
    'Model away: m by vllm at http://127.0.0.1:9: IT DOES NOT ANSWER: does the endpoint lack its /v1? Requests wait 60 s for it.',
    'Fallback here',
  ])
})

test('program: says at the start how a model server answers that is none of its kind, or lets nobody in', async () => {
  const server = createServer((request, response) =>
    response.writeHead(request.headers['x-as'] === 'key' ? 401 : 404).end(),
  )
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const program = await startProgram(`
models:
  path: { provider: ollama, endpoint: "${url}/openai", model_name: m }
  bare: { provider: vllm, endpoint: "${url}", model_name: m }
  list: { provider: vllm, endpoint: "${url}/v1", model_name: m }
  key: { provider: vllm, endpoint: "${url}/v1", model_name: m, headers: { x-as: key } }
server: { port: 0 }
`)
  await program.line(/^Model key/)
  expect(program.printed.slice(2)).toEqual([
    `Model path: m by ollama at ${url}/openai: IT ANSWERS WITH HTTP 404: is the endpoint right?`,
    `Model bare: m by vllm at ${url}: it answers with HTTP 404: does the endpoint lack its /v1?`,
    `Model list: m by vllm at ${url}/v1: it answers`,
    `Model key: m by vllm at ${url}/v1: IT REFUSES THE KEY: is api_key right?`,
  ])
})

test('program: --check says whether a file is fine, and starts nothing', async () => {
  const folder = temporaryFolder({
    'good.yaml': 'model: { provider: ollama, model_name: m }\n',
    'bad.yaml': 'model: { provider: ollama, model_name: m }\nserver:\n  prot: 1\n  host: 2\n',
  })
  const good = await runToEnd(['--check', '--config', join(folder, 'good.yaml')])
  expect(good).toEqual({ code: 0, stdout: `${folder}/good.yaml is fine\n`, stderr: '' })
  const bad = await runToEnd(['--check', '--config', join(folder, 'bad.yaml')])
  expect(bad).toEqual({
    code: 1,
    stdout: '',
    stderr: `midstream-gateway: the configuration has 2 problems:
${folder}/bad.yaml:3:3: server.prot: there is no such key; did you mean "port"?
${folder}/bad.yaml:4:9: server.host: must be text, got a number
`,
  })
  expect(await runToEnd(['--config', join(folder, 'bad.yaml')])).toMatchObject({ code: 1, stderr: bad.stderr })
})

test('program: says in one sentence why it does not start', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const model = 'model: { provider: ollama, model_name: m }\n'
  const folder = temporaryFolder({
    'taken.yaml': `${model}server: { port: ${port} }\n`,
    'foreign.yaml': `${model}server: { port: 0, host: 203.0.113.1 }\n`,
  })
  const start = async (...args: string[]): Promise<readonly [number | null, string]> => {
    const { code, stdout, stderr } = await runToEnd(args)
    expect(stdout).toBe('')
    return [code, stderr.split('\n')[0] ?? '']
  }
  expect(await start('--config', join(folder, 'taken.yaml'))).toEqual([
    1,
    `midstream-gateway: port ${port} is taken: choose another by server.port, or end what listens there`,
  ])
  const [code, words] = await start('--config', join(folder, 'foreign.yaml'))
  expect([code, words]).toEqual([
    1,
    expect.stringMatching(/cannot listen at server.host 203.0.113.1: is it an address/),
  ])
  expect(await start('--config', 'nowhere.yaml')).toEqual([
    1,
    'midstream-gateway: cannot read nowhere.yaml: there is no such file. --help shows the least that a configuration needs.',
  ])
  expect(await start()).toEqual([2, 'midstream-gateway: --config FILE is missing; --help tells more'])
  expect(await start('--cofnig', 'x')).toEqual([
    2,
    expect.stringMatching(/^midstream-gateway: Unknown option '--cofnig'/),
  ])
})

test('program: --help and --version', async () => {
  expect(await runToEnd(['--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('--config FILE'),
    stderr: '',
  })
  expect(await runToEnd(['--version'])).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  })
})

/** What a bug in one run would do: it fails where nobody waits for it. */
const crashes = `process.on('SIGUSR2', () => {
  Promise.reject(new Error('the secret words of a chat'));
  setImmediate(() => { throw new TypeError('more of them') });
})`

test('program: what fails where nobody waits for it ends neither the process nor the runs', async () => {
  const fake = await startFakeOllama()
  const config = `model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }\nserver: { port: 0 }\n`
  const program = await startProgram(config, {
    flags: ['--import', join(temporaryFolder({ 'crash.mjs': crashes }), 'crash.mjs')],
  })
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  asked.say('Hello')
  await answer.text(5)
  program.signal('SIGUSR2')
  const rejection = await program.log(({ origin }) => origin === 'rejection')
  expect(rejection).toMatchObject({ level: 'error', name: 'Error' })
  expect(await program.log(({ origin }) => origin === 'exception')).toMatchObject({ name: 'TypeError' })
  expect(program.logged.join('\n')).not.toMatch(/secret words|more of them/)
  asked.say(' there')
  asked.finish()
  expect(await answer.text(11)).toBe('Hello there')
  expect(await answer.end()).toMatchObject({ reason: 'stop' })
  expect(await (await program.fetch('/metrics')).text()).toContain('\nmidstream_crashes_total 2\n')
})

/** What a bug in what the gateway calls would do. */
const brokenOwner = `const { get } = Headers.prototype
Headers.prototype.get = function (name) {
  if (name === 'authorization' && get.call(this, 'x-break')) throw new Error('the secret words of a header')
  return get.call(this, name)
}`

test('program: what fails in the gateway is told by the log and the figures, and not to the client', async () => {
  const fake = await startFakeOllama()
  const config = `
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
auth: { secret: 0123456789abcdef }
`
  const program = await startProgram(config, {
    flags: ['--import', join(temporaryFolder({ 'broken.mjs': brokenOwner }), 'broken.mjs')],
  })
  const headers = { authorization: 'Bearer 0123456789abcdef' }
  const failed = await program.fetch('/api/chat/sessions/sess_x', { headers: { ...headers, 'x-break': 'yes' } })
  expect(failed.status).toBe(500)
  expect(await failed.json()).toMatchObject({ error: { code: 'internal' } })
  expect(await program.log(({ origin }) => origin === 'gateway')).toMatchObject({
    level: 'error',
    name: 'Error',
    method: 'GET',
    at: expect.arrayContaining([expect.stringContaining('broken.mjs')]),
  })
  expect(program.logged.join('\n')).not.toContain('secret words')
  expect(await (await program.fetch('/metrics')).text()).toContain('\nmidstream_crashes_total 1\n')
  expect((await chat(program.fetch, 'hello', headers)).response.status).toBe(200)
})

test('program: a model server that breaks in every way takes one run with it, and not the others', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
recovery: false
`)
  const steady = await chat(program.fetch, 'steady')
  const asked = await fake.next()
  asked.say('I go ')
  await steady.text(5)
  const breaks: ((one: typeof asked) => void)[] = [
    (one) => one.reset(),
    (one) => one.fail(500, 'boom'),
    (one) => one.write('\u0000\u0001{{{\n["x"]\n"x"\n'),
    (one) => one.write('{"message":\n'.repeat(3)),
  ]
  for (const break_ of breaks) {
    const broken = await chat(program.fetch, 'broken')
    const other = await fake.next()
    break_(other)
    expect(await broken.end()).toMatchObject({ done: true, reason: 'error' })
  }
  asked.say('on')
  asked.finish()
  expect(await steady.text(7)).toBe('I go on')
  expect(await steady.end()).toMatchObject({ reason: 'stop' })
})
