import { ChatError } from '@midstream/core'
import { afterEach, expect, test, vi } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import type { ChatClientOptions, ChatSession } from '../src/types.ts'
import {
  asked,
  bus,
  isIdle,
  memory,
  reply,
  setup,
  shows,
  transcript,
  turn,
  when,
  type Bus,
  type SetupOptions,
} from './support.ts'

afterEach(() => vi.unstubAllGlobals())

interface TwoTabs extends ReturnType<typeof setup> {
  readonly a: ChatSession
  readonly b: ChatSession
  readonly channel: Bus
  /** Opens one more tab. */
  tab(options?: Partial<ChatClientOptions>): ChatSession
}

/** Two tabs of one conversation, which have asked each other what there is. */
async function twoTabs(options: SetupOptions = {}): Promise<TwoTabs> {
  const channel = bus()
  const all = setup(options)
  const tab: TwoTabs['tab'] = (own) => all.open({ extensions: [tabs(channel.open)], ...own })
  const [a, b] = [tab(), tab()]
  await turn()
  return { ...all, channel, tab, a, b }
}
const told = ({ words }: Bus): string[] => words.map(({ type }) => type)
const bothShow = async ({ a, b }: TwoTabs, content: string): Promise<void> => {
  await Promise.all([when(a, shows(content)), when(b, shows(content))])
}

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
  expect(told(channel)).toEqual(['ask', 'ask', 'news'])
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
  expect(upstream.open).toBe(0)
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
  expect(told(channel)).toEqual(['ask', 'ask', 'news', 'news', 'news'])
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
  expect(told(all.channel)).toEqual(['ask', 'ask', 'news', 'ask', 'answer', 'answer'])
  await late.clear()
})

test('tabs: a run that is joined anew takes nothing from the reader that it had before', async () => {
  const all = await twoTabs()
  void all.a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once')
  await bothShow(all, 'Once')
  const { chat } = all.channel.words.find(({ type }) => type === 'news')!
  const end = all.channel.open('midstream /api/chat ')
  // What is being read right now must not land in the reply that is read from its start again.
  for (let n = 0; n < 5; n++) {
    run.send(` ${n}`)
    for (let ticks = 0; ticks < n; ticks++) await Promise.resolve()
    end.postMessage({ type: 'news', chat: { ...chat, version: 10 + n } })
    await turn()
  }
  // Nor may its end, where it was waiting.
  end.postMessage({ type: 'news', chat: { ...chat, version: 20 } })
  await turn()
  run.send(' end')
  run.finish()
  await Promise.all([when(all.a, isIdle), when(all.b, isIdle)])
  expect(transcript(all.a.getSnapshot())).toEqual(['> Tell me', 'Once 0 1 2 3 4 end (done)'])
  expect(transcript(all.b.getSnapshot())).toEqual(transcript(all.a.getSnapshot()))
})

test('tabs: words of an older run, late or said again, do not overwrite a newer one', async () => {
  const all = await twoTabs()
  const { a, b, upstream, channel } = all
  void a.send('One')
  ;(await upstream.next()).send('Eins')
  await bothShow(all, 'Eins')
  const old = channel.words.filter(({ type }) => type === 'news')
  void b.send('Two')
  const run = await upstream.next()
  run.send('Zwei')
  await bothShow(all, 'Zwei')
  const end = channel.open('midstream /api/chat ')
  for (const { chat } of old) for (const type of ['news', 'answer']) end.postMessage({ type, chat })
  await turn()
  run.send(' Drei')
  await bothShow(all, 'Zwei Drei')
  await a.clear()
  // Nor do they bring back a conversation that was cleared.
  await turn()
  for (const { chat } of old) for (const type of ['news', 'answer']) end.postMessage({ type, chat })
  await turn()
  for (const session of [a, b]) expect(session.getSnapshot().messages).toEqual([])
})

test('tabs: however long an answer is, it is no word more', async () => {
  const all = await twoTabs()
  void all.a.send('Count')
  const run = await all.upstream.next()
  let text = ''
  for (let n = 0; n < 50; n++) {
    run.send(`${n} `)
    text += `${n} `
    await bothShow(all, text)
  }
  await all.b.interrupt()
  await turn()
  expect(told(all.channel)).toEqual(['ask', 'ask', 'news', 'news'])
  // Nobody answers a word with a word for ever.
  for (let n = 0; n < 20; n++) await turn()
  expect(all.channel.words).toHaveLength(4)
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
  expect(told(channel).filter((type) => type === 'news')).toHaveLength(1)
  await reloaded.clear()
  await turn()
  for (const session of [a, b]) expect(session.getSnapshot().messages).toEqual([])
  expect(storage.items.size).toBe(0)
})

