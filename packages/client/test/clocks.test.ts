import type { ManualClock } from '@midstream/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { SessionExtension } from '../src/extension.ts'
import { slowly } from './storages.ts'
import { key, asked, bus, memory, setup, transcript, turn, type Setup } from './support.ts'

/** Pages whose clocks do not agree: one slept, one was set back, one is on another device. */

const hour = 3_600_000
const year = 365 * 24 * hour

interface Pages extends Setup {
  /** One more page, whose clock says this much more. */
  page(aheadMs: number, ...extensions: SessionExtension[]): ChatSession
}
function pages(): Pages {
  const all = setup()
  const page: Pages['page'] = (aheadMs, ...extensions) => all.open({ clock: shifted(all.clock, aheadMs), extensions })
  all.clock.advance(50 * year)
  return { ...all, page }
}
const shifted = (clock: ManualClock, aheadMs: number): ManualClock => ({
  ...clock,
  now: () => clock.now() + aheadMs,
})
async function answered({ upstream }: Setup, session: ChatSession, text: string): Promise<void> {
  const sent = session.send(text)
  const run = await upstream.next()
  run.send(`To ${text}`)
  run.finish()
  await sent
}
const said = (session: ChatSession): string[] =>
  transcript(session.getSnapshot()).filter((line) => line.startsWith('>'))

test.for([
  ['an hour behind', -hour],
  ['a year behind', -year],
  ['equal', 0],
  ['ahead', hour],
  ['before 1970', -51 * year],
  ['without a number', NaN],
  ['beyond all numbers', Infinity],
  ['of the year 9999', 8_000 * year],
] as const)(
  'clocks: what is said after a clear in a page whose clock is %s stays, and is posted',
  async ([, aheadMs]) => {
    const all = pages()
    const storage = memory()
    const [other, mine] = [all.page(0, persist(storage)), all.page(aheadMs, persist(storage))]
    await turn()
    await answered(all, other, 'One')
    await other.clear()
    await answered(all, other, 'Two')
    await answered(all, mine, 'Three')
    expect(said(mine)).toEqual(['> Two', '> Three'])
    expect(asked(all.requests).at(-1)!['messages']).toMatchObject([
      { content: 'Two' },
      { content: 'To Two' },
      { content: 'Three' },
    ])
    // And it is what comes last in every page from now on.
    const third = all.page(0, persist(storage))
    await turn()
    expect(said(third)).toEqual(['> Two', '> Three'])
  },
)

test('clocks: a clock that jumps back between two turns leaves them in their order', async () => {
  let ahead = 0
  const all = pages()
  const clock: ManualClock = { ...all.clock, now: () => all.clock.now() + ahead }
  const storage = memory()
  const session = all.open({ clock, extensions: [persist(storage)] })
  await turn()
  await answered(all, session, 'One')
  ahead = -year
  await answered(all, session, 'Two')
  const again = all.page(-2 * year, persist(storage))
  await turn()
  await answered(all, again, 'Three')
  expect(said(again)).toEqual(['> One', '> Two', '> Three'])
})

test('clocks: a question that was on its way when its page heard of a clear stays in both pages', async () => {
  for (const aheadMs of [-hour, 0, hour]) {
    const all = pages()
    const channel = bus()
    const [mine, other] = [all.page(aheadMs, tabs(channel.open)), all.page(0, tabs(channel.open))]
    await turn()
    await answered(all, other, 'One')
    await turn()
    // In one tick: neither knows of the other.
    const sent = mine.send('Two')
    const cleared = other.clear()
    await settled(all)
    await Promise.all([sent, cleared])
    expect(said(mine)).toEqual(['> Two'])
    expect(said(other)).toEqual(['> Two'])
    await other.clear()
    await turn()
    expect(said(mine)).toEqual([])
  }
})

