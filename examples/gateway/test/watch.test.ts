import { expect, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { startProgram, type ProgramProcess } from './support/program.ts'

const isRun = ({ msg }: { readonly msg: string }): boolean => msg === 'run'

async function figures(program: ProgramProcess): Promise<readonly string[]> {
  const response = await program.fetch('/metrics')
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return (await response.text()).split('\n').filter((line) => !line.startsWith('#'))
}

test('watch: one line of the log for a run, and the same in figures', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
`)
  const answer = await chat(program.fetch, 'the words of a person')
  const asked = await fake.next()
  asked.say('the words of ')
  await answer.text(13)
  expect(await figures(program)).toEqual(
    expect.arrayContaining([
      'midstream_runs_active 1',
      'midstream_readers_active 1',
      'midstream_breaker_state{server="0",upstream="ollama",model="fake",state="closed"} 1',
    ]),
  )
  asked.say('a model')
  asked.finish()
  await answer.end()
  const line = await program.log(isRun)
  expect(line).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    msg: 'run',
    run_id: answer.runId,
    session_id: answer.response.headers.get('session-id'),
    model: 'fake',
    upstream: 'ollama',
    reason: 'stop',
    first_delta_ms: expect.any(Number),
    duration_ms: expect.any(Number),
    units: 20,
    readers: 1,
    retries: 0,
    usage: { prompt_tokens: 3, completion_tokens: 5 },
  })

  const cut = await chat(program.fetch, 'a second one')
  ;(await fake.next()).say('Well')
  await cut.text(4)
  await postJson(program.fetch, `/api/chat/runs/${cut.runId}/interrupt`, {})
  await cut.end()
  expect(await program.log(({ reason }) => reason === 'interrupted')).toMatchObject({ by: 'person', units: 4 })

  const left = await chat(program.fetch, 'a third one')
  ;(await fake.next()).say('Well')
  await left.text(4)
  await left.leave()
  await program.log(({ by }) => by === 'orphan')
  expect((await program.fetch('/api/chat', { method: 'POST', body: '{' })).status).toBe(400)

  expect(await figures(program)).toEqual(
    expect.arrayContaining([
      'midstream_runs_active 0',
      'midstream_readers_active 0',
      'midstream_runs_total{model="fake",upstream="ollama",reason="stop"} 1',
      'midstream_runs_total{model="fake",upstream="ollama",reason="interrupted"} 2',
      'midstream_interrupts_total{by="person"} 1',
      'midstream_interrupts_total{by="orphan"} 1',
      'midstream_drops_total 1',
      'midstream_tokens_total{kind="prompt"} 3',
      'midstream_refused_total{code="bad_request"} 1',
      'midstream_time_to_first_token_seconds_count{model="fake"} 3',
      'midstream_tokens_per_second_count{model="fake"} 1',
      expect.stringMatching(/^process_resident_memory_bytes \d+/),
      expect.stringMatching(/^nodejs_eventloop_lag_p99_seconds /),
    ]),
  )
  expect(program.logged.join('\n')).not.toMatch(/words|second one|Well/)
})

test('watch: fuses, failures, retries and breakers are counted, and who took over is told', async () => {
  const [first, second] = [await startFakeOllama('one'), await startFakeOllama('two')]
  const program = await startProgram(`
models:
  one: { provider: ollama, endpoint: "${first.url}", model_name: one }
  two: { provider: ollama, endpoint: "${second.url}", model_name: two }
fallback: [two]
server: { port: 0 }
breaker: { failures: 1, probe_ms: 600000 }
recovery: { max_wait_ms: 0 }
`)
  const answer = await chat(program.fetch, 'hello')
  ;(await first.next()).reset()
  const successor = await second.next()
  successor.say('Here')
  successor.finish()
  expect(await answer.end()).toMatchObject({ reason: 'stop' })
  expect(await program.log(isRun)).toMatchObject({
    model: 'one',
    upstream: 'ollama',
    upstream_model: 'two',
    retries: 1,
    reason: 'stop',
  })

  const blown = await chat(program.fetch, 'hello', {}, { model: 'two' })
  ;(await second.next()).write('x\nx\nx\n')
  expect(await blown.end()).toMatchObject({ reason: 'error' })
  expect(await program.log(({ reason }) => reason === 'error')).toMatchObject({
    level: 'warn',
    model: 'two',
    code: 'upstream_malformed',
  })
  expect(await figures(program)).toEqual(
    expect.arrayContaining([
      'midstream_retries_total 1',
      'midstream_recoveries_total{outcome="recovered"} 1',
      'midstream_fuse_blows_total{code="upstream_malformed"} 1',
      'midstream_run_errors_total{code="upstream_malformed"} 1',
      'midstream_breaker_state{server="0",upstream="ollama",model="one",state="open"} 1',
      'midstream_breaker_state{server="1",upstream="ollama",model="two",state="open"} 1',
    ]),
  )
  const ready = await program.fetch('/readyz')
  expect([ready.status, await ready.text()]).toEqual([503, 'no model server can be had\n'])
  const refused = await postJson(program.fetch, '/api/chat', { messages: [{ role: 'user', content: 'again' }] })
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(500)
})

test.each([
  ['info', false],
  ['debug', true],
])('watch: at level %s the log has the raw words of a model server: %s', async (level, isTold) => {
  const fake = await startFakeOllama()
  const program = await startProgram(
    `
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake, api_key: "\${KEY}" }
server: { port: 0 }
logging: { level: ${level} }
recovery: false
`,
    { env: { KEY: 'the-key-of-the-house' } },
  )
  const answer = await chat(program.fetch, 'hello')
  ;(await fake.next()).fail(400, 'raw words, and the-key-of-the-house')
  expect(await answer.end()).toMatchObject({ reason: 'error' })
  expect(await program.log(isRun)).toMatchObject({ code: 'upstream_rejected' })
  if (isTold) await program.log(({ cause }) => String(cause).includes('raw words'))
  program.signal('SIGTERM')
  await program.exited
  const said = [...program.logged, ...program.printed].join('\n')
  expect(said.includes('raw words')).toBe(isTold)
  expect(said).not.toContain('the-key-of-the-house')
})

test('watch: /readyz follows the model server, which is asked once a second at most', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
`)
  const until = async (status: number): Promise<Response> => {
    for (;;) {
      const response = await program.fetch('/readyz')
      if (response.status === status) return response
      await response.text()
    }
  }
  expect(await (await until(200)).text()).toBe('ready\n')
  const before = fake.asksOfState
  const startedAt = performance.now()
  for (let i = 0; i < 20; i += 1) await (await program.fetch('/readyz')).text()
  expect(fake.asksOfState - before).toBeLessThanOrEqual(1 + Math.floor((performance.now() - startedAt) / 1_000))
  await fake.close()
  expect(await (await until(503)).text()).toBe('no model server can be had\n')
  expect((await program.fetch('/healthz')).status).toBe(200)
  await startFakeOllama('fake', fake.port)
  await until(200)
  const post = await program.fetch('/readyz', { method: 'POST' })
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

test('watch: whoever reads the log may leave', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
`)
  program.hangUp()
  for (const _ of [1, 2, 3]) {
    const answer = await chat(program.fetch, 'hello')
    const asked = await fake.next()
    asked.say('Hi')
    asked.finish()
    expect(await answer.end()).toMatchObject({ reason: 'stop' })
  }
  expect(await figures(program)).toContain('midstream_crashes_total 0')
})
