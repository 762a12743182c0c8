import { expect, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama, type FakeOllama } from './support/fake-ollama.ts'
import { startProgram, type ProgramProcess } from './support/program.ts'

async function startWith(drainMs: number): Promise<readonly [ProgramProcess, FakeOllama]> {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0, drain_ms: ${drainMs} }
fuse: { max_bytes: 100000000 }
`)
  return [program, fake]
}

const isDraining = ({ msg }: { readonly msg: string }): boolean => msg.startsWith('draining')

test('shutdown: SIGTERM lets running answers end, and takes no new ones', async () => {
  const [program, fake] = await startWith(60_000)
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  asked.say('Good')
  await answer.text(4)
  program.signal('SIGTERM')
  await program.log(isDraining)

  const refused = await postJson(program.fetch, '/api/chat', { messages: [{ role: 'user', content: 'me too' }] })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down', retryable: true } })
  const ready = await program.fetch('/readyz')
  expect([ready.status, await ready.text()]).toEqual([503, 'draining\n'])
  expect((await program.fetch('/healthz')).status).toBe(200)

  asked.say('bye')
  asked.finish()
  expect(await answer.end()).toMatchObject({ done: true, reason: 'stop' })
  expect(await program.exited).toBe(0)
})

test('shutdown: a running answer can be interrupted while the program drains', async () => {
  const [program, fake] = await startWith(60_000)
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  asked.say('Good')
  await answer.text(4)
  program.signal('SIGINT')
  await program.log(isDraining)
  const interrupt = await postJson(program.fetch, `/api/chat/runs/${answer.runId}/interrupt`, {})
  expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', partial: { content: 'Good' } })
  expect(await asked.whole).toBe(false)
  expect(await program.exited).toBe(0)
})

test('shutdown: what runs longer than drain_ms ends as interrupted, with its partial', async () => {
  const [program, fake] = await startWith(100)
  const answer = await chat(program.fetch, 'hello')
  const whole = postJson(program.fetch, '/api/chat', { stream: false, messages: [{ role: 'user', content: 'whole' }] })
  const asked = [await fake.next(), await fake.next()]
  for (const one of asked) one.say('Good')
  await answer.text(4)
  program.signal('SIGTERM')
  expect(await answer.end()).toEqual({
    done: true,
    reason: 'interrupted',
    by: 'shutdown',
    position: 4,
    usage: expect.anything() as unknown,
  })
  expect(await (await whole).json()).toMatchObject({ message: { content: 'Good' }, by: 'shutdown' })
  expect(await Promise.all(asked.map((one) => one.whole))).toEqual([false, false])
  expect(await program.exited).toBe(0)
  expect(await program.log(({ msg, by }) => msg === 'run' && by === 'shutdown')).toBeTruthy()
})

test('shutdown: a second signal ends at once, and the partials are told all the same', async () => {
  const [program, fake] = await startWith(600_000)
  const answer = await chat(program.fetch, 'hello')
  const asked = await fake.next()
  asked.say('Good')
  await answer.text(4)
  program.signal('SIGTERM')
  await program.log(isDraining)
  program.signal('SIGTERM')
  expect(await answer.end()).toMatchObject({ reason: 'interrupted', by: 'shutdown', position: 4 })
  expect(await program.exited).toBe(0)
})

test.each([
  ['after drain_ms', 50],
  ['after a second signal', 600_000],
])('shutdown: a client that reads nothing does not hold the process: %s', async (_when, drainMs) => {
  const [program, fake] = await startWith(drainMs)
  await chat(program.fetch, 'hello')
  const asked = await fake.next()
  // More than the sockets on the way hold.
  for (let i = 0; i < 60; i += 1) asked.say('x'.repeat(500_000))
  asked.finish()
  await program.log(({ msg }) => msg === 'run')
  program.signal('SIGTERM')
  await program.log(isDraining)
  if (drainMs > 50) program.signal('SIGINT')
  expect(await program.exited).toBe(0)
})

test('shutdown: with nothing to do it ends at once, whoever keeps a connection', async () => {
  const [program] = await startWith(600_000)
  expect((await program.fetch('/healthz')).status).toBe(200)
  program.signal('SIGTERM')
  expect(await program.exited).toBe(0)
})
