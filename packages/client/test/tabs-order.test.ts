import { afterEach, expect, test, vi } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { asked, bus, isIdle, memory, reply, setup, shows, transcript, turn, when } from './support.ts'
import { bothShow, told, twoTabs, type TwoTabs } from './tabs-support.ts'

afterEach(() => vi.unstubAllGlobals())

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

test('tabs: a run that is joined anew takes nothing from the reader that it had before', async () => {
  const all = await twoTabs()
  void all.a.send('Tell me')
  const run = await all.upstream.next()
  run.send('Once')
  await bothShow(all, 'Once')
  const { chat } = all.channel.words.find(({ type }) => type === 'tell')!
  const end = all.channel.open('midstream /api/chat ')
  // What is being read right now must not land in the reply that is read from its start again.
  for (let n = 0; n < 5; n++) {
    run.send(` ${n}`)
    for (let ticks = 0; ticks < n; ticks++) await Promise.resolve()
    end.postMessage({ type: 'tell', chat: { ...chat, version: 10 + n } })
    await turn()
  }
  // Nor may its end, where it was waiting.
  end.postMessage({ type: 'tell', chat: { ...chat, version: 20 } })
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
  const old = channel.words.filter(({ type }) => type === 'tell')
  void b.send('Two')
  const run = await upstream.next()
  run.send('Zwei')
  await bothShow(all, 'Zwei')
  const end = channel.open('midstream /api/chat ')
  for (const { chat } of old) end.postMessage({ type: 'tell', chat })
  await turn()
  run.send(' Drei')
  await bothShow(all, 'Zwei Drei')
  await a.clear()
  // Nor do they bring back a conversation that was cleared.
  await turn()
  for (const { chat } of old) end.postMessage({ type: 'tell', chat })
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
  expect(told(all.channel)).toEqual(['ask', 'ask', 'tell', 'tell'])
  // Nobody answers a word with a word for ever.
  for (let n = 0; n < 20; n++) await turn()
  expect(all.channel.words).toHaveLength(4)
})

test('tabs: what two tabs said that did not hear of each other is one conversation in both, once they do', async () => {
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
  const { chat } = all.channel.words.find(({ type }) => type === 'tell')!
  other.open('midstream /api/chat').postMessage({ type: 'tell', chat })
  await turn()
  await turn()
  // One run is read at a time.
  expect(transcript(fresh.getSnapshot())).toEqual(['> New', 'Here (streaming)'])
  next.finish()
  await when(fresh, ({ messages, status }) => messages.length === 4 && status === 'idle')
  expect(transcript(fresh.getSnapshot())).toEqual(
    expect.arrayContaining(['> Old', 'Answer (done)', '> New', 'Here (done)']),
  )
  await fresh.clear()
})

test('tabs: what was kept from an earlier visit, and what is said now in another tab, stay in all of them', async () => {
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
  const kept = ['One', 'Two', 'Three'].flatMap((text) => [`> ${text}`, 'Yes (done)'])
  expect(transcript(back.getSnapshot())).toEqual([...kept, '> Now', 'Here (streaming)'])
  await when(all.a, ({ messages }) => messages.length === 8)
  await all.a.clear()
  await when(back, ({ messages }) => messages.length === 0)
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
  expect(told(all.channel).slice(before)).toEqual(['tell'])
  for (const session of [all.a, all.b]) expect(reply(session.getSnapshot())).toMatchObject({ content: 'Once' })
})

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
  await turn()
  expect(told(all.channel).slice(isDeaf)).toContain('ask')
  // Who knows the same says nothing.
  const { length } = all.channel.words
  await show(true)
  await show(false)
  expect(told(all.channel).slice(length)).toEqual(['ask', 'ask'])
  await all.a.clear()
})
