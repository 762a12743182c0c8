import { persist } from '../src/persist.ts'
import { ChatError } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream } from '@midstream/core/testing'
import { afterEach, expect, test, vi } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { presumedLimits } from '../src/session/history.ts'
import { createLimits } from '../src/session/limits.ts'
import { streamChat } from '../src/stream-chat.ts'
import { isIdle, setup, shows, tell, turn, when } from './support.ts'
import { refused, whole, world } from './world.ts'

/** No callback of the app's, and nothing that a platform lacks, loses a request, stops the text, or hangs. */

afterEach(() => vi.unstubAllGlobals())

test('listener: one that throws or rejects is reported, and nobody else notices', async () => {
  const errors: unknown[] = []
  vi.stubGlobal('reportError', (error: unknown) => errors.push(error))
  const { session, upstream } = setup()
  let heard = 0
  session.subscribe(() => {
    throw new Error('a view')
  })
  session.subscribe((): unknown => Promise.reject(new Error('a hook')))
  session.subscribe(() => heard++)
  const run = await tell(session, upstream, 'Once', ' upon')
  await session.interrupt()
  expect(run.signal.aborted).toBe(true)
  expect(heard).toBeGreaterThan(2)
  expect(new Set(errors.map((error) => (error as Error).message))).toEqual(new Set(['a view', 'a hook']))
})

test('listener: hears of a message, an interrupt and a cleared chat when the request is on its way', async () => {
  const { session, upstream, requests } = setup()
  const seen: [string, number][] = []
  session.subscribe(() => seen.push([session.getSnapshot().status, requests.length]))
  void session.send('Tell me')
  expect(seen.at(-1)).toEqual(['submitting', 1])
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  const stopped = session.interrupt()
  expect(seen.at(-1)).toEqual(['interrupting', 2])
  await stopped
  const cleared = session.clear()
  expect(seen.at(-1)).toEqual(['idle', 3])
  await cleared
})

test('listener: one that says something while a message is sent interrupts that one, and both are asked', async () => {
  const { session, upstream, requests } = setup()
  let once = true
  session.subscribe(() => {
    if (!once) return
    once = false
    void session.send('Two')
  })
  const first = session.send('One')
  await turn()
  expect(await first).toMatchObject({ state: 'interrupted' })
  expect(requests.map(({ body }) => (body['messages'] as unknown[]).length)).toEqual([1, 2])
  upstream.replies.at(-1)!.send('Yes')
  upstream.replies.at(-1)!.finish()
  await when(session, isIdle)
  expect(session.getSnapshot().messages.map(({ content }) => content)).toEqual(['One', '', 'Two', 'Yes'])
})

const schedules: Readonly<Record<string, (publish: () => void) => unknown>> = {
  'publishes at once': (publish) => publish(),
  'publishes twice': (publish) => (publish(), queueMicrotask(publish)),
  'publishes, then throws': (publish) => (publish(), fail()),
  throws: () => fail(),
  rejects: () => Promise.reject(new Error('The app')),
  'never publishes': () => undefined,
}
for (const [name, schedule] of Object.entries(schedules)) {
  test(`schedule: one that ${name} shows the whole answer`, async () => {
    vi.stubGlobal('reportError', () => undefined)
    const w = world({ client: { schedule } })
    const sent = w.session.send('Tell me')
    await w.until(() => (w.session.getSnapshot().messages.at(-1)?.content.length ?? 0) > 100)
    expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
    expect(w.session.getSnapshot().status).toBe('idle')
  })
}

const paints: Readonly<Record<string, (paint: FrameRequestCallback) => number>> = {
  'paints at once': (paint) => (paint(0), 0),
  throws: () => fail(),
  'never paints': () => 0,
}
for (const [name, paint] of Object.entries(paints)) {
  test(`schedule: a requestAnimationFrame that ${name}, without a cancelAnimationFrame, shows the whole answer`, async () => {
    vi.stubGlobal('reportError', () => undefined)
    vi.stubGlobal('requestAnimationFrame', paint)
    const { session, upstream } = setup()
    const sent = session.send('Tell me')
    const run = await upstream.next()
    run.send('Once')
    run.finish()
    expect(await sent).toMatchObject({ content: 'Once', state: 'done' })
    expect(session.getSnapshot()).toMatchObject({ status: 'idle' })
  })
}
function fail(): never {
  throw new Error('The app')
}