test('clocks: what is said while a storage of another device is still read stays, though a clear in it is of a later hour', async () => {
  const all = pages()
  const storage = memory()
  const other = all.page(hour, persist(storage))
  await turn()
  await answered(all, other, 'One')
  await other.clear()
  await answered(all, other, 'Two')
  const mine = all.page(0, persist(slowly(storage)))
  await answered(all, mine, 'Three')
  await settled(all)
  expect(said(mine).toSorted()).toEqual(['> Three', '> Two'])
})

test('clocks: a clear takes what its page knows only from the storage, or waits to show', async () => {
  for (const aheadMs of [-hour, 0, hour]) {
    const all = pages()
    const storage = memory()
    const [mine, other] = [all.page(aheadMs, persist(storage)), all.page(0, persist(storage))]
    await turn()
    await answered(all, mine, 'One')
    await answered(all, other, 'Two')
    await mine.clear()
    expect(said(mine)).toEqual([])
    expect(storage.items.size).toBe(0)
  }
})

test('clocks: of a conversation that is longer than what can be remembered, nothing comes back after a clear', async () => {
  const all = pages()
  const channel = bus()
  const storage = memory()
  const messages = Array.from({ length: 3_000 }, (_, n) => ({
    id: `msg_${n}`,
    role: n % 2 ? 'assistant' : 'user',
    content: `${n}`,
    state: 'done',
    version: n + 1,
  }))
  const chat = { sessionId: `sess_${'0'.repeat(32)}`, version: 3_000, runs: [], removed: [], cleared: 0, messages }
  storage.items.set(key, JSON.stringify(chat))
  const mine = all.page(0, persist(storage), tabs(channel.open))
  const other = all.page(-hour, tabs(channel.open))
  await turn()
  await turn()
  expect(other.getSnapshot().messages).toHaveLength(3_000)
  await mine.clear()
  await turn()
  expect(other.getSnapshot().messages).toEqual([])
  await answered(all, other, 'New')
  await turn()
  expect(said(mine)).toEqual(['> New'])
})

test('clocks: whatever they say, every question stays that nobody took away, and is in every page', async () => {
  const act = fc.record({
    page: fc.nat(1),
    type: fc.constantFrom('send', 'send', 'send', 'clear' as const),
    /** How far the clock of that page jumps first. */
    jumpMs: fc.constantFrom(0, hour, -hour, year, -year),
    rests: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 8 }), async (acts) => {
      const all = pages()
      const channel = bus()
      const ahead = [0, 0]
      const open = (n: number): ChatSession =>
        all.open({
          clock: { ...all.clock, now: () => all.clock.now() + ahead[n]! },
          extensions: [tabs(channel.open)],
        })
      const both = [open(0), open(1)] as const
      await turn()
      /** What is not taken away by anybody who knew of it. */
      let left: string[] = []
      let n = 0
      for (const { page, type, jumpMs, rests } of acts) {
        const session = both[page]!
        ahead[page]! += jumpMs
        if (type === 'clear') {
          const shown = new Set(session.getSnapshot().messages.map(({ content }) => content))
          left = left.filter((text) => !shown.has(text))
          void session.clear()
        } else {
          n += 1
          left.push(`Question ${n}`)
          void session.send(`Question ${n}`)
        }
        if (rests) await settled(all)
      }
      await settled(all)
      for (const session of both) {
        expect(
          said(session)
            .map((line) => line.slice(2))
            .toSorted(),
        ).toEqual(left.toSorted())
      }
      expect(transcript(both[0].getSnapshot())).toEqual(transcript(both[1].getSnapshot()))
    }),
    { numRuns: 60 },
  )
})

/** Answers all that is asked, until nothing is. */
async function settled({ upstream }: Setup): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await turn()
    for (const run of upstream.replies.filter((one) => !one.signal.aborted)) {
      if (answeredRuns.has(run)) continue
      answeredRuns.add(run)
      quiet = -1
      run.send('Yes')
      run.finish()
    }
  }
}
const answeredRuns = new WeakSet<object>()
