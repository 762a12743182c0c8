import { createGateway, type Gateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream, seededRandom, type FetchFaultPlan } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { ChatMessage } from '../src/message.ts'
import { gets, refused, text, turn, whole, world, type World } from './world.ts'

/** A network that is gone for a while, after some bytes. */
const gone =
  (clock: () => number, ms: number): FetchFaultPlan =>
  (index) =>
    index === 0 ? { cutAt: 1_000 } : clock() < ms ? refused : undefined

test('orphan: who comes back in time finds the run going on', async () => {
  const w: World = world({ plan: gone(() => w.clock.now(), 20_000) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  expect(w.upstream.replies).toHaveLength(1)
  expect(gets(w).length).toBeGreaterThan(4)
  await w.over()
})

test('orphan: who comes back later finds the partial, and it goes on by itself in the same message', async () => {
  const w: World = world({ plan: gone(() => w.clock.now(), 15_000), gateway: { orphanMs: 5_000 } })
  const sent = w.session.send('Tell me')
  await w.until(() => w.upstream.replies.length === 1 && w.upstream.openReplies === 0)
  const ids = w.session.getSnapshot().messages.map(({ id }) => id)
  const read = text(w.session)
  expect(await w.ended(sent)).toMatchObject({ id: ids[1], content: whole, state: 'done' })
  expect(w.session.getSnapshot().messages.map(({ id }) => id)).toEqual(ids)
  const [first, second] = w.upstream.replies
  expect(w.upstream.replies).toHaveLength(2)
  // More than was read here: what the model said after the drop is not thrown away.
  expect(second!.request.prefill.length).toBeGreaterThan(read.length)
  expect(second!.request.messages).toEqual(first!.request.messages)
  await w.over()
})

test('orphan: with autoContinue: false it stays dropped, with all of its text', async () => {
  const w: World = world({
    plan: gone(() => w.clock.now(), 15_000),
    gateway: { orphanMs: 5_000 },
    client: { autoContinue: false },
  })
  const reply = await w.ended(w.session.send('Tell me'))
  expect(reply).toMatchObject({ state: 'dropped', error: { code: 'orphaned' } })
  expect(whole.startsWith(reply.content)).toBe(true)
  expect(reply.content.length).toBeGreaterThan(400)
  expect(w.upstream.replies).toHaveLength(1)
  expect(await w.ended(w.session.continue())).toMatchObject({ id: reply.id, content: whole, state: 'done' })
  await w.over()
})

test('orphan: a reply goes on by itself however long another one was', async () => {
  const w = world({ text: null, gateway: { orphanMs: 1 } })
  const lose = async (sent: Promise<ChatMessage | null>, partial: string): Promise<ChatMessage> => {
    const run = await w.upstream.next()
    run.send(partial)
    await w.until(() => text(w.session) === partial)
    w.restart()
    const next = await w.upstream.next()
    next.send(' and on')
    next.finish()
    return w.ended(sent)
  }
  expect(await lose(w.session.send('Tell me'), 'A long answer.')).toMatchObject({ content: 'A long answer. and on' })
  expect(await lose(w.session.send('Shorter'), 'Short.')).toMatchObject({ content: 'Short. and on', state: 'done' })
  await w.over()
})

test('orphan: a reply that is lost again without a word more does not go on for ever', async () => {
  const w = world({ text: null })
  const sent = w.session.send('Tell me')
  ;(await w.upstream.next()).send('Once.')
  await w.until(() => text(w.session) === 'Once.')
  w.restart()
  const deaths = [1, 2, 3, 4, 5, 6]
  for (const death of deaths) {
    // oxlint-disable-next-line no-await-in-loop -- each continuation dies before the next one begins
    await w.until(() => w.upstream.replies.length === death + 1)
    w.restart()
  }
  expect(await w.ended(sent)).toMatchObject({ content: 'Once.', state: 'dropped' })
  expect(w.upstream.replies).toHaveLength(1 + deaths.length)
  await w.over()
})

test('orphan: a reply goes on though its gateway dies twice in a row, and waits longer each time', async () => {
  const w = world({ text: null, gateway: { orphanMs: 3_600_000 } })
  const sent = w.session.send('Tell me')
  ;(await w.upstream.next()).send('Once')
  await w.until(() => text(w.session) === 'Once')
  const at: number[] = []
  for (const death of [1, 2, 3]) {
    w.restart()
    // oxlint-disable-next-line no-await-in-loop -- each continuation dies before the next one begins
    await w.until(() => w.upstream.replies.length === death + 1)
    at.push(w.clock.now())
  }
  const run = w.upstream.replies.at(-1)!
  run.send('Once upon a time'.slice(run.request.prefill.length))
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'Once upon a time', state: 'done' })
  expect(at[0]).toBeLessThan(at[1]!)
  expect(at[2]! - at[1]!).toBeGreaterThan(at[1]! - at[0]!)
  await w.over()
})