const hang = (): Promise<never> => new Promise(() => undefined)

test('headers: a function that hangs is asked anew; when it answers, the message goes out', async () => {
  let asked = 0
  const w = world({ client: { headers: () => (asked++ < 2 ? hang() : { authorization: 'Bearer x' }) }, text: 'Yes.' })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Yes.', state: 'done' })
  expect(asked).toBe(3)
  expect(w.requests).toHaveLength(1)
})

test.for([
  ['hangs', hang, /did not settle/],
  ['rejects', async () => fail(), /failed: The app/],
  ['throws', () => fail(), /failed: The app/],
] as const)(
  'headers: a function that always %s is said by its name after a few times',
  async ([, headers, message]) => {
    const w = world({ client: { headers } })
    const { state, error } = await w.ended(w.session.send('Tell me'))
    expect({ state, code: error?.code }).toEqual({ state: 'failed', code: 'headers_failed' })
    expect(error?.message).toMatch(message)
    expect(w.requests).toHaveLength(0)
    expect(await w.session.interrupt()).toEqual({ outcome: 'already_done' })
    await w.over()
  },
)

test.for([
  ['a headers function that hangs', 0, true],
  ['a headers function that hangs after a first try has failed late', 9_000, true],
  ['a body that hangs after a first try has failed late', 9_000, false],
] as const)(
  'interrupt: %s leaves it unconfirmed after 10 s, and it is told when that heals',
  async ([, failMs, isApp]) => {
    let isBad = false
    let told = 0
    const upstream = scriptedUpstream()
    const clock = manualClock()
    const gateway = gatewayFetch(createGateway({ upstream, clock }))
    const session = createChatClient({
      url: '/api/chat',
      clock,
      headers: () => (isBad && isApp && (failMs === 0 || told > 0) ? hang() : {}),
      fetch: (input, init) => {
        if (!isBad) return gateway(input, init)
        told++
        if (told === 1)
          return new Promise((_resolve, reject) => clock.after(failMs, () => reject(new TypeError('down'))))
        return Promise.resolve({ ok: true, status: 200, headers: new Headers(), json: hang } as unknown as Response)
      },
    }).session()
    void session.send('One')
    const run = await upstream.next()
    run.send('Once')
    await when(session, shows('Once'))
    isBad = true
    const stopped = session.interrupt()
    await turn()
    for (const ms of [9_000, 999]) {
      clock.advance(ms)
      await turn()
    }
    expect(session.getSnapshot().status).toBe('interrupting')
    clock.advance(1)
    expect(await stopped).toEqual({ outcome: 'unconfirmed' })
    isBad = false
    while (!run.signal.aborted) {
      clock.advance(1_000)
      await turn()
    }
    await turn()
    expect(clock.timers).toBe(0)
  },
)

test('limits: a gateway that never ends its answer is waited for 3 s, and not for ever', async () => {
  let asked = 0
  const clock = manualClock()
  const { signal } = new AbortController()
  const limits = createLimits(
    {
      url: '/api/chat',
      fetch: () => {
        asked++
        return Promise.resolve({ ok: true, status: 200, headers: new Headers(), json: hang } as unknown as Response)
      },
    },
    clock,
  )
  const learnt = limits.learn(signal)
  await turn()
  clock.advance(3_000)
  await learnt
  expect(limits).toMatchObject({ isKnown: true, now: presumedLimits })
  expect(asked).toBe(1)
  expect(clock.timers).toBe(0)
})

test('limits: who gives up while they are asked for leaves them unknown', async () => {
  const clock = manualClock()
  const abort = new AbortController()
  const limits = createLimits({ url: '/api/chat', fetch: hang }, clock)
  const learnt = limits.learn(abort.signal)
  abort.abort()
  await learnt
  expect(limits.isKnown).toBe(false)
  expect(clock.timers).toBe(0)
})

