import { isChatError } from '@midstream/core'
import type { ScriptedReply } from '@midstream/core/testing'
import { expect, test } from 'vitest'
import type { ChatSession } from '../src/chat-session.ts'
import { persist } from '../src/persist.ts'
import { tabs } from '../src/tabs.ts'
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
  type SetupOptions,
} from './support.ts'

function queueing(options: SetupOptions = {}): ReturnType<typeof setup> {
  return setup({ whenBusy: 'queue', ...options })
}
const queued = (session: ChatSession): string[] => session.getSnapshot().queue.map(({ content }) => content)
async function answer(next: Promise<ScriptedReply>, text: string): Promise<void> {
  const run = await next
  run.send(text)
  run.finish()
}

test('queue: what is said while an answer streams waits for its turn, in order, and is asked with the answers before it', async () => {
  const { session, upstream, requests } = queueing()
  const first = session.send('One')
  const second = session.send('Two')
  const third = session.send('Three')
  expect(queued(session)).toEqual(['Two', 'Three'])
  expect(transcript(session.getSnapshot())).toEqual(['> One', ' (streaming)'])
  await answer(upstream.next(), 'Eins')
  await answer(upstream.next(), 'Zwei')
  await answer(upstream.next(), 'Drei')
  const replies = await Promise.all([first, second, third])
  expect(replies.map((ended) => ended?.content)).toEqual(['Eins', 'Zwei', 'Drei'])
  expect(
    asked(requests).map(({ messages }) => (messages as { content: string }[]).map(({ content }) => content)),
  ).toEqual([['One'], ['One', 'Eins', 'Two'], ['One', 'Eins', 'Two', 'Zwei', 'Three']])
  expect(asked(requests).every((body) => !('interrupts' in body))).toBe(true)
  expect(queued(session)).toEqual([])
})

test('queue: a message is never shown twice, in the queue and in the conversation', async () => {
  const { session, upstream } = queueing()
  const seen: number[] = []
  session.subscribe(() => {
    const { messages, queue } = session.getSnapshot()
    seen.push([...messages, ...queue].filter(({ content }) => content === 'Two').length)
  })
  void session.send('One')
  const second = session.send('Two')
  await answer(upstream.next(), 'Eins')
  await answer(upstream.next(), 'Zwei')
  await second
  expect(new Set(seen)).toEqual(new Set([0, 1]))
  expect(seen.lastIndexOf(0)).toBeLessThan(seen.indexOf(1))
})

test('queue: what is said between two runs waits, too, behind what waits already', async () => {
  // Nothing is painted until the test does so: the first run has ended, and the second has not begun.
  let isHeld = false
  const paints: (() => void)[] = []
  const { session, upstream } = queueing({ schedule: (paint) => (isHeld ? paints.push(paint) : queueMicrotask(paint)) })
  void session.send('One')
  void session.send('Two')
  const run = await upstream.next()
  run.send('Eins')
  await when(session, shows('Eins'))
  isHeld = true
  run.finish()
  await run.left
  await turn()
  void session.send('Three')
  isHeld = false
  for (const paint of paints) paint()
  await answer(upstream.next(), 'Zwei')
  await answer(upstream.next(), 'Drei')
  await when(session, shows('Drei'))
  expect(transcript(session.getSnapshot()).filter((line) => line.startsWith('>'))).toEqual([
    '> One',
    '> Two',
    '> Three',
  ])
})

test('queue: eight wait; the ninth is session_busy, and so is everything after it', () => {
  const { session } = queueing()
  for (let n = 0; n <= 8; n++) void session.send(`Question ${n}`)
  expect(queued(session)).toHaveLength(8)
  for (const text of ['Question 9', 'Question 10']) {
    const refused = catching(() => session.send(text))
    expect(isChatError(refused) && refused.code).toBe('session_busy')
  }
  expect(queued(session)).toHaveLength(8)
  void session.clear()
})

