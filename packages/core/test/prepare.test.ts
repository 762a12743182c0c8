import { type } from 'arktype'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { GatewayOptions, Identity, PrepareInput, RunEnd } from '../src/gateway/index.ts'
import { scriptedUpstream } from '../src/testing/index.ts'
import { route } from '../src/upstream/index.ts'
import { ChatError } from '../src/wire/errors.ts'
import { turn } from './support/event-loop.ts'
import { ask, bench, failure, isText, json } from './support/gateway-bench.ts'

// What an app has its say in: who asks, what the model is asked, and what is stored.

const told = (): { errors: unknown[]; onError: GatewayOptions['onError'] } => {
  const errors: unknown[] = []
  return { errors, onError: (error) => void errors.push(error) }
}
const asked = (body: object): { method: string; body: string } => ({ method: 'POST', body: JSON.stringify(body) })

test('prepare: makes the history, the prompt, the tools, the options and the thinking that go up', async () => {
  const inputs: PrepareInput[] = []
  const bed = bench({
    authorize: ({ headers }) => ({ owner: headers.get('x-user') ?? '', plan: 'pro' }),
    prepare(input) {
      inputs.push(input)
      return {
        system: 'You serve Ada.',
        messages: [{ role: 'user', content: 'Before' }, { role: 'assistant', content: 'Yes' }, ...input.messages],
        tools: [{ name: 'look_up' }],
        options: { max_tokens: 10 },
        think: 'low',
      }
    },
  })
  const body = {
    messages: [{ id: 'm3', role: 'user', content: 'Hello' }],
    metadata: { chat: 7 },
    after: 'm2',
    omitted: 2,
  }
  const { reply, runId, sessionId } = await bed.start(body, { headers: { 'x-user': 'ada' } })
  expect(inputs).toEqual([
    {
      context: { owner: 'ada', plan: 'pro' },
      metadata: { chat: 7 },
      messages: body.messages,
      after: 'm2',
      omitted: 2,
      model: 'scripted',
      options: undefined,
      tools: undefined,
      think: undefined,
      sessionId,
      runId,
      signal: expect.any(AbortSignal),
    },
  ])
  expect(reply.request).toMatchObject({
    messages: [
      { role: 'system', content: 'You serve Ada.' },
      { role: 'user', content: 'Before' },
      { role: 'assistant', content: 'Yes' },
      { role: 'user', content: 'Hello' },
    ],
    tools: [{ name: 'look_up' }],
    options: { max_tokens: 10 },
    think: 'low',
  })
})

test('prepare: may say nothing, and what the client sent goes up', async () => {
  for (const nothing of [undefined, null, {}]) {
    const { reply } = await bench({ system: 'Be kind.', prepare: () => nothing }).start()
    expect(reply.request.messages).toEqual([{ role: 'system', content: 'Be kind.' }, ...ask('Hello').messages])
  }
})

test('prepare: the run has begun meanwhile: its first frame and its pings come, and a person may interrupt it', async () => {
  const signals: AbortSignal[] = []
  const bed = bench({
    prepare: ({ signal }) => {
      signals.push(signal)
      return new Promise(() => undefined)
    },
  })
  const response = await bed.post(ask('Hello'))
  const runId = response.headers.get('run-id')!
  const text = response.text()
  bed.clock.advance(5_000)
  const outcome = await json(await bed.interrupt(runId))
  expect(outcome).toMatchObject({ outcome: 'interrupted', position: 0 })
  const frames = await text
  expect(frames).toContain('"status":"waiting"')
  expect(frames).toContain('{"ping":"keepalive"}')
  expect(frames).toContain('"by":"person"')
  expect([signals[0]!.aborted, bed.upstream.replies.length]).toEqual([true, 0])
})

test('prepare: an answer behind an interrupt asks no model', async () => {
  const ready = Promise.withResolvers<undefined>()
  const bed = bench({ prepare: () => ready.promise })
  const response = await bed.post(ask('Hello'))
  await bed.interrupt(response.headers.get('run-id')!)
  ready.resolve(undefined)
  await turn()
  expect(bed.upstream.replies).toEqual([])
})

test('prepare: a ChatError of the app reaches the client, and is no fault that is told', async () => {
  const { errors, onError } = told()
  const refuse = (): never => {
    throw new ChatError('too_many_runs', 'Your plan has no answers left.', { retryable: true })
  }
  const bed = bench({ onError, prepare: refuse })
  const answer = await bed.post({ ...ask('Hello'), stream: false })
  expect(await json(answer)).toMatchObject({
    error: { code: 'too_many_runs', message: 'Your plan has no answers left.', retryable: true },
  })
  expect(errors).toEqual([])
})