test('orphan: an interrupt ends the wait before the next try', async () => {
  const w = world({ text: null })
  const sent = w.session.send('Tell me')
  ;(await w.upstream.next()).send('Once')
  await w.until(() => text(w.session) === 'Once')
  w.restart()
  await w.until(() => w.upstream.replies.length === 2)
  w.restart()
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  expect(await w.session.interrupt()).toEqual({ outcome: 'already_done' })
  expect(await sent).toMatchObject({ content: 'Once', state: 'interrupted' })
  expect(w.upstream.replies).toHaveLength(2)
  await w.over()
})

test('orphan: a run that ended before the model said anything is asked for anew', async () => {
  const w: World = world({
    text: null,
    plan: (index) => (index === 0 ? { cutAt: 200 } : w.clock.now() < 40_000 ? refused : undefined),
  })
  const sent = w.session.send('Tell me')
  await w.upstream.next()
  await w.until(() => w.upstream.replies.length === 2)
  const run = await w.upstream.next()
  run.send('Here I am')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'Here I am', state: 'done' })
  await w.over()
})

test('orphan: thinking without text starts over, and is not shown twice', async () => {
  const w: World = world({
    text: null,
    plan: (index) => (index === 0 ? { cutAt: 350 } : w.clock.now() < 40_000 ? refused : undefined),
    gateway: { fuse: { stallMs: 60_000 } },
  })
  const sent = w.session.send('Tell me')
  const lost = await w.upstream.next()
  lost.send({ thinking: 'Hm, let me see.' })
  await w.until(() => w.session.getSnapshot().messages.at(-1)?.thinking === 'Hm, let me see.')
  lost.send({ thinking: ' Yes?'.repeat(50) })
  await w.until(() => w.upstream.replies.length === 2)
  const run = await w.upstream.next()
  run.send({ thinking: 'Hm.' }, 'Yes')
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ thinking: 'Hm.', content: 'Yes', state: 'done' })
  await w.over()
})

test('restart: a gateway that has forgotten the run is given the partial, and the answer goes on', async () => {
  const w = world({ plan: (index) => (index === 0 ? { cutAt: 1_000 } : undefined) })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  const shown = text(w.session)
  expect(shown.length).toBeGreaterThan(100)
  w.restart()
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests.map(({ method, body }) => [method, body.resume])).toEqual([
    ['POST', undefined],
    ['GET', undefined],
    ['POST', 'continue'],
  ])
  expect(w.upstream.replies).toHaveLength(2)
  expect(shown.startsWith(w.upstream.replies[1]!.request.prefill)).toBe(true)
  await w.over()
})

test('restart: a run of which nothing had come yet is started again, under its id', async () => {
  const w = world({ plan: (index) => (index === 0 ? { cutAt: 180 } : undefined) })
  const sent = w.session.send('Tell me')
  await w.until(() => w.session.getSnapshot().status === 'reconnecting')
  w.restart()
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST'])
  expect(w.requests[2]!.body).toEqual(w.requests[0]!.body)
  await w.over()
})

test('restart: a gateway that says that it shuts down has the reply go on at the next one', async () => {
  const w = world()
  const sent = w.session.send('Tell me')
  await w.until(() => text(w.session).length > 100)
  w.restart()
  expect(await w.ended(sent)).toMatchObject({ content: whole, state: 'done' })
  expect(w.requests.map(({ method }) => method)).toEqual(['POST', 'POST'])
  await w.over()
})

test('restart: an ended run that is no longer kept goes on from its partial', async () => {
  const w: World = world({
    plan: gone(() => w.clock.now(), 60_000),
    gateway: { orphanMs: 5_000, keep: { keepRunMs: 10_000 } },
  })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
  expect(w.upstream.replies).toHaveLength(2)
  await w.over()
})

test('restart: a run that another page has started again under its id is another one, and no text of the two is mixed', async () => {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const begin = (): Gateway => createGateway({ upstream, clock, random: seededRandom(1) })
  let gateway = begin()
  let posted = ''
  let kill = (): void => undefined
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (posted === '') posted = init?.body as string
    const response = await gatewayFetch(gateway)(input, init)
    if (!response.body) return response
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      start: (out) => void (kill = () => out.error(new TypeError('reset'))),
    })
    return new Response(response.body.pipeThrough(cut), response)
  }
  const session = createChatClient({ url: '/api/chat', clock, random: seededRandom(2), fetch }).session()
  const until = async (isSo: () => boolean): Promise<void> => {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      await turn()
      if (isSo()) return
      clock.advance(50)
    }
  }
  const sent = session.send('Tell me')
  ;(await upstream.next()).send('Once upon a time')
  await until(() => text(session) === 'Once upon a time')
  // It takes a moment to begin anew.
  clock.advance(1)
  gateway = begin()
  kill()
  // Another page has read nothing of it yet, and asks for it again.
  const again = await gatewayFetch(gateway)('/api/chat', { method: 'POST', body: posted })
  ;(await upstream.next()).send('In the beginning there was a word, and a fox')
  let ended: unknown
  void sent.then((reply) => (ended = reply))
  await until(() => ended !== undefined)
  // The other page has the answer now, and this one all that it had.
  expect(ended).toMatchObject({ content: 'Once upon a time', error: { code: 'session_busy' } })
  await again.body?.cancel()
  await gateway.close()
})