test('tabs: a tab that has its own conversation does not take one that another tab finds in a sleep', async () => {
  const all = await twoTabs()
  void all.a.send('Old')
  const run = await all.upstream.next()
  run.send('Answer')
  run.finish()
  await when(all.b, isIdle)
  await when(all.b, shows('Answer'))
  // Nobody answered this one when it was opened.
  const other = bus()
  const fresh = all.tab({ extensions: [tabs(other.open)] })
  void fresh.send('New')
  const next = await all.upstream.next()
  next.send('Here')
  await when(fresh, shows('Here'))
  const { chat } = all.channel.words.find(({ type }) => type === 'news')!
  other.open('midstream /api/chat ').postMessage({ type: 'answer', chat })
  await turn()
  expect(transcript(fresh.getSnapshot())).toEqual(['> New', 'Here (streaming)'])
  await fresh.clear()
})

test('tabs: what was kept from an earlier visit gives way to what is said now in another tab', async () => {
  const all = await twoTabs()
  const old = setup({ extensions: [persist(memory())] })
  const storage = memory()
  const visit = old.open({ extensions: [persist(storage)] })
  await turn()
  for (const text of ['One', 'Two', 'Three']) {
    void visit.send(text)
    const run = await old.upstream.next()
    run.send('Yes')
    run.finish()
    await when(visit, isIdle)
  }
  const back = all.tab({ extensions: [persist(storage), tabs(all.channel.open)] })
  await when(back, shows('Yes'))
  void all.a.send('Now')
  ;(await all.upstream.next()).send('Here')
  await when(back, shows('Here'))
  expect(transcript(back.getSnapshot())).toEqual(['> Now', 'Here (streaming)'])
  await all.a.clear()
})

test('tabs: an interrupt is told of as the gateway confirmed it', async () => {
  const all = await twoTabs()
  let confirm = (): void => {}
  const slow = all.tab({
    fetch: async (input, init) => {
      if ((input as string).endsWith('/interrupt')) await new Promise<void>((resolve) => (confirm = resolve))
      return all.fetch(input, init)
    },
  })
  void slow.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once')
  run.send(' upon')
  await when(all.a, shows('Once upon'))
  await when(slow, shows('Once upon'))
  void slow.interrupt()
  // Somebody else was faster, and had seen less.
  await all.fetch(`/api/chat/runs/${String(asked(all.requests)[0]!['run_id'])}/interrupt`, {
    method: 'POST',
    body: '{"position":4}',
  })
  await when(all.a, shows('Once'))
  const before = all.channel.words.length
  confirm()
  await when(slow, shows('Once'))
  await turn()
  expect(told(all.channel).slice(before)).toEqual(['news'])
  for (const session of [all.a, all.b]) expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once' })
})

/** A tab whose requests for a reply stay on their way until they are let go, or get another answer. */
function slowTab(all: TwoTabs): { readonly slow: ChatSession; release(instead?: Response): void } {
  let release: (instead?: Response) => void = () => {}
  const slow = all.tab({
    fetch: async (input, init) => {
      const isStart = init?.method === 'POST' && input === '/api/chat'
      const instead = isStart && (await new Promise<Response | undefined>((resolve) => (release = resolve)))
      return instead || all.fetch(input, init)
    },
  })
  return { slow, release: (instead) => release(instead) }
}

test('tabs: what is said in two tabs at once: the one that the gateway heard last is shown in both', async () => {
  const all = await twoTabs()
  const { slow, release } = slowTab(all)
  for (const text of ['One', 'Two', 'Three']) {
    void all.a.send(text)
    ;(await all.upstream.next()).finish()
    await Promise.all([all.a, all.b, slow].map((session) => when(session, isIdle)))
  }
  void slow.send('Four')
  void all.b.send('Five')
  const fifth = await all.upstream.next()
  fifth.send('Fünf')
  await when(all.a, shows('Fünf'))
  // What is on its way from here is not dropped for it.
  expect(transcript(slow.getSnapshot()).at(-2)).toBe('> Four')
  release()
  ;(await all.upstream.next()).send('Vier')
  expect(fifth.signal.aborted).toBe(true)
  await Promise.all([all.a, all.b, slow].map((session) => when(session, shows('Vier'))))
  await slow.clear()
})

