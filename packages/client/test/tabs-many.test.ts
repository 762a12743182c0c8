import { expect, test } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { bus, isIdle, memory, setup, transcript, turn, type Setup } from './support.ts'

/** Three to five tabs that act in one tick: everything that was said is in all of them, in one order. */

interface Many extends Setup {
  readonly all: readonly ChatSession[]
  open(): ChatSession
}

async function many(count: number, isStored: boolean, change: Parameters<typeof setup>[0] = {}): Promise<Many> {
  const world = setup(change)
  const [channel, storage] = [bus(), memory()]
  const extensions = [...(isStored ? [persist(storage)] : []), tabs(channel.open)]
  const open = (): ChatSession => world.open({ extensions })
  const all = Array.from({ length: count }, open)
  await turn()
  return { ...world, all, open }
}
/** Lets the model answer everything that it is asked, and everybody hear of it. */
async function settle({ upstream, clock }: Many, all: readonly ChatSession[]): Promise<void> {
  for (let n = 0; n < 60; n++) {
    for (const reply of upstream.replies) {
      if (reply.signal.aborted || answered.has(reply)) continue
      answered.add(reply)
      reply.send(`To ${String(reply.request.messages.at(-1)?.content)}`)
      reply.finish()
    }
    await turn()
    if (n % 10 === 9) clock.advance(1_000)
  }
  expect(all.map((session) => session.getSnapshot().status)).not.toContain('streaming')
}
const answered = new WeakSet()
const shown = (session: ChatSession): string[] => transcript(session.getSnapshot())

test.for([
  [3, false],
  [4, false],
  [5, false],
  [3, true],
  [5, true],
] as const)('tabs: what %i tabs say in one tick is in all of them (stored: %s)', async ([count, isStored]) => {
  const world = await many(count, isStored)
  const { all } = world
  all.forEach((session, n) => void session.send(`q${n}`))
  await settle(world, all)
  const [first, ...others] = all.map(shown)
  for (const other of others) expect(other).toEqual(first)
  const turns = all.map((_, n) => [`> q${n}`, `To q${n} (done)`])
  expect(first).toHaveLength(2 * count)
  for (const [question, answer] of turns) expect(first![first!.indexOf(question!) + 1]).toBe(answer)
  if (!isStored) return
  for (const session of all) session.close()
  const reloaded = world.open()
  await turn()
  expect(shown(reloaded)).toEqual(first)
})

test.for([401, 503])('tabs: a gateway that refuses every request with %i loses no question', async (status) => {
  const refuse = (): Promise<Response> =>
    Promise.resolve(Response.json({ error: { code: 'unauthorized', message: 'No', retryable: false } }, { status }))
  const world = await many(4, true, { fetch: refuse, reconnect: { maxMs: 0 } })
  const { all } = world
  const rounds = [0, 1]
  for (const round of rounds) {
    all.forEach((session, n) => void session.send(`q${round}${n}`))
    await settle(world, all)
  }
  const [first, ...others] = all.map(shown)
  for (const other of others) expect(other).toEqual(first)
  const questions = rounds.flatMap((round) => all.map((_, n) => `> q${round}${n}`))
  expect(first!.filter((line) => line.startsWith('> ')).toSorted()).toEqual(questions)
  for (const session of all) session.close()
  const reloaded = world.open()
  await turn()
  expect(
    shown(reloaded)
      .filter((line) => line.startsWith('> '))
      .toSorted(),
  ).toEqual(questions)
})

test('tabs: what a channel says that is no word of ours, or half of one, changes nothing', async () => {
  const channel = bus()
  const world = setup()
  const tab = world.open({ extensions: [tabs(channel.open)] })
  const sent = tab.send('Hello')
  ;(await world.upstream.next()).finish()
  await sent
  const { chat } = channel.words.find(({ type }) => type === 'tell')! as { chat: Record<string, unknown> }
  const before = tab.getSnapshot().messages
  const end = channel.open('midstream /api/chat ')
  const big = 2 ** 53
  for (const word of [
    null,
    'tell',
    { type: 'tell' },
    { type: 'ask', version: Number.NaN },
    { type: 'tell', chat: { ...chat, messages: [null] } },
    { type: 'tell', chat: { ...chat, sessionId: '../x' } },
    { type: 'tell', chat: { ...chat, runs: [null] } },
    { type: 'tell', chat: { ...chat, messages: [], runs: [], cleared: big, version: big, removed: 'all' } },
    { type: 'tell', chat: { ...chat, messages: [], runs: [], removed: [[before[1]!.id], [1, 2], ['x', -1]] } },
  ]) {
    end.postMessage(word)
    await turn()
    expect(tab.getSnapshot().messages.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  }
  // And it goes on.
  const more = tab.send('More')
  ;(await world.upstream.next()).finish()
  await more
  expect(isIdle(tab.getSnapshot())).toBe(true)
  expect(tab.getSnapshot().messages).toHaveLength(4)
})