test('headers: an error of the app that is not retryable ends the message at once', async () => {
  let asked = 0
  const headers = (): never => {
    asked++
    throw new ChatError('unauthorized', 'Signed out')
  }
  const w = world({ client: { headers } })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ state: 'failed', error: { message: 'Signed out' } })
  expect(asked).toBe(1)
})

test.each([
  ['a value with a line end', { authorization: 'Bearer one\ntwo' }],
  ['a name with a space', { 'x my': 'one' }],
])('headers: %s is said at once, and not taken for a network that failed', async (_what, headers) => {
  const { session, clock } = setup({ headers: () => headers })
  await session.send('Hello')
  expect(session.getSnapshot().error).toMatchObject({ code: 'headers_failed', retryable: false })
  expect(clock.timers).toBe(0)
})

test('headers: a 401 has them asked anew once for each request; a 401 again is said at once', async () => {
  let valid = 'old'
  let token = 'old'
  const upstream = scriptedUpstream()
  const clock = manualClock()
  const gateway = createGateway({
    upstream,
    clock,
    authorize: ({ headers }) => (headers.get('authorization') === valid ? 'ada' : null),
  })
  let asked = 0
  const session = createChatClient({
    url: '/api/chat',
    clock,
    fetch: gatewayFetch(gateway),
    headers: () => {
      const now = token
      asked++
      // The app learns of the new one while it is asked for the old one.
      token = valid
      return { authorization: now }
    },
  }).session()
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  valid = 'new'
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(await sent).toMatchObject({ state: 'interrupted' })
  expect(asked).toBe(3)
  valid = 'none'
  token = 'other'
  const before = asked
  const lost = session.send('Again')
  valid = 'really none'
  expect(await lost).toMatchObject({ state: 'failed', error: { code: 'unauthorized' } })
  expect(asked).toBe(before + 2)
})

test('fetch: one that throws, or ignores its signal and never settles, is a drop like any other', async () => {
  const w = world({
    client: {},
    plan: (index) => (index === 1 ? refused : undefined),
  })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole })
  let asked = 0
  const deaf = world({
    fetch: () => {
      asked++
      if (asked === 1) throw new TypeError('at once')
      return asked === 2
        ? hang()
        : Promise.resolve(
            Response.json({ error: { code: 'bad_request', message: 'No', retryable: false } }, { status: 400 }),
          )
    },
  })
  expect(await deaf.ended(deaf.session.send('Tell me'))).toMatchObject({
    state: 'failed',
    error: { code: 'bad_request' },
  })
  expect(asked).toBe(3)
  await deaf.over()
})

test('interrupt: on a connection that nobody answers it is unconfirmed after 10 s, and what waits goes on', async () => {
  let isDead = false
  const upstream = scriptedUpstream()
  const clock = manualClock()
  const gateway = gatewayFetch(createGateway({ upstream, clock }))
  const bodies: Record<string, unknown>[] = []
  const session = createChatClient({
    url: '/api/chat',
    clock,
    whenBusy: 'queue',
    fetch: (input, init) => {
      if (isDead) return hang()
      bodies.push(JSON.parse((init?.body as string | undefined) ?? '{}') as Record<string, unknown>)
      return gateway(input, init)
    },
  }).session()
  const first = session.send('One')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  const second = session.send('Two')
  isDead = true
  const stopped = session.interrupt()
  await turn()
  clock.advance(9_999)
  await turn()
  expect(session.getSnapshot().status).toBe('interrupting')
  isDead = false
  clock.advance(1)
  expect(await stopped).toEqual({ outcome: 'unconfirmed' })
  expect(await first).toMatchObject({ content: 'Once', state: 'interrupted' })
  const next = await upstream.next()
  expect(bodies.at(-1)).toMatchObject({ interrupts: { run_id: bodies[0]!['run_id'], position: 4 } })
  expect(run.signal.aborted).toBe(true)
  next.send('Yes')
  next.finish()
  expect(await second).toMatchObject({ content: 'Yes', state: 'done' })
})

