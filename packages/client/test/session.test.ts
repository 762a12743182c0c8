import { emptySnapshot } from '../src/index.ts'
import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, scriptedUpstream } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { reply, setup, shows, when } from './support.ts'

test('session: an answer goes through submitting, waiting, streaming and idle', async () => {
  const { session, upstream } = setup()
  const seen: string[] = []
  session.subscribe(() => seen.at(-1) === session.getSnapshot().status || seen.push(session.getSnapshot().status))
  const sent = session.send('Hello')
  expect(session.getSnapshot().status).toBe('submitting')
  const run = await upstream.next()
  await when(session, ({ status }) => status === 'waiting')
  run.send('Hi', ' there')
  await when(session, shows('Hi there'))
  run.finish()
  expect(await sent).toMatchObject({ role: 'assistant', content: 'Hi there', state: 'done' })
  expect(seen).toEqual(['submitting', 'waiting', 'streaming', 'idle'])
  expect(session.getSnapshot()).toMatchObject({ model: 'scripted', error: null })
})

test('session: a blank text is refused at once and sends nothing', () => {
  const { session, requests } = setup()
  expect(() => session.send(' \n')).toThrow(TypeError)
  expect(requests).toEqual([])
  expect(session.getSnapshot().messages).toEqual([])
})

test('interrupt: freezes the text in the same tick and sends its position', async () => {
  const { session, upstream, requests } = setup()
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send('Once upon a time')
  await when(session, shows('Once upon a time'))
  const settled = session.interrupt()
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
  expect(session.getSnapshot().status).toBe('interrupting')
  run.send(' there was')
  expect(await settled).toEqual({ outcome: 'interrupted' })
  expect(run.signal.aborted).toBe(true)
  expect(requests.at(-1)).toMatchObject({ method: 'POST', body: { position: 16 } })
  expect(requests.at(-1)!.path).toMatch(/^\/api\/chat\/runs\/run_[0-9a-f]{32}\/interrupt$/)
  expect(await sent).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
  expect(session.getSnapshot().status).toBe('idle')
  expect(upstream.openReplies).toBe(0)
})

test('interrupt: text that was received but not painted is not kept, and the gateway cuts there, too', async () => {
  const paints: (() => void)[] = []
  let wanted = 0
  const paint = (): void => paints.splice(0).forEach((publish) => publish())
  const { session, upstream } = setup({ schedule: (publish) => (paints.push(publish), (wanted += 1)) })
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('seen')
  await expect.poll(() => (paint(), reply(session.getSnapshot()).content)).toBe('seen')
  const before = wanted
  run.send(' unseen')
  await expect.poll(() => wanted).toBe(before + 1)
  const settled = session.interrupt()
  expect(reply(session.getSnapshot()).content).toBe('seen')
  await expect.poll(() => (paint(), session.getSnapshot().status)).toBe('idle')
  expect(await settled).toEqual({ outcome: 'interrupted' })
  expect(reply(session.getSnapshot()).content).toBe('seen')
})

test('interrupt: before the first frame of the gateway it ends the run as well', async () => {
  const { session, upstream } = setup()
  const sent = session.send('Tell me')
  const settled = session.interrupt()
  expect(session.getSnapshot().status).toBe('interrupting')
  await settled
  expect(await sent).toMatchObject({ content: '', state: 'interrupted' })
  await expect.poll(() => upstream.openReplies).toBe(0)
  expect(session.getSnapshot().status).toBe('idle')
})

test('interrupt: pressed twice it is one request with one outcome', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  const [first, second] = await Promise.all([session.interrupt(), session.interrupt()])
  expect([first, second]).toEqual([{ outcome: 'interrupted' }, { outcome: 'interrupted' }])
  expect(requests.filter(({ path }) => path.endsWith('/interrupt'))).toHaveLength(1)
})

test('interrupt: with nothing to end it says so and asks nobody', async () => {
  const { session, requests } = setup()
  expect(await session.interrupt()).toEqual({ outcome: 'already_done' })
  expect(requests).toEqual([])
})