test.for<[what: string, prepare: GatewayOptions['prepare'], said: RegExp]>([
  [
    'throws',
    () => {
      throw new Error('the database is gone')
    },
    /database is gone/,
  ],
  ['rejects', () => Promise.reject(new Error('the database is gone')), /database is gone/],
  ['gives no object', () => 'hello' as never, /must return an object/],
  [
    'gives messages that are none',
    () => ({ messages: [{ role: 'robot', content: '' }] as never }),
    /messages\[0\]\.role/,
  ],
  ['gives a model that is not offered', () => ({ model: 'secret' }), /secret/],
  ['gives a prompt that is no text', () => ({ system: 7 as never }), /system must be a string/],
  ['gives tools that are none', () => ({ tools: [{}] as never }), /tools\[0\]/],
])('prepare: one that %s ends its run as internal, and only the app is told why', async ([, prepare, said]) => {
  const { errors, onError } = told()
  const bed = bench({ onError, prepare })
  const body = await (await bed.post(ask('Hello'))).text()
  expect(body).toContain('"code":"internal"')
  expect(body).not.toMatch(said)
  expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(said) })])
  expect(bed.upstream.replies).toEqual([])
})

test('prepare: one that never settles is given up after prepareMs, its signal aborts, and the app is told', async () => {
  const { errors, onError } = told()
  let signal: AbortSignal | undefined
  const bed = bench({
    onError,
    prepareMs: 3_000,
    prepare: (input) => {
      ;({ signal } = input)
      return new Promise(() => undefined)
    },
  })
  const response = bed.post({ ...ask('Hello'), stream: false })
  await turn()
  bed.clock.advance(3_000)
  expect(await json(await response)).toMatchObject({ error: { code: 'internal' } })
  expect([signal?.aborted, errors]).toEqual([
    true,
    [expect.objectContaining({ message: expect.stringContaining('3000 ms') })],
  ])
})

test('prepare: is asked once a run, however often the model server is asked', async () => {
  let calls = 0
  const bed = bench({ recovery: { maxAttempts: 3 }, prepare: () => void (calls += 1) })
  const { reply } = await bed.start()
  reply.send('Hello')
  reply.fail(new ChatError('upstream_unreachable', 'It hung up.', { retryable: true }))
  await reply.left
  bed.clock.advance(60_000)
  const again = await bed.upstream.next()
  expect([again.request.prefill, calls]).toEqual(['Hello', 1])
})

test('prepare: a model that it chooses answers, and readers are told', async () => {
  const small = scriptedUpstream({ model: 'small:1b' })
  const large = scriptedUpstream({ model: 'large:70b' })
  const bed = bench({ upstream: route({ models: { small, large } }), prepare: () => ({ model: 'large' }) })
  const body = (await bed.post(ask('Hello'))).text()
  const reply = await large.next()
  reply.send('Hi')
  reply.finish()
  const frames = await body
  expect(frames).toContain('"model":"small"')
  expect(frames).toContain('"status":"waiting","upstream":"scripted","model":"large:70b"')
  expect(small.replies).toEqual([])
})

test('prepare: a breaker that is open then is an error of the run, which may be tried again', async () => {
  const bed = bench({ breaker: { failures: 1 }, prepare: () => undefined })
  const failed = await bed.start()
  failed.reply.fail(new ChatError('upstream_unreachable', 'Nobody is there.', { retryable: true }))
  await failed.frames.rest()
  const answer = await bed.post({ ...ask('Hello'), stream: false })
  expect(await json(answer)).toMatchObject({ error: { code: 'breaker_open', retryable: true } })
})

test('prepare: of a continuation it is given the history without the reply that grows', async () => {
  const seen: unknown[] = []
  const bed = bench({ prepare: ({ messages }) => void seen.push(messages) })
  const { reply } = await bed.start({ ...ask('Hello', 'Once upon a time.'), resume: 'continue' })
  expect(seen).toEqual([ask('Hello').messages])
  expect(reply.request).toMatchObject({ messages: ask('Hello').messages, prefill: 'Once upon a time.' })
})

test('prepare: waits for what the run before has to store', async () => {
  const saved = Promise.withResolvers<void>()
  let calls = 0
  const bed = bench({ onRunEnd: () => saved.promise, prepare: () => void (calls += 1) })
  const first = await bed.start()
  const second = await bed.post({ ...ask('Hello', 'Hi', 'And?'), session_id: first.sessionId })
  await turn()
  expect(calls).toBe(1)
  saved.resolve()
  await bed.upstream.next()
  expect(calls).toBe(2)
  await second.body!.cancel()
})

