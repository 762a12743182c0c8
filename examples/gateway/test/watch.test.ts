import { expect, test } from 'vitest'
import { chat, postJson, type Chat } from './support/chat.ts'
import { startFakeOllama } from './support/fake-ollama.ts'
import { startProgram, type ProgramProcess } from './support/program.ts'

const isRun = ({ msg }: { readonly msg: string }): boolean => msg === 'run'

async function figures(program: ProgramProcess): Promise<readonly string[]> {
  const response = await program.fetch('/metrics')
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return (await response.text()).split('\n').filter((line) => !line.startsWith('#'))
}

/** The value of one figure; fails when it is not there once. */
function valueOf(lines: readonly string[], name: string): number {
  const found = lines.filter((line) => line.startsWith(`${name} `))
  expect(found).toHaveLength(1)
  return Number(found[0]!.slice(name.length + 1))
}

/** What a line of the log tells of a run's times, ms. */
function timesOf(line: Readonly<Record<string, unknown>>): { readonly first: number; readonly whole: number } {
  return { first: Number(line['first_delta_ms']), whole: Number(line['duration_ms']) }
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
  const cutLine = await program.log(({ reason }) => reason === 'interrupted')
  expect(cutLine).toMatchObject({ by: 'person', units: 4 })

  const left = await chat(program.fetch, 'a third one')
  ;(await fake.next()).say('Well')
  await left.text(4)
  await left.leave()
  const leftLine = await program.log(({ by }) => by === 'orphan')
  expect((await program.fetch('/api/chat', { method: 'POST', body: '{' })).status).toBe(400)

  const now = await figures(program)
  expect(now).toEqual(
    expect.arrayContaining([
      'midstream_runs_active 0',
      'midstream_readers_active 0',
      'midstream_runs_total{model="fake",upstream="ollama",reason="stop"} 1',
      'midstream_runs_total{model="fake",upstream="ollama",reason="interrupted"} 2',
      'midstream_interrupts_total{by="person"} 1',
      'midstream_interrupts_total{by="orphan"} 1',
      'midstream_drops_total 1',
      'midstream_tokens_total{kind="prompt"} 3',
      'midstream_tokens_total{kind="completion"} 7',
      'midstream_refused_total{code="bad_request"} 1',
      'midstream_time_to_first_token_seconds_count{model="fake"} 3',
      'midstream_tokens_per_second_count{model="fake"} 1',
      'midstream_run_duration_seconds_count{model="fake"} 3',
      expect.stringMatching(/^process_resident_memory_bytes \d+/),
      expect.stringMatching(/^nodejs_eventloop_lag_p99_seconds /),
    ]),
  )
  expect(program.logged.join('\n')).not.toMatch(/words|second one|Well/)

  // The log rounds to whole ms.
  const times = [line, cutLine, leftLine].map(timesOf)
  const sum = (name: 'first' | 'whole'): number => times.reduce((total, one) => total + one[name], 0) / 1_000
  const firstDelta = valueOf(now, 'midstream_time_to_first_token_seconds_sum{model="fake"}')
  expect(Math.abs(firstDelta - sum('first'))).toBeLessThan(0.002)
  const duration = valueOf(now, 'midstream_run_duration_seconds_sum{model="fake"}')
  expect(Math.abs(duration - sum('whole'))).toBeLessThan(0.002)
  const pace = valueOf(now, 'midstream_tokens_per_second_sum{model="fake"}')
  const flowed = times[0]!.whole - times[0]!.first
  expect(flowed).toBeGreaterThan(1)
  expect(pace).toBeGreaterThan(5_000 / (flowed + 1))
  expect(pace).toBeLessThan(5_000 / (flowed - 1))
})