test('interrupt: an answer that was whole, and shown whole, is done after all', async () => {
  const { session, upstream } = setup()
  void session.send('Tell me')
  const run = await upstream.next()
  run.send('All of it')
  await when(session, shows('All of it'))
  // The end of the run is on its way, but not here yet.
  run.finish()
  const settled = session.interrupt()
  await run.left
  expect(await settled).toEqual({ outcome: 'already_done' })
  expect(reply(session.getSnapshot())).toMatchObject({ content: 'All of it', state: 'done', reason: 'stop' })
})

test('interrupt: a gateway that cannot be asked is told again by the next request', async () => {
  const upstream = scriptedUpstream()
  const gateway = gatewayFetch(createGateway({ upstream }))
  const { session, requests } = setup({
    fetch: (input, init) =>
      (input as string).endsWith('/interrupt') ? Promise.reject(new TypeError('down')) : gateway(input, init),
  })
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  expect(await session.interrupt()).toEqual({ outcome: 'unconfirmed' })
  expect(await sent).toMatchObject({ content: 'Once', state: 'interrupted' })
  expect(session.getSnapshot().status).toBe('idle')
  void session.send('Go on')
  await upstream.next()
  expect(requests.at(-1)!.body['interrupts']).toEqual({ run_id: requests[0]!.body['run_id'], position: 4 })
  expect(run.signal.aborted).toBe(true)
  await session.clear()
})

test('send: while an answer streams it freezes the text in the same tick and posts once, with interrupts', async () => {
  const { session, upstream, requests } = setup()
  const first = session.send('Tell me a story')
  const run = await upstream.next()
  run.send('Once upon a time')
  await when(session, shows('Once upon a time'))
  const second = session.send('What is its name?')
  const [, partial, question] = session.getSnapshot().messages
  expect(partial).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
  expect(question).toMatchObject({ role: 'user', content: 'What is its name?' })
  const follow = await upstream.next()
  expect(run.signal.aborted).toBe(true)
  expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /api/chat', 'POST /api/chat'])
  expect(requests[1]!.body).toMatchObject({
    interrupts: { run_id: requests[0]!.body['run_id'], position: 16 },
    session_id: requests[0]!.body['session_id'],
    messages: [
      { role: 'user', content: 'Tell me a story' },
      { role: 'assistant', content: 'Once upon a time', interrupted: true },
      { role: 'user', content: 'What is its name?' },
    ],
  })
  expect(follow.request.messages[1]).toMatchObject({ content: 'Once upon a time', interrupted: true })
  follow.send('Mia')
  follow.finish()
  expect(await first).toMatchObject({ content: 'Once upon a time', state: 'interrupted' })
  expect(await second).toMatchObject({ content: 'Mia', state: 'done' })
})

test('send: while an interrupt is on its way it names the same run and position', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  void session.interrupt()
  void session.send('Go on')
  const next = await upstream.next()
  expect(requests.find(({ body }) => 'interrupts' in body)!.body['interrupts']).toEqual({
    run_id: requests[0]!.body['run_id'],
    position: 4,
  })
  next.finish()
  await when(session, ({ status }) => status === 'idle')
})

test('send: after an interrupt the partial is in the history, marked', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Tell me')
  ;(await upstream.next()).send('Once')
  await when(session, shows('Once'))
  await session.interrupt()
  void session.send('Thanks')
  await upstream.next()
  expect(requests.at(-1)!.body['messages']).toEqual([
    { role: 'user', content: 'Tell me' },
    { role: 'assistant', content: 'Once', interrupted: true },
    { role: 'user', content: 'Thanks' },
  ])
  expect(requests.at(-1)!.body).not.toHaveProperty('interrupts')
  await session.clear()
})

test('session: another reader’s interrupt at an earlier position cuts the text back here', async () => {
  const { session, upstream, requests, fetch } = setup()
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send({ thinking: 'hm' }, 'Once upon', { data: { type: 'sources' } }, ' a time')
  await when(session, shows('Once upon a time'))
  await fetch(`/api/chat/runs/${String(requests[0]!.body['run_id'])}/interrupt`, {
    method: 'POST',
    body: '{"position":6}',
  })
  expect(await sent).toMatchObject({ thinking: 'hm', content: 'Once', data: undefined, state: 'interrupted' })
})