function catching(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

test('queue: a blank text is refused as ever', () => {
  const { session } = queueing()
  void session.send('One')
  expect(() => session.send(' ')).toThrow(TypeError)
  expect(queued(session)).toEqual([])
  void session.clear()
})

test('queue: what waits can be taken back, once, and is never asked', async () => {
  const { session, upstream, requests } = queueing()
  const first = session.send('One')
  const second = session.send('Two')
  const third = session.send('Three')
  const { id } = session.getSnapshot().queue[0]!
  expect(session.takeBack(id)).toBe(true)
  expect(session.takeBack(id)).toBe(false)
  expect(await second).toBe(null)
  expect(queued(session)).toEqual(['Three'])
  await answer(upstream.next(), 'Eins')
  await answer(upstream.next(), 'Drei')
  await Promise.all([first, third])
  expect(transcript(session.getSnapshot())).toEqual(['> One', 'Eins (done)', '> Three', 'Drei (done)'])
  expect(asked(requests)).toHaveLength(2)
})

test('queue: what has been asked cannot be taken back', async () => {
  const { session, upstream } = queueing()
  void session.send('One')
  const second = session.send('Two')
  const { id } = session.getSnapshot().queue[0]!
  await answer(upstream.next(), 'Eins')
  const run = await upstream.next()
  expect(session.takeBack(id)).toBe(false)
  run.send('Zwei')
  run.finish()
  expect(await second).toMatchObject({ content: 'Zwei' })
})

test('queue: an interrupt lets the next one start, with the partial before it', async () => {
  const { session, upstream, requests } = queueing()
  void session.send('One')
  const second = session.send('Two')
  const run = await upstream.next()
  run.send('Ei')
  await when(session, shows('Ei'))
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  await answer(upstream.next(), 'Zwei')
  expect(await second).toMatchObject({ content: 'Zwei', state: 'done' })
  expect(asked(requests)[1]!['messages']).toEqual([
    { role: 'user', content: 'One' },
    { role: 'assistant', content: 'Ei', interrupted: true },
    { role: 'user', content: 'Two' },
  ])
})

test('queue: a failed answer lets the next one start', async () => {
  const { session, upstream } = queueing({ gateway: { recovery: false } })
  void session.send('One')
  const second = session.send('Two')
  ;(await upstream.next()).end()
  await answer(upstream.next(), 'Zwei')
  expect(await second).toMatchObject({ content: 'Zwei' })
  expect(session.getSnapshot()).toMatchObject({ status: 'idle', error: null })
})

test('queue: a continuation lets what waits wait, and starts it after its end', async () => {
  const { session, upstream } = queueing()
  void session.send('One')
  ;(await upstream.next()).send('Ei')
  await when(session, shows('Ei'))
  await session.interrupt()
  void session.continue()
  const second = session.send('Two')
  expect(queued(session)).toEqual(['Two'])
  await answer(upstream.next(), 'ns')
  await answer(upstream.next(), 'Zwei')
  await second
  expect(transcript(session.getSnapshot())).toEqual(['> One', 'Eins (done)', '> Two', 'Zwei (done)'])
})

test('queue: clear settles all that waits with null, and asks none of it', async () => {
  const { session, upstream, requests } = queueing()
  void session.send('One')
  const waiting = [session.send('Two'), session.send('Three')]
  await upstream.next()
  await session.clear()
  expect(await Promise.all(waiting)).toEqual([null, null])
  expect(session.getSnapshot()).toMatchObject({ messages: [], queue: [], status: 'idle' })
  await turn()
  expect(asked(requests)).toHaveLength(1)
  expect(upstream.openReplies).toBe(0)
})

test('queue: what waits is of its page alone: another tab and a reload show none of it, and nothing is asked twice', async () => {
  const storage = memory()
  const channel = bus()
  const { upstream, requests, open } = queueing()
  const page = (): ChatSession => open({ extensions: [persist(storage), tabs(channel.open)] })
  const mine = page()
  await turn()
  void mine.send('One')
  const waits = mine.send('Two')
  const run = await upstream.next()
  run.send('Eins')
  const others = [page(), page()]
  for (const other of others) await when(other, shows('Eins'))
  expect([queued(mine), ...others.map(queued)]).toEqual([['Two'], [], []])
  run.finish()
  await answer(upstream.next(), 'Zwei')
  await waits
  await turn()
  expect(asked(requests)).toHaveLength(2)
  for (const other of others) expect(transcript(other.getSnapshot())).toEqual(transcript(mine.getSnapshot()))
})

test('reject: what is said while an answer streams is session_busy, and the answer goes on', async () => {
  const { session, upstream } = setup({ whenBusy: 'reject' })
  const first = session.send('One')
  const refused = catching(() => session.send('Two'))
  expect(isChatError(refused) && refused).toMatchObject({ code: 'session_busy', retryable: true })
  await answer(upstream.next(), 'Eins')
  expect(await first).toMatchObject({ content: 'Eins', state: 'done' })
  const second = session.send('Two')
  await answer(upstream.next(), 'Zwei')
  expect(await second).toMatchObject({ content: 'Zwei' })
})

test('reject: an interrupt makes room at once', async () => {
  const { session, upstream } = setup({ whenBusy: 'reject' })
  void session.send('One')
  ;(await upstream.next()).send('Ei')
  await when(session, shows('Ei'))
  void session.interrupt()
  const second = session.send('Two')
  await answer(upstream.next(), 'Zwei')
  expect(await second).toMatchObject({ content: 'Zwei' })
})

test('send: a request that the next one overtook starts nothing any more, and ends nothing', async () => {
  const late: (() => Promise<Response>)[] = []
  let isSlow = false
  const all = setup()
  const session = all.open({
    fetch: (input, init) => {
      if (!isSlow) return all.fetch(input, init)
      // It is on its way, and stays there; giving it up does not call it back.
      late.push(() => all.fetch(input, { ...init, signal: null }))
      return new Promise((_, reject) => init!.signal!.addEventListener('abort', () => reject(new Error('gone'))))
    },
  })
  void session.send('One')
  await answer(all.upstream.next(), 'Eins')
  await when(session, isIdle)
  isSlow = true
  void session.send('Two')
  isSlow = false
  void session.send('Three')
  const run = await all.upstream.next()
  const refused = await late[0]!()
  expect(refused.status).toBe(410)
  run.send('Drei')
  run.finish()
  await when(session, shows('Drei'))
  await when(session, isIdle)
  expect(reply(session.getSnapshot()).state).toBe('done')
  expect(all.upstream.replies).toHaveLength(2)
})

test('interrupt is what send does by default: nothing waits', async () => {
  const { session, upstream } = setup()
  void session.send('One')
  const run = await upstream.next()
  run.send('Ei')
  await when(session, shows('Ei'))
  void session.send('Two')
  expect(queued(session)).toEqual([])
  await answer(upstream.next(), 'Zwei')
  await when(session, isIdle)
  expect(reply(session.getSnapshot()).content).toBe('Zwei')
  expect(run.signal.aborted).toBe(true)
})
