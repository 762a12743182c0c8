import { ChatError } from '@midstream/core'
import { afterEach, expect, test, vi } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { asked, bus, isIdle, memory, reply, setup, shows, transcript, turn, when } from './support.ts'
import { bothShow, told, twoTabs } from './tabs-support.ts'

afterEach(() => vi.unstubAllGlobals())

test('tabs: what one tab asks, both show live, and one word tells of it', async () => {
  const all = await twoTabs()
  const { a, b, upstream, channel, requests } = all
  const sent = a.send('Tell me')
  const run = await upstream.next()
  for (const [delta, text] of [
    ['Once', 'Once'],
    [' upon', 'Once upon'],
    [' a time', 'Once upon a time'],
  ] as const) {
    run.send(delta)
    await bothShow(all, text)
  }
  run.finish()
  await sent
  await when(b, isIdle)
  expect(b.getSnapshot().messages).toEqual(a.getSnapshot().messages)
  expect(told(channel)).toEqual(['ask', 'ask', 'tell'])
  expect(requests.map(({ method }) => method)).toEqual(['POST', 'GET'])
})

test('tabs: the other tab learns of a run when the gateway has it, not before: it could not be read', async () => {
  let release = (): void => {}
  const all = await twoTabs()
  const slow = all.tab({
    fetch: async (input, init) => {
      if (init?.method === 'POST') await new Promise<void>((resolve) => (release = resolve))
      return all.fetch(input, init)
    },
  })
  void slow.send('Tell me')
  await turn()
  expect(all.b.getSnapshot().messages).toEqual([])
  release()
  ;(await all.upstream.next()).send('Once')
  await when(all.b, shows('Once'))
  expect(all.b.getSnapshot().error).toBe(null)
  await slow.clear()
})

test('tabs: an answer that comes in one piece is told of, too', async () => {
  const { a, b, upstream } = await twoTabs({ schedule: (publish) => void setImmediate(publish) })
  const sent = a.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  await sent
  await when(b, isIdle)
  await when(b, shows('Hi'))
  expect(transcript(b.getSnapshot())).toEqual(['> Hello', 'Hi (done)'])
})

test('tabs: an interrupt in the other tab ends the answer in both, at the same character', async () => {
  const all = await twoTabs()
  const { a, b, upstream } = all
  const sent = a.send('Tell me')
  const run = await upstream.next()
  run.send('Once upon')
  await bothShow(all, 'Once upon')
  const settled = b.interrupt()
  run.send(' a time')
  expect(await settled).toEqual({ outcome: 'interrupted' })
  expect(await sent).toMatchObject({ content: 'Once upon', state: 'interrupted' })
  expect(transcript(b.getSnapshot())).toEqual(transcript(a.getSnapshot()))
  expect(upstream.openReplies).toBe(0)
})

test('tabs: an interrupt in a tab that shows less cuts the other one back', async () => {
  const paints: (() => void)[] = []
  let isHeld = false
  const all = await twoTabs()
  const b = all.tab({ schedule: (paint) => (isHeld ? paints.push(paint) : queueMicrotask(paint)) })
  const sent = all.a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once upon')
  await when(b, shows('Once upon'))
  isHeld = true
  run.send(' a time')
  await when(all.a, shows('Once upon a time'))
  void b.interrupt()
  isHeld = false
  expect(await sent).toMatchObject({ content: 'Once upon', state: 'interrupted' })
  expect(reply(b.getSnapshot()).content).toBe('Once upon')
})

test('tabs: an interrupt that came after the end cuts nothing at the gateway, and both tabs show one text', async () => {
  const paints: (() => void)[] = []
  let isHeld = false
  const all = await twoTabs()
  const b = all.tab({ schedule: (paint) => (isHeld ? paints.push(paint) : queueMicrotask(paint)) })
  void all.a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once upon')
  await when(b, shows('Once upon'))
  isHeld = true
  run.send(' a time')
  run.finish()
  // Here it is whole already, there its end has been read but not painted.
  await when(all.a, isIdle)
  const settled = b.interrupt()
  for (const paint of paints.splice(0)) paint()
  isHeld = false
  await settled
  await turn()
  expect(transcript(all.a.getSnapshot())).toEqual(transcript(b.getSnapshot()))
})

