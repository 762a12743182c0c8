import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream } from '@midstream/core/testing'
import { afterEach, expect, test, vi } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { setup, shows, turn, when, type Setup } from './support.ts'
import { text, whole, world, type World } from './world.ts'

/** Where a body does not come while it is made, the client polls. */

afterEach(() => vi.unstubAllGlobals())

/** A fetch that answers when a body is whole, with or without a stream of it. */
function holding(w: () => World, isStream: boolean): typeof globalThis.fetch {
  let own: typeof globalThis.fetch | undefined
  return (async (input: string, init?: RequestInit) => {
    own ??= gatewayFetch(createGateway({ upstream: w().upstream, clock: w().clock }))
    const response = await own(input, init)
    const { ok, status, headers } = response
    const body = await response.text()
    if (isStream) return new Response(body, { status, headers })
    return { ok, status, headers, text: async () => body, json: async () => JSON.parse(body) as unknown }
  }) as typeof globalThis.fetch
}

test.for([
  ['a platform without body streams', false],
  ['a layer that holds bodies back', true],
] as const)('polls: %s shows a long answer as it grows, made once', async ([, isStream]) => {
  const w: World = world({ fetch: holding(() => w, isStream) })
  const sent = w.session.send('Tell me')
  const seen = new Set<number>()
  w.session.subscribe(() => seen.add(text(w.session).length))
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(w.upstream.replies).toHaveLength(1)
  expect(seen.size).toBeGreaterThan(10)
  expect(w.requests.filter(({ path }) => path.includes('poll=1')).length).toBeGreaterThan(10)
  await w.over()
})

test('polls: an interrupt between two polls cuts where the text was shown', async () => {
  const w: World = world({ fetch: holding(() => w, false) })
  const sent = w.session.send('Tell me')
  await w.until(() => text(w.session).length > 500)
  const shown = text(w.session)
  expect(await w.session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(await sent).toMatchObject({ content: shown, state: 'interrupted' })
  await w.over()
})

test('polls: the status does not flicker while the model is silent', async () => {
  const w: World = world({ text: null, fetch: holding(() => w, false) })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  run.send('Once')
  await w.until(() => text(w.session) === 'Once')
  const seen = new Set<string>()
  w.session.subscribe(() => seen.add(w.session.getSnapshot().status))
  const from = w.requests.length
  await w.until(() => w.requests.length > from + 4)
  expect([...seen]).toEqual(['streaming'])
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'Once', state: 'done' })
  await w.over()
})

test('gateway: a poll is answered with what is there and ends; a run goes on meanwhile', async () => {
  const { upstream, fetch } = setup()
  const run_id = `run_${'1'.repeat(32)}`
  const json = { run_id, reconnect: true, messages: [{ role: 'user', content: 'Hi' }] }
  const body = JSON.stringify(json)
  expect(await (await fetch('/api/chat?poll=1', { method: 'POST', body })).text()).toContain('"status":"waiting"')
  const run = await upstream.next()
  run.send('Hello')
  await turn()
  const poll = async (query: string): Promise<string> => (await fetch(`/api/chat/runs/${run_id}?${query}`)).text()
  expect(await poll('poll=1')).toContain('{"message":"Hello"}')
  expect(await poll('poll=1&after=5')).not.toContain('message')
  expect(run.signal.aborted).toBe(false)
  run.finish()
  await turn()
  expect(await poll('after=5&poll=1')).toContain('"done":true')
})

test('gateway: a poll reads as a stream does: what is unknown is 404, what has ended says so, nobody is left reading', async () => {
  const upstream = scriptedUpstream()
  const gateway = createGateway({ upstream })
  const fetch = gatewayFetch(gateway)
  expect((await fetch(`/api/chat/runs/run_${'2'.repeat(32)}?poll=1`)).status).toBe(404)
  const run_id = `run_${'1'.repeat(32)}`
  const body = JSON.stringify({ run_id, reconnect: true, messages: [{ role: 'user', content: 'Hi' }] })
  await (await fetch('/api/chat?poll=1', { method: 'POST', body })).text()
  expect(gateway.stats()).toMatchObject({ runs: 1, readers: 0 })
  expect((await fetch(`/api/chat/runs/${run_id}/interrupt`, { method: 'POST' })).status).toBe(200)
  expect(await (await fetch(`/api/chat/runs/${run_id}?poll=1`)).text()).toContain('"by":"person"')
  expect(gateway.stats()).toMatchObject({ runs: 0, readers: 0 })
})