test('interrupt: a balancer that fails once does not stop it', async () => {
  let times = 0
  const upstream = scriptedUpstream()
  const gateway = gatewayFetch(createGateway({ upstream }))
  const { session } = setup({
    fetch: (input, init) =>
      (input as string).endsWith('/interrupt') && times++ === 0
        ? Promise.resolve(new Response('<h1>Bad gateway</h1>', { status: 502 }))
        : gateway(input, init),
  })
  const run = await tell(session, upstream, 'Once')
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(run.signal.aborted).toBe(true)
})

test('client: the status of a gateway that does not answer, or is a page, is an error with its cause', async () => {
  const clock = manualClock()
  const dead = createChatClient({ url: '/api/chat', clock, fetch: hang }).status()
  clock.advance(10_000)
  await expect(dead).rejects.toMatchObject({ code: 'network', retryable: true })
  const html = (): Promise<Response> =>
    Promise.resolve(new Response('<h1>', { headers: { 'content-type': 'text/html' } }))
  await expect(createChatClient({ url: '/api/chat', clock, fetch: html }).status()).rejects.toMatchObject({
    code: 'network',
    retryable: false,
  })
  const empty = (): Promise<Response> => Promise.resolve(new Response(null, { status: 204 }))
  await expect(createChatClient({ url: '/api/chat', clock, fetch: empty }).status()).rejects.toMatchObject({
    code: 'network',
  })
  const abort = new AbortController()
  const given = createChatClient({ url: '/api/chat', clock, fetch: hang }).status(abort.signal)
  abort.abort(new Error('enough'))
  await expect(given).rejects.toThrow('enough')
  expect(clock.timers).toBe(0)
})

test('onError: one that throws costs no session', () => {
  const storage = {
    getItem: () => {
      throw new Error('forbidden')
    },
    setItem: () => undefined,
    removeItem: () => undefined,
  }
  const client = createChatClient({
    url: '/api/chat',
    extensions: [persist(storage)],
    onError: () => {
      throw new Error('mine')
    },
  })
  expect(client.session().getSnapshot().notice).toMatchObject({ code: 'storage_failed' })
})

test('streamChat: silence for three heartbeats is a drop', async () => {
  const clock = manualClock()
  const body = new ReadableStream<Uint8Array>({
    start: (out) =>
      out.enqueue(new TextEncoder().encode('data: {"session_id":"s","run_id":"r","model":"m","heartbeat_ms":100}\n\n')),
  })
  const fetch = (): Promise<Response> => Promise.resolve(new Response(body))
  const chat = streamChat({ url: '/api/chat', fetch, clock, messages: [] })
  expect((await chat.next()).value).toMatchObject({ session_id: 's' })
  const next = chat.next()
  await turn()
  clock.advance(300)
  await expect(next).rejects.toMatchObject({ code: 'dropped' })
  expect(clock.timers).toBe(0)
})

test('platform: without body streams the answer is shown whole at its end', async () => {
  const upstream = scriptedUpstream({ script: (run) => (run.send('Once', ' upon'), run.finish()) })
  const gateway = gatewayFetch(createGateway({ upstream }))
  const fetch = (async (input: string, init?: RequestInit) => {
    const { ok, status, headers, ...response } = await gateway(input, init)
    void response
    const text = await (await gateway(input, init)).text()
    return { ok, status, headers, text: async () => text, json: async () => JSON.parse(text) as unknown }
  }) as unknown as typeof globalThis.fetch
  expect(await createChatClient({ url: '/api/chat', fetch }).session().send('Hi')).toMatchObject({
    content: 'Once upon',
    state: 'done',
  })
})

test('platform: AbortSignal.any is not needed', async () => {
  vi.stubGlobal(
    'AbortSignal',
    Object.assign(function AbortSignal() {}, { any: undefined }),
  )
  const w = world({ plan: (index) => (index === 0 ? { cutAt: 400 } : undefined) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole })
})