test('clear: ends the run, forgets the session, and late text lands nowhere', async () => {
  const { session, upstream, requests } = setup()
  const sent = session.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await when(session, shows('Once'))
  const cleared = session.clear()
  expect(session.getSnapshot()).toMatchObject({ messages: [], status: 'idle' })
  run.send(' more')
  await cleared
  expect(await sent).toMatchObject({ role: 'assistant', state: 'interrupted' })
  expect(run.signal.aborted).toBe(true)
  expect(session.getSnapshot().messages).toEqual([])
  expect(requests.find(({ method }) => method === 'DELETE')).toMatchObject({
    method: 'DELETE',
    path: `/api/chat/sessions/${String(requests[0]!.body['session_id'])}`,
  })
  void session.send('Anew')
  await upstream.next()
  expect(requests.at(-1)!.body['session_id']).not.toBe(requests[0]!.body['session_id'])
  await session.clear()
})

test('regenerate: asks for the last reply anew, without the old one', async () => {
  const { session, upstream, requests } = setup()
  const first = session.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  await first
  const again = session.regenerate()
  const next = await upstream.next()
  expect(requests.at(-1)!.body['messages']).toEqual([{ role: 'user', content: 'Hello' }])
  next.send('Good day')
  next.finish()
  expect(await again).toMatchObject({ content: 'Good day' })
  expect(session.getSnapshot().messages.map(({ content }) => content)).toEqual(['Hello', 'Good day'])
})

test('regenerate: while an answer streams it ends that one in the same request', async () => {
  const { session, upstream, requests } = setup()
  void session.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  await when(session, shows('Hi'))
  void session.regenerate()
  await upstream.next()
  expect(run.signal.aborted).toBe(true)
  expect(requests.at(-1)!.body).toMatchObject({ interrupts: { run_id: requests[0]!.body['run_id'], position: 2 } })
  await session.clear()
})

test('regenerate: is refused when nothing was said', () => {
  expect(() => setup().session.regenerate()).toThrow(TypeError)
})

test('session: a body that ends without a terminal event is dropped, with its text', async () => {
  const { session } = setup({
    reconnect: { maxMs: 0 },
    fetch: () => Promise.resolve(new Response('id: 2\ndata: {"message":"Hi"}\n\nid: 4\ndata: {"mess')),
  })
  expect(await session.send('Hello')).toMatchObject({
    content: 'Hi',
    state: 'dropped',
    error: { code: 'dropped', retryable: true },
  })
  expect(session.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'dropped' } })
})

test('session: a gateway that cannot be reached is a failed message, and the next request works', async () => {
  const upstream = scriptedUpstream()
  const gateway = gatewayFetch(createGateway({ upstream }))
  let down = true
  const { session, requests } = setup({
    reconnect: { maxMs: 0 },
    fetch: (input, init) => (down ? Promise.reject(new TypeError('fetch failed')) : gateway(input, init)),
  })
  expect(await session.send('Hello')).toMatchObject({
    content: '',
    state: 'failed',
    error: { code: 'network', retryable: true },
  })
  down = false
  const again = session.send('Are you there?')
  const run = await upstream.next()
  // What never was said is not sent on.
  expect((requests.at(-1)!.body['messages'] as { role: string }[]).map(({ role }) => role)).toEqual(['user', 'user'])
  run.send('Yes')
  run.finish()
  expect(await again).toMatchObject({ content: 'Yes', state: 'done' })
  expect(session.getSnapshot()).toMatchObject({ status: 'idle', error: null })
})

test('session: what the gateway refuses is told with its code', async () => {
  const { session } = setup({ body: { model: 'gpt-9' } })
  expect(await session.send('Hello')).toMatchObject({
    state: 'failed',
    error: { code: 'model_not_allowed', retryable: false },
  })
})

test('session: an answer from somebody else than a gateway is told as such', async () => {
  const { session } = setup({
    reconnect: { maxMs: 0 },
    fetch: () => Promise.resolve(new Response('<h1>Bad gateway</h1>', { status: 502 })),
  })
  expect(await session.send('Hello')).toMatchObject({ state: 'failed', error: { code: 'network', retryable: true } })
})