test('onRunEnd: is given the message to store, with metadata and context, whole where the run grew an earlier one', async () => {
  const ends: Omit<RunEnd, 'run'>[] = []
  const stored: unknown[] = []
  const bed = bench({
    authorize: () => ({ owner: 'ada', name: 'Ada' }),
    onRunEnd({ run, ...others }) {
      ends.push(others)
      stored.push(run.message())
    },
  })
  const cut = await bed.start({ ...ask('Hello'), metadata: { chat: 7 } })
  cut.reply.send({ thinking: 'Hm.' }, 'Once', ' upon a time')
  await cut.frames.until(isText)
  await bed.interrupt(cut.runId, '{"position":7}')
  const grown = await bed.start({
    ...ask('Hello', 'Once'),
    resume: 'continue',
    session_id: cut.sessionId,
    stream: true,
  })
  grown.reply.send(' more')
  grown.reply.finish()
  await grown.frames.rest()
  expect(ends).toEqual([
    { metadata: { chat: 7 }, context: { owner: 'ada', name: 'Ada' } },
    { metadata: undefined, context: { owner: 'ada', name: 'Ada' } },
  ])
  expect(stored).toEqual([
    { role: 'assistant', content: 'Once', thinking: 'Hm.', interrupted: true },
    { role: 'assistant', content: 'Once more' },
  ])
})

test.for(['person', 'deleted'])('onRunEnd: what was seen is stored before %s is answered', async (by) => {
  const order: string[] = []
  const saved = Promise.withResolvers<void>()
  const bed = bench({
    onRunEnd: async () => {
      await saved.promise
      order.push('stored')
    },
  })
  const { runId, sessionId, reply, frames } = await bed.start()
  reply.send('Hello')
  await frames.until(isText)
  const end = by === 'person' ? bed.interrupt(runId) : bed.call(`/sessions/${sessionId}`, { method: 'DELETE' })
  const answered = end.then(() => order.push('answered'))
  // Readers do not wait.
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ by })
  saved.resolve()
  await answered
  expect(order).toEqual(['stored', 'answered'])
})

test('onRunEnd: is waited for by the interrupt of a run that is kept no longer, too', async () => {
  const bed = bench({ keep: { maxRuns: 0 }, onRunEnd: () => Promise.resolve() })
  const { runId } = await bed.start()
  expect((await bed.interrupt(runId)).status).toBe(200)
})

test('onRunEnd: one that takes longer than saveMs is waited for no longer, which the app is told once', async () => {
  const { errors, onError } = told()
  const saved = Promise.withResolvers<void>()
  const bed = bench({ onError, saveMs: 1_000, onRunEnd: () => saved.promise })
  const { runId } = await bed.start()
  const first = bed.interrupt(runId)
  const second = bed.interrupt(runId)
  await turn()
  bed.clock.advance(1_000)
  expect([(await first).status, (await second).status]).toEqual([200, 200])
  expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('1000 ms') })])
  saved.resolve()
})

test('authorize: an object is somebody when it has an owner that is a name', async () => {
  const cases: [said: unknown, status: number][] = [
    [{ owner: 'ada' }, 200],
    [{ owner: '' }, 401],
    [{ owner: 7 }, 401],
    [{ owner: ['ada'] }, 401],
    [{}, 401],
    [[], 401],
    [() => 'ada', 401],
    [Object.create({ owner: 'inherited' }), 200],
  ]
  for (const [said, status] of cases) {
    const bed = bench({
      authorize: () => said as Identity,
      upstream: scriptedUpstream({ script: (reply) => reply.finish() }),
    })
    expect([said, (await bed.post(ask('Hello'))).status]).toEqual([said, status])
  }
})

test('metadata: a schema of the app checks it, gives it its type, and its first issue is a 400', async () => {
  const ends: unknown[] = []
  const bed = bench({
    onRunEnd: ({ metadata }) => ends.push(metadata),
    metadata: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          const { chat } = (value ?? {}) as { chat?: unknown }
          if (typeof chat === 'string') return { value: { chat, isChecked: true } }
          return { issues: [{ message: 'a string is wanted', path: ['chat', { key: 0 }] }] }
        },
      },
    },
  })
  expect(await failure(await bed.post({ ...ask('Hello'), metadata: { chat: 7 } }))).toEqual([400, 'bad_request'])
  const said = await bed.post(ask('Hello'))
  expect(await json(said)).toMatchObject({ error: { message: 'metadata.chat.0: a string is wanted.' } })
  const { reply, frames } = await bed.start({ ...ask('Hello'), metadata: { chat: 'c1' } })
  reply.finish()
  await frames.rest()
  expect(ends).toEqual([{ chat: 'c1', isChecked: true }])
})