test('gateway: a hidden page that may poll once a minute keeps its run; one that is gone does not', async () => {
  const upstream = scriptedUpstream()
  const clock = manualClock()
  const gateway = createGateway({ upstream, clock, fuse: { stallMs: 3_600_000 } })
  const fetch = gatewayFetch(gateway)
  const run_id = `run_${'1'.repeat(32)}`
  const body = JSON.stringify({ run_id, reconnect: true, messages: [{ role: 'user', content: 'Hi' }] })
  await (await fetch('/api/chat?poll=1', { method: 'POST', body })).text()
  const run = await upstream.next()
  run.send('Hello')
  await turn()
  for (let minute = 0; minute < 10; minute++) {
    clock.advance(61_000)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect(await (await fetch(`/api/chat/runs/${run_id}?poll=1&after=5`)).text()).not.toContain('done')
  }
  clock.advance(89_999)
  expect(run.signal.aborted).toBe(false)
  clock.advance(1)
  expect(run.signal.aborted).toBe(true)
})

/** A browser's page: its address, what it knows of its connections, its locks. */
function page(more: Record<string, unknown> = {}): void {
  vi.stubGlobal('location', { href: 'https://app.example/chat' })
  vi.stubGlobal('navigator', {})
  for (const [name, value] of Object.entries(more)) vi.stubGlobal(name, value)
}

/** Web Locks of several pages, and how many are held. */
function webLocks(): { readonly held: Set<string>; readonly locks: object } {
  const held = new Set<string>()
  const request = async (name: string, _options: object, use: (lock: object | null) => unknown): Promise<void> => {
    if (held.has(name)) return void use(null)
    held.add(name)
    await use({ name })
    held.delete(name)
  }
  return { held, locks: { request } }
}

const isPoll = ({ path }: { readonly path: string }): boolean => path.includes('poll=1')

/** Seven conversations that stream. */
async function seven(): Promise<Setup & { readonly sessions: ChatSession[]; readonly replies: Promise<unknown>[] }> {
  const all = setup()
  const client = createChatClient({ url: '/api/chat', fetch: all.fetch, clock: all.clock })
  const sessions = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => client.session(name))
  const replies: Promise<unknown>[] = []
  for (const [i, session] of sessions.entries()) {
    replies.push(session.send(`Chat ${i}`))
    const run = await all.upstream.next()
    run.send(`Answer ${i}`)
  }
  await turn()
  return { ...all, sessions, replies }
}
const stopAll = (sessions: readonly ChatSession[]): Promise<unknown> =>
  Promise.all(sessions.map((session) => session.interrupt()))

test.for([
  ['with Web Locks', true],
  ['without', false],
] as const)(
  'places: a page %s holds four streams at an origin; what is beyond polls until one is free',
  async ([, has]) => {
    const { held, locks } = webLocks()
    page({ navigator: has ? { locks } : {} })
    const { sessions, replies, requests, clock } = await seven()
    expect(requests.filter(isPoll).map(({ method }) => method)).toEqual(['POST', 'POST', 'POST'])
    expect(held.size).toBe(has ? 4 : 0)
    clock.advance(1_000)
    await turn()
    expect(sessions.map((session) => session.getSnapshot().messages.at(-1)!.content)).toEqual(
      sessions.map((_, i) => `Answer ${i}`),
    )
    expect(await sessions[0]!.interrupt()).toEqual({ outcome: 'interrupted' })
    const before = requests.length
    clock.advance(2_000)
    await turn()
    const streams = requests.slice(before).filter((request) => request.method === 'GET' && !isPoll(request))
    expect(streams).toHaveLength(1)
    expect(await stopAll(sessions.slice(1))).toEqual(sessions.slice(1).map(() => ({ outcome: 'interrupted' })))
    await Promise.all(replies)
    await turn()
    expect(held.size).toBe(0)
  },
)