test('watch: a continuation tells which run it goes on with', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
`)
  const first = await chat(program.fetch, 'hello')
  ;(await fake.next()).say('Once upon')
  await first.text(9)
  await postJson(program.fetch, `/api/chat/runs/${first.runId}/interrupt`, {})
  await first.end()
  const history = [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: 'Once upon', interrupted: true },
  ]
  const session = first.response.headers.get('session-id')
  const rest = await chat(program.fetch, history, {}, { resume: 'continue', session_id: session })
  const asked = await fake.next()
  asked.say(' a time')
  asked.finish()
  await rest.end()
  expect(await program.log(({ reason }) => reason === 'interrupted')).not.toHaveProperty('continues')
  expect(await program.log(({ reason }) => reason === 'stop')).toMatchObject({ continues: first.runId })
})

test('watch: a run has recovered when the model went on, and not when it only ended', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
breaker: false
recovery: { max_attempts: 2 }
`)
  /** The next request for a run: of one that was left there may be one more. */
  const asks = async (name: string): ReturnType<typeof fake.next> => {
    for (;;) {
      const asked = await fake.next()
      if (asked.body.messages[0]?.content === name) return asked
    }
  }
  const breaks = async (name: string, text: string): Promise<Chat> => {
    const one = await chat(program.fetch, name)
    const asked = await asks(name)
    if (text !== '') asked.say(text)
    await one.text(text.length)
    asked.reset()
    await one.retry()
    return one
  }
  const counts = async (one: Chat, outcome: string, count: number): Promise<void> => {
    await program.log(({ run_id }) => run_id === one.runId)
    expect(valueOf(await figures(program), `midstream_recoveries_total{outcome="${outcome}"}`)).toBe(count)
  }

  const unheard = await breaks('unheard', '')
  await unheard.leave()
  await counts(unheard, 'abandoned', 1)

  const left = await breaks('left', 'Once upon')
  await left.leave()
  await counts(left, 'abandoned', 2)

  const cut = await breaks('cut', 'Once upon')
  ;(await asks('cut')).say(' a time')
  await cut.text(16)
  await postJson(program.fetch, `/api/chat/runs/${cut.runId}/interrupt`, {})
  await counts(cut, 'recovered', 1)

  const whole = await breaks('whole', 'Once upon')
  const rest = await asks('whole')
  rest.say(' a time')
  rest.finish()
  await counts(whole, 'recovered', 2)

  const failed = await breaks('failed', 'Once upon')
  const again = await asks('failed')
  again.say(' a time')
  await failed.text(16)
  again.reset()
  expect(await failed.end()).toMatchObject({ reason: 'error' })
  await counts(failed, 'failed', 1)
})

test('watch: a reader that leaves to interrupt is no drop, one that leaves and comes back is', async () => {
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0 }
`)
  const says = async (rest: object = {}): Promise<Chat> => {
    const one = await chat(program.fetch, 'hello', {}, { reconnect: true, ...rest })
    ;(await fake.next()).say('Once upon')
    await one.text(9)
    return one
  }
  const drops = async (): Promise<number> => valueOf(await figures(program), 'midstream_drops_total')
  const gone = async (one: Chat): Promise<void> => {
    await one.leave()
    while (!(await figures(program)).includes('midstream_readers_active 0'));
  }
  const interrupt = async (one: Chat): Promise<void> => {
    await postJson(program.fetch, `/api/chat/runs/${one.runId}/interrupt`, { position: 9 })
  }

  const cut = await says()
  await gone(cut)
  await interrupt(cut)
  const superseded = await says()
  await gone(superseded)
  const next = await says({ interrupts: { run_id: superseded.runId, position: 9 } })
  expect(await drops()).toBe(0)

  await gone(next)
  const back = await program.fetch(`/api/chat/runs/${next.runId}?after=9`)
  await back.body?.cancel()
  while (!(await figures(program)).includes('midstream_readers_active 0'));
  await interrupt(next)
  expect(await drops()).toBe(1)

  const ended = await program.fetch(`/api/chat/runs/${next.runId}`)
  await ended.body?.cancel()
  expect(await drops()).toBe(1)
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
  ;(await second.next()).write('{x\n{x\n{x\n')
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