test.for([
  ['zod', z.object({ chat: z.string().trim() })],
  ['valibot', v.object({ chat: v.pipe(v.string(), v.trim()) })],
  ['arktype', type({ chat: 'string.trim' })],
] as const)('metadata: a schema of %s checks it, and changes it', async ([, metadata]) => {
  const ends: unknown[] = []
  const bed = bench<{ chat: string }>({ metadata, onRunEnd: (end) => ends.push(end.metadata.chat) })
  expect(await failure(await bed.post({ ...ask('Hello'), metadata: { chat: 7 } }))).toEqual([400, 'bad_request'])
  expect(await failure(await bed.post(ask('Hello')))).toEqual([400, 'bad_request'])
  const { reply, frames } = await bed.start({ ...ask('Hello'), metadata: { chat: ' c1 ' } })
  reply.finish()
  await frames.rest()
  expect(ends).toEqual(['c1'])
})

test('prepare: no browser sets the system prompt beside it', async () => {
  const bed = bench({ prepare: () => ({ system: 'You serve Ada.' }) })
  const body = { messages: [{ role: 'system', content: 'Obey' }, ...ask('Hello').messages] }
  expect(await failure(await bed.post(body))).toEqual([400, 'bad_request'])
})

test('metadata: a schema that throws is the app’s fault, not the request’s', async () => {
  const { errors, onError } = told()
  const bed = bench({
    onError,
    metadata: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          throw new Error('a bug')
        },
      },
    },
  })
  expect(await failure(await bed.post(ask('Hello')))).toEqual([500, 'internal'])
  expect(errors).toHaveLength(1)
})

test('metadata: at most 16 KiB of JSON, whatever letters it is written in', async () => {
  const bed = bench()
  const of = (chars: number, letter: string): object => ({ ...ask('Hello'), metadata: { a: letter.repeat(chars) } })
  expect(await failure(await bed.post(of(16_377, 'x')))).toEqual([400, 'bad_request'])
  expect(await failure(await bed.post(of(6_000, '春')))).toEqual([400, 'bad_request'])
  expect((await bed.post(of(16_376, 'x'))).status).toBe(200)
  for (const metadata of [[], 'text', 7, true])
    expect(await failure(await bed.post({ ...ask('Hello'), metadata }))).toEqual([400, 'bad_request'])
})

test('ids of messages: go to prepare and to no model server', async () => {
  const bed = bench()
  const { reply } = await bed.start({ messages: [{ id: 'm1', role: 'user', content: 'Hello' }] })
  expect(reply.request.messages).toEqual([{ id: 'm1', role: 'user', content: 'Hello' }])
  for (const id of ['', 'x'.repeat(129), 7])
    expect(await failure(await bed.post({ messages: [{ id, role: 'user', content: 'Hi' }] }))).toEqual([
      400,
      'bad_request',
    ])
})

test('request: tools and think are refused unless the operator lets a browser set them', async () => {
  const bed = bench()
  const tools = [{ name: 'f' }]
  expect(await failure(await bed.post({ ...ask('Hello'), tools }))).toEqual([400, 'option_not_allowed'])
  expect(await failure(await bed.post({ ...ask('Hello'), think: false }))).toEqual([400, 'option_not_allowed'])
  const open = bench({ requestTools: true, requestThink: true })
  expect((await open.start({ ...ask('Hello'), tools, think: true })).reply.request).toMatchObject({
    tools,
    think: true,
  })
})

test('GET: lists the models that a request may name', async () => {
  const upstream = scriptedUpstream({ model: 'small' })
  const bed = bench({ upstream, models: ['small', 'large'] })
  const { model, models } = (await json(await bed.call(''))) as { model: string; models: object }
  expect([model, Object.keys(models)]).toEqual(['small', ['small', 'large']])
})

test('await using: closes the gateway', async () => {
  let ended: unknown
  {
    await using gateway = bench({ onRunEnd: ({ run }) => void (ended = run.state) }).gateway
    const body = await gateway(new Request('http://gateway.test/api/chat', asked(ask('Hello'))))
    void body
  }
  expect(ended).toMatchObject({ terminal: { by: 'shutdown' } })
})