test('tabs: clear clears both, and what is asked next is one conversation again', async () => {
  const all = await twoTabs()
  const { a, b, upstream, requests, channel } = all
  void a.send('Tell me')
  const run = await upstream.next()
  run.send('Once')
  await bothShow(all, 'Once')
  await b.clear()
  await turn()
  for (const session of [a, b]) expect(session.getSnapshot()).toMatchObject({ messages: [], status: 'idle' })
  expect(run.signal.aborted).toBe(true)
  expect(requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
  void a.send('Anew')
  ;(await upstream.next()).send('Yes')
  await bothShow(all, 'Yes')
  expect(asked(requests)[1]!['session_id']).not.toBe(asked(requests)[0]!['session_id'])
  expect(told(channel)).toEqual(['ask', 'ask', 'tell', 'tell', 'tell'])
  await a.clear()
})

test('tabs: clear settles what waits in the queue of the other tab', async () => {
  const all = await twoTabs({ whenBusy: 'queue' })
  void all.a.send('One')
  ;(await all.upstream.next()).send('Ei')
  await bothShow(all, 'Ei')
  const waiting = all.b.send('Two')
  await all.a.clear()
  expect(await waiting).toBe(null)
  expect(all.b.getSnapshot()).toMatchObject({ messages: [], queue: [] })
})

test('tabs: a follow-up in the other tab ends the answer at what that tab shows, and both go on with it', async () => {
  const all = await twoTabs()
  const { a, b, upstream, requests } = all
  const first = a.send('Tell me')
  const run = await upstream.next()
  run.send('Once upon')
  await bothShow(all, 'Once upon')
  const second = b.send('Thanks')
  const next = await upstream.next()
  expect(run.signal.aborted).toBe(true)
  next.send('Well')
  await bothShow(all, 'Well')
  next.finish()
  expect(await second).toMatchObject({ content: 'Well', state: 'done' })
  expect(await first).toMatchObject({ content: 'Once upon', state: 'interrupted' })
  await when(a, isIdle)
  expect(a.getSnapshot().messages).toEqual(b.getSnapshot().messages)
  expect(asked(requests)[1]).toMatchObject({
    session_id: asked(requests)[0]!['session_id'],
    interrupts: { run_id: asked(requests)[0]!['run_id'], position: 9 },
  })
})

test('tabs: continue, edit and regenerate in one tab show in the other', async () => {
  const all = await twoTabs()
  const { a, b, upstream } = all
  void a.send('Tell me')
  ;(await upstream.next()).send('Once')
  await bothShow(all, 'Once')
  await b.interrupt()
  void a.continue()
  ;(await upstream.next()).send(' upon')
  await bothShow(all, 'Once upon')
  void b.regenerate()
  ;(await upstream.next()).send('Twice')
  await bothShow(all, 'Twice')
  // Of the opening: another session, in both.
  void a.edit(a.getSnapshot().messages[0]!.id, 'Tell me all')
  ;(await upstream.next()).send('No')
  await bothShow(all, 'No')
  void b.send('Please')
  ;(await upstream.next()).send('Yes')
  await bothShow(all, 'Yes')
  const [, , , edited, last] = asked(all.requests)
  expect(edited).toMatchObject({ messages: [{ content: 'Tell me all' }] })
  expect(last!['session_id']).not.toBe(edited!['session_id'])
  await a.clear()
})

test('tabs: a tab that is opened mid-answer is told by one of the others and joins', async () => {
  const all = await twoTabs()
  void all.a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once upon')
  await bothShow(all, 'Once upon')
  const late = all.tab()
  await when(late, shows('Once upon'))
  run.send(' a time')
  await when(late, shows('Once upon a time'))
  await turn()
  expect(told(all.channel)).toEqual(['ask', 'ask', 'tell', 'ask', 'tell', 'tell'])
  await late.clear()
})

test('tabs: with a storage that both keep, a reload finds the conversation once and tells nothing new', async () => {
  const storage = memory()
  const channel = bus()
  const all = setup()
  const tab = (): ChatSession => all.open({ extensions: [persist(storage), tabs(channel.open)] })
  const [a, b] = [tab(), tab()]
  await turn()
  void a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once')
  await Promise.all([when(a, shows('Once')), when(b, shows('Once'))])
  const reloaded = tab()
  await when(reloaded, shows('Once'))
  run.send(' upon')
  run.finish()
  await Promise.all([a, b, reloaded].map((session) => when(session, isIdle)))
  for (const session of [a, b, reloaded]) {
    expect(transcript(session.getSnapshot())).toEqual(['> Tell me', 'Once upon (done)'])
  }
  // One tells of the run, and two answer the page that was opened.
  expect(told(channel).filter((type) => type === 'tell')).toHaveLength(3)
  await reloaded.clear()
  await turn()
  for (const session of [a, b]) expect(session.getSnapshot().messages).toEqual([])
  expect(storage.items.size).toBe(0)
})

test('tabs: without a channel there is nothing to do', async () => {
  vi.stubGlobal('BroadcastChannel', undefined)
  const { session, upstream } = setup({ extensions: [tabs()] })
  const sent = session.send('Hello')
  const run = await upstream.next()
  run.send('Hi')
  run.finish()
  expect(await sent).toMatchObject({ content: 'Hi' })
})

test('tabs: an answer that failed is shown in both, and not asked again', async () => {
  const all = await twoTabs({ gateway: { recovery: false } })
  void all.a.send('Hello')
  const run = await all.upstream.next()
  run.send('Ha')
  await bothShow(all, 'Ha')
  run.fail(new ChatError('upstream_crashed', 'Gone.', { retryable: true }))
  await Promise.all([all.a, all.b].map((session) => when(session, ({ status }) => status === 'error')))
  expect(transcript(all.b.getSnapshot())).toEqual(['> Hello', 'Ha (failed)'])
  expect(asked(all.requests)).toHaveLength(1)
})