test('session: an error frame keeps the partial and fails the message', async () => {
  const { session, upstream } = setup({ gateway: { recovery: false } })
  const sent = session.send('Hello')
  const run = await upstream.next()
  run.send('Hal')
  await when(session, shows('Hal'))
  run.end()
  expect(await sent).toMatchObject({ content: 'Hal', state: 'failed', error: { code: 'upstream_incomplete' } })
})

test('session: thinking, tool calls and data events are kept apart; a reset voids the thinking', async () => {
  const { session, upstream } = setup()
  const sent = session.send('Hello')
  const run = await upstream.next()
  const call = { id: 'call_1', name: 'look', arguments: { at: 'sky' } }
  run.send(
    { thinking: 'one' },
    { reset: 'thinking' },
    { thinking: 'two' },
    { data: { type: 'sources', n: 1 } },
    'Blue',
    { tool_call: call },
  )
  run.finish('tool_calls')
  expect(await sent).toMatchObject({
    content: 'Blue',
    thinking: 'two',
    data: [{ type: 'sources', n: 1 }],
    toolCalls: [call],
    state: 'done',
  })
})

test('session: messages keep their identity until they change', async () => {
  const { session, upstream } = setup()
  void session.send('Hello')
  const run = await upstream.next()
  run.send('a')
  const before = await when(session, shows('a'))
  run.send('b')
  const after = await when(session, shows('ab'))
  expect(after.messages[0]).toBe(before.messages[0])
  expect(after.messages[1]).not.toBe(before.messages[1])
  expect(session.getSnapshot()).toBe(session.getSnapshot())
  await session.clear()
})

test('session: a burst of frames is one publication a paint', async () => {
  const paints: (() => void)[] = []
  const { session, upstream } = setup({
    schedule: (publish) => paints.push(publish),
  })
  void session.send('Hello')
  const run = await upstream.next()
  let notified = 0
  session.subscribe(() => (notified += 1))
  for (const word of ['a', 'b', 'c', 'd']) run.send(word)
  // All of it has been read once the next state is there to be painted.
  await expect.poll(() => paints.length).toBe(1)
  expect(notified).toBe(0)
  paints.splice(0).forEach((paint) => paint())
  expect(notified).toBe(1)
  await session.clear()
})

test('session: a server renders the empty conversation, always the same object', () => {
  const { session } = setup()
  expect(session.getServerSnapshot()).toEqual({
    messages: [],
    status: 'idle',
    attempt: 0,
    queue: [],
    error: null,
    model: null,
    runStatus: null,
    omitted: 0,
    notice: null,
  })
  expect(session.getServerSnapshot()).toBe(session.getServerSnapshot())
})

test('client: gives the same conversation for the same name', () => {
  const client = createChatClient({ url: '/api/chat' })
  expect(client.session()).toBe(client.session())
  expect(client.session('a')).toBe(client.session('a'))
  expect(client.session('a')).not.toBe(client.session('b'))
})

test('client: headers may be a function that is asked for each request', async () => {
  const seen: string[] = []
  const upstream = scriptedUpstream({ script: (run) => run.finish() })
  const gateway = gatewayFetch(createGateway({ upstream }))
  let token = 0
  const client = createChatClient({
    url: '/api/chat',
    headers: () => ({ authorization: `Bearer ${(token += 1)}` }),
    fetch: (input, init) => (seen.push(new Headers(init?.headers).get('authorization') ?? ''), gateway(input, init)),
  })
  await client.session().send('a')
  await client.session().send('b')
  expect(seen).toEqual(['Bearer 1', 'Bearer 2'])
})

test('client: status says how the gateway and its model server are', async () => {
  const gateway = gatewayFetch(createGateway({ upstream: scriptedUpstream() }))
  const client = createChatClient({ url: '/api/chat', fetch: gateway })
  expect(await client.status()).toMatchObject({ model: 'scripted', upstream: { name: 'scripted', state: 'ready' } })
})

test('session: before anything is said it shows the empty snapshot, which an adapter can import and nobody can change', () => {
  const { session } = setup()
  expect(session.getSnapshot()).toBe(emptySnapshot)
  expect(session.getServerSnapshot()).toBe(emptySnapshot)
  expect(Object.isFrozen(emptySnapshot)).toBe(true)
})