test('tabs: a request that stood back for another tab’s leaves the stage to that one', async () => {
  const all = await twoTabs()
  const { slow, release } = slowTab(all)
  void all.a.send('One')
  await all.upstream.next()
  await when(slow, ({ messages }) => messages.length === 2)
  void slow.send('Two')
  void all.a.send('Three')
  ;(await all.upstream.next()).send('Drei')
  await when(all.b, shows('Drei'))
  release(Response.json({ error: { code: 'session_busy', message: '', retryable: true } }, { status: 409 }))
  await when(slow, shows('Drei'))
  await slow.clear()
})

test('tabs: two tabs that lost one run go on with it once', async () => {
  let isDown = false
  const cuts: (() => void)[] = []
  const channel = bus()
  const all = setup({ gateway: { orphanMs: 30_000, fuse: { stallMs: 60_000 } } })
  const tab = (): ChatSession =>
    all.open({
      extensions: [tabs(channel.open)],
      // Without jitter both come back in the same moment.
      random: (bytes) => (bytes.length === 1 ? bytes : crypto.getRandomValues(bytes)),
      fetch: (input, init) => {
        if (isDown) return Promise.reject(new TypeError('fetch failed'))
        const cut = new AbortController()
        cuts.push(() => cut.abort(new TypeError('terminated')))
        const signal = init?.signal ? AbortSignal.any([init.signal, cut.signal]) : cut.signal
        return all.fetch(input, { ...init, signal })
      },
    })
  const [a, b] = [tab(), tab()]
  void a.send('Tell me')
  ;(await all.upstream.next()).send('Once upon')
  await Promise.all([when(a, shows('Once upon')), when(b, shows('Once upon'))])
  isDown = true
  for (const cut of cuts) cut()
  for (let s = 0; s < 35; s++) {
    await turn()
    all.clock.advance(1_000)
  }
  isDown = false
  for (let s = 0; s < 10; s++) {
    await turn()
    all.clock.advance(1_000)
  }
  const run = await all.upstream.next()
  expect(run.request.prefill).not.toBe('')
  run.send(' upon a time'.slice(run.request.prefill.length - 'Once'.length))
  run.finish()
  await Promise.all([when(a, isIdle), when(b, isIdle)])
  expect(transcript(a.getSnapshot())).toEqual(['> Tell me', 'Once upon a time (done)'])
  expect(transcript(b.getSnapshot())).toEqual(transcript(a.getSnapshot()))
  expect(all.upstream.replies).toHaveLength(2)
})

test('tabs: a tab that becomes visible asks whether it missed a run, and takes it from the tab that has it', async () => {
  const document = Object.assign(new EventTarget(), { hidden: false })
  vi.stubGlobal('document', document)
  const all = await twoTabs()
  const show = async (hidden: boolean): Promise<void> => {
    document.hidden = hidden
    document.dispatchEvent(new Event('visibilitychange'))
    await turn()
  }
  void all.a.send('One')
  const first = await all.upstream.next()
  first.send('Eins')
  first.finish()
  await Promise.all([when(all.a, isIdle), when(all.b, isIdle)])
  const isDeaf = all.channel.words.length
  // What the other tab tells does not arrive: it sleeps.
  const { listeners } = all.channel
  const heard = listeners.splice(1, 1)
  await show(true)
  void all.a.send('Two')
  const run = await all.upstream.next()
  run.send('Zwei')
  await when(all.a, shows('Zwei'))
  expect(reply(all.b.getSnapshot()).content).toBe('Eins')
  listeners.push(...heard)
  await show(false)
  await when(all.b, shows('Zwei'))
  expect(all.requests.filter(({ method, path }) => method === 'GET' && path.includes('/sessions/'))).not.toHaveLength(0)
  expect(told(all.channel).slice(isDeaf)).toEqual(['news', 'ask', 'answer'])
  // What is read here already is not asked for.
  await show(true)
  await show(false)
  expect(told(all.channel).slice(isDeaf)).toEqual(['news', 'ask', 'answer'])
  await all.a.clear()
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