test.for([
  ['a place is free', 0],
  ['other pages have all places', 4],
  ['this page and others have all places', 3],
] as const)(
  'places: where %s, a request is on its way in the tick of its message, before a listener hears',
  async ([, others]) => {
    const { held, locks } = webLocks()
    for (let i = 0; i < others; i++) held.add(`midstream https://app.example ${i}`)
    page({ navigator: { locks } })
    const { open, upstream, requests, clock } = setup()
    const sessions = [open(), open()]
    for (const session of sessions) {
      const before = requests.length
      let heard: number | undefined
      const leave = session.subscribe(() => (heard ??= requests.length))
      const sent = session.send('Hi')
      expect(requests.length).toBe(before + 1)
      expect(heard).toBe(before + 1)
      leave()
      const run = await upstream.next()
      run.send('Yes')
      await turn()
      clock.advance(500)
      await when(session, shows('Yes'))
      run.finish()
      await turn()
      clock.advance(2_000)
      expect(await sent).toMatchObject({ content: 'Yes', state: 'done' })
    }
    // Asked for once, whoever reads it how.
    expect(upstream.replies).toHaveLength(2)
    await turn()
    expect(held.size).toBe(others)
  },
)

test('places: a page that has all of them itself polls from the first request on; it asks for nothing twice', async () => {
  const { locks } = webLocks()
  page({ navigator: { locks } })
  const { sessions, replies, requests } = await seven()
  expect(requests.filter(({ method }) => method === 'POST').map(isPoll)).toEqual([
    ...Array<boolean>(4).fill(false),
    ...Array<boolean>(3).fill(true),
  ])
  await stopAll(sessions)
  await Promise.all(replies)
})

test('places: an interrupt in the moment in which a place is refused ends the run', async () => {
  const { held, locks } = webLocks()
  for (let i = 0; i < 4; i++) held.add(`midstream https://app.example ${i}`)
  page({ navigator: { locks } })
  for (let ticks = 0; ticks < 20; ticks++) {
    const { session, upstream, clock } = setup()
    const sent = session.send('Hi')
    for (let n = 0; n < ticks; n++) await Promise.resolve()
    const stopped = session.interrupt()
    await turn()
    clock.advance(1_000)
    await stopped
    expect(await sent).toMatchObject({ content: '', state: 'interrupted' })
    await turn()
    expect(upstream.openReplies).toBe(0)
    expect(clock.timers).toBe(0)
  }
})

test('places: what another page holds is not free; a page that dies gives it back', async () => {
  const { held, locks } = webLocks()
  for (let i = 0; i < 4; i++) held.add(`midstream https://app.example ${i}`)
  page({ navigator: { locks } })
  const { session, upstream, requests, clock } = setup()
  const sent = session.send('Hi')
  const run = await upstream.next()
  run.send('One')
  await turn()
  expect(requests.filter(isPoll)).toHaveLength(1)
  held.delete('midstream https://app.example 2')
  await turn()
  clock.advance(500)
  await when(session, shows('One'))
  await turn()
  expect(isPoll(requests.at(-1)!)).toBe(false)
  expect(held.size).toBe(4)
  run.finish()
  expect(await sent).toMatchObject({ content: 'One', state: 'done' })
  await turn()
  expect(held.size).toBe(3)
})

test.for([
  ['over HTTP/2', { performance: { getEntries: () => [{ name: 'https://app.example/x.js', nextHopProtocol: 'h2' }] } }],
  ['in a page without an address', { location: { href: 'about:srcdoc' } }],
  ['in a program', { location: undefined }],
] as const)('places: %s nothing is limited', async ([, more]) => {
  page(more)
  const { sessions, replies, requests } = await seven()
  expect(requests.filter(isPoll)).toHaveLength(0)
  await stopAll(sessions)
  await Promise.all(replies)
})

test('places: a page that may not use locks counts for itself; a reply that is given up while it asks leaves none taken', async () => {
  page({ navigator: { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } } })
  const refused = await seven()
  expect(refused.requests.filter(isPoll)).toHaveLength(3)
  await stopAll(refused.sessions)
  await Promise.all(refused.replies)

  const { held, locks } = webLocks()
  page({ navigator: { locks } })
  const { session, requests } = setup()
  const sent = session.send('Hi')
  await session.interrupt()
  await sent
  await turn()
  expect(held.size).toBe(0)
  expect(requests.map(({ path }) => path.replace(/run_\w+/, 'run'))).toEqual([
    '/api/chat',
    '/api/chat/runs/run/interrupt',
  ])
})
