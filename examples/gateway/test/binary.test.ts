import { version } from '@midstream/core'
import { startNano } from '@midstream/example-nano'
import { missing } from '@midstream/test-support'
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { runToEnd, startProgram, temporaryFolder } from './support/program.ts'

const canBuild =
  (process.platform === 'linux' && process.arch === 'x64') || missing('Linux on x64 (for `npm run build:binary`)')

const root = join(import.meta.dirname, '../../..')
let folder = ''
let executable = ''

beforeAll(async () => {
  if (!canBuild) return
  await promisify(execFile)(process.execPath, ['scripts/binary.mjs', '--no-install'], { cwd: root })
  // Away from the project: what it needs and does not hold, it finds nowhere.
  folder = await mkdtemp(join(tmpdir(), 'midstream-binary-'))
  executable = join(folder, 'midstream-gateway')
  await copyFile(join(root, 'artifacts/midstream-gateway'), executable, constants.COPYFILE_FICLONE)
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

test.skipIf(!canBuild)('binary: answers as the program does, by itself', async () => {
  const files = temporaryFolder({
    'good.yaml': 'model: { provider: ollama, model_name: m }\n',
    'bad.yaml': 'model: { provider: ollama, model_name: m }\nserver:\n  prot: 1\n',
  })
  const run = (...args: string[]): ReturnType<typeof runToEnd> => runToEnd(args, { executable })
  expect(await run('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--config FILE'), stderr: '' })
  const good = join(files, 'good.yaml')
  expect(await run('--check', '--config', good)).toEqual({ code: 0, stdout: `${good} is fine\n`, stderr: '' })
  const bad = join(files, 'bad.yaml')
  expect(await run('--check', '--config', bad)).toEqual({
    code: 1,
    stdout: '',
    stderr: `midstream-gateway: the configuration has a problem:
${bad}:3:3: server.prot: there is no such key; did you mean "port"?
`,
  })
})

test.skipIf(!canBuild)('binary: chats with the embedded model: a stream, an interrupt, a follow-up', async () => {
  const nano = await startNano({ tokensPerSecond: 200 })
  onTestFinished(() => nano.close())
  const program = await startProgram(
    `
model: { provider: ollama, endpoint: "${nano.url}", model_name: nano }
server: { port: 0 }
`,
    { executable },
  )
  expect(await program.line(/^Model/)).toMatch(/: it answers; the model is loaded by the first request$/)
  const ask = { role: 'user', content: 'Tell me a story about a fox' }
  const story = await chat(program.fetch, [ask])
  const partial = (await story.text(12)).slice(0, 12)
  const interrupt = await postJson(program.fetch, `/api/chat/runs/${story.runId}/interrupt`, { position: 12 })
  expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', partial: { content: partial } })
  expect(await story.end()).toMatchObject({ reason: 'interrupted', by: 'person' })
  const followUp = await chat(program.fetch, [
    ask,
    { role: 'assistant', content: partial, interrupted: true },
    { role: 'user', content: 'Tell me a story about a rabbit' },
  ])
  expect(await followUp.end()).toMatchObject({ done: true, reason: 'stop' })
  expect(await program.log(({ reason }) => reason === 'interrupted')).toMatchObject({ run_id: story.runId, units: 12 })
  expect(await (await program.fetch('/metrics')).text()).toContain('\nmidstream_interrupts_total{by="person"} 1\n')
})

test.skipIf(!canBuild)('binary: is a whole site, and lets running answers end after SIGTERM', async () => {
  const fake = await startFakeOllama()
  const site = temporaryFolder({ 'index.html': '<h1>Hello</h1>' })
  const program = await startProgram(
    `
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0, static: "${site}", drain_ms: 60000 }
`,
    { executable },
  )
  const page = await program.fetch('/')
  expect([page.headers.get('content-type'), await page.text()]).toEqual(['text/html; charset=utf-8', '<h1>Hello</h1>'])
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  asked.say('Good')
  await answer.text(4)
  program.signal('SIGTERM')
  await program.log(({ msg }) => msg.startsWith('draining'))
  const refused = await postJson(program.fetch, '/api/chat', { messages: [{ role: 'user', content: 'me too' }] })
  expect(refused.status).toBe(503)
  asked.say('bye')
  asked.finish()
  expect(await answer.end()).toMatchObject({ done: true, reason: 'stop' })
  expect(await program.exited).toBe(0)
})
