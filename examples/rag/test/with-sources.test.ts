import { eventsOf } from '@midstream/core/upstream'
import { createChatClient, type ChatMessage, type ChatSession, type ChatSnapshot } from '@midstream/client'
import { ChatError } from '@midstream/core'
import { createGateway } from '@midstream/core/gateway'
import {
  gatewayFetch,
  manualClock,
  scriptedUpstream,
  type ManualClock,
  type ScriptedReply,
  type ScriptedUpstream,
} from '@midstream/core/testing'
import { expect, test } from 'vitest'
import { createPassageIndex, type PassageIndex } from '../search/passage-index.ts'
import type { PassageSource, Question } from '../search/passage.ts'
import { splitDocument } from '../search/split-document.ts'
import { withSources } from '../upstream/with-sources.ts'

interface Bed {
  readonly session: ChatSession
  readonly upstream: ScriptedUpstream
  readonly clock: ManualClock
  readonly index: PassageIndex
  /** What was searched for. */
  readonly questions: Question[]
  /** Bodies that the client sent. */
  readonly bodies: string[]
}

/** A conversation about two documents, through a gateway in this process. */
function setup(search?: PassageSource['search']): Bed {
  const upstream = scriptedUpstream()
  const clock = manualClock()
  const index = createPassageIndex()
  index.put('leave.md', splitDocument('leave.md', '# Leave\n\nAnnual leave is 27 days.'))
  index.put('差旅.md', splitDocument('差旅.md', '# 差旅\n\n国内出差每天补贴二百一十元。'))
  const questions: Question[] = []
  const source: PassageSource = {
    async search(question, limit, signal) {
      questions.push(question)
      return search ? search(question, limit, signal) : index.search(question, limit)
    },
  }
  const gateway = createGateway({ upstream: withSources(upstream, source), clock, coalesce: { windowMs: 0 } })
  const bodies: string[] = []
  const through = gatewayFetch(gateway)
  const fetch: typeof globalThis.fetch = (input, init) => {
    if (typeof init?.body === 'string') bodies.push(init.body)
    return through(input, init)
  }
  const session = createChatClient({ url: '/api/chat', clock, fetch }).session()
  return { session, upstream, clock, index, questions, bodies }
}

function when(session: ChatSession, fits: (snapshot: ChatSnapshot) => boolean): Promise<ChatSnapshot> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!fits(session.getSnapshot())) return
      leave()
      resolve(session.getSnapshot())
    }
    const leave = session.subscribe(look)
    look()
  })
}
const reply = (session: ChatSession): ChatMessage => session.getSnapshot().messages.at(-1)!
const shows = (session: ChatSession, content: string): Promise<ChatSnapshot> =>
  when(session, ({ messages }) => messages.at(-1)?.content === content)
const lastAsked = ({ request }: ScriptedReply): string => request.messages.at(-1)!.content

const leaveSource = {
  number: 1,
  id: 'leave.md#L3-L3',
  title: 'Leave',
  file: 'leave.md',
  from: 3,
  to: 3,
  passage: 'Annual leave is 27 days.',
}
const leaveData = { type: 'sources', sources: [leaveSource] }

async function answered(bed: Bed, question: string, answer: string): Promise<ScriptedReply> {
  const sent = bed.session.send(question)
  const run = await bed.upstream.next()
  run.send(answer)
  run.finish()
  await sent
  return run
}

test('sources: come before the first delta, and the passages go up, not into the conversation', async () => {
  const { session, upstream, bodies } = setup()
  const sent = session.send('How much annual leave?')
  const run = await upstream.next()
  await when(session, ({ messages }) => messages.at(-1)?.data !== undefined)
  expect(reply(session)).toMatchObject({ content: '', data: [leaveData], state: 'streaming' })
  expect(lastAsked(run)).toBe(
    '[1] Leave (leave.md, lines 3 to 3)\n> Annual leave is 27 days.\n\nQuestion:\nHow much annual leave?',
  )
  run.send('27 days [1].')
  run.finish()
  await sent
  expect(session.getSnapshot().messages.map(({ content }) => content)).toEqual([
    'How much annual leave?',
    '27 days [1].',
  ])
  void session.send('Thanks!')
  await upstream.next()
  expect(bodies.join('')).not.toMatch(/Annual leave is|sources/)
  await session.clear()
})

test('sources: a question that finds nothing says so to the page and to the model', async () => {
  const bed = setup()
  const run = await answered(bed, 'What is the capital of France?', 'The documents have nothing on it.')
  expect(reply(bed.session).data).toEqual([{ type: 'sources', sources: [] }])
  expect(lastAsked(run)).toMatch(/^No passage of the documents fits/)
})

test('sources: a follow-up searches for itself, with the question before where it is short', async () => {
  const bed = setup()
  await answered(bed, 'How much annual leave?', '27 days [1].')
  const run = await answered(bed, '那出差补贴呢？', '二百一十元 [1]。')
  expect(bed.questions).toEqual([
    { text: 'How much annual leave?', context: undefined },
    { text: '那出差补贴呢？', context: 'How much annual leave?' },
  ])
  expect(reply(bed.session).data).toMatchObject([{ sources: [{ file: '差旅.md' }] }])
  // What was asked before goes up as it was asked.
  expect(run.request.messages.slice(1, 3)).toEqual([
    { role: 'user', content: 'How much annual leave?' },
    { role: 'assistant', content: '27 days [1].' },
  ])
})

test('sources: a follow-up in mid-answer ends the one and searches for the other', async () => {
  const { session, upstream } = setup()
  void session.send('How much annual leave?')
  const first = await upstream.next()
  first.send('27')
  await shows(session, '27')
  void session.send('国内出差每天补贴多少？')
  const second = await upstream.next()
  await first.left
  expect(lastAsked(second)).toContain('> 国内出差每天补贴二百一十元。')
  expect(session.getSnapshot().messages[1]).toMatchObject({ content: '27', state: 'interrupted', data: [leaveData] })
  await session.clear()
})

test('sources: an interrupt ends a search, and the model is not asked', async () => {
  const signals: AbortSignal[] = []
  const { promise: searching, resolve: begun } = Promise.withResolvers<void>()
  const { session, upstream } = setup((_question, _limit, signal) => {
    signals.push(signal)
    begun()
    // One that does not care about its signal.
    return new Promise(() => undefined)
  })
  const sent = session.send('How much annual leave?')
  await searching
  await session.interrupt()
  expect(await sent).toMatchObject({ content: '', state: 'interrupted' })
  expect(signals[0]?.aborted).toBe(true)
  expect(upstream.replies).toHaveLength(0)
})

test('sources: a search that does not care about its signal is left', async () => {
  const upstream = withSources(scriptedUpstream(), { search: () => new Promise(() => undefined) })
  const abort = new AbortController()
  const request = {
    model: 'm',
    messages: [{ role: 'user', content: 'Leave?' }],
    prefill: '',
    interruptedNote: null,
  } as const
  const reply = eventsOf(upstream, request, abort.signal)[Symbol.asyncIterator]().next()
  abort.abort(new Error('enough'))
  await expect(reply).rejects.toThrow('enough')
})

test('sources: an interrupt between sources and text keeps the sources', async () => {
  const { session, upstream } = setup()
  const sent = session.send('How much annual leave?')
  const run = await upstream.next()
  await when(session, ({ messages }) => messages.at(-1)?.data !== undefined)
  await session.interrupt()
  expect(await sent).toMatchObject({ content: '', state: 'interrupted', data: [leaveData] })
  await run.left
})

test('sources: a continuation has the same passages and shows the same sources, though the documents have changed', async () => {
  const { session, upstream, index } = setup()
  void session.send('How much annual leave?')
  const first = await upstream.next()
  first.send('It is', ' 27')
  await shows(session, 'It is 27')
  await session.interrupt()
  index.put('leave.md', splitDocument('leave.md', '# Leave\n\nAnnual leave is 28 days.'))

  const continued = session.continue()
  const second = await upstream.next()
  expect(second.request.prefill).toBe('It is 27')
  expect(second.request.messages).toEqual(first.request.messages)
  second.send(' days [1].')
  second.finish()
  expect(await continued).toMatchObject({ content: 'It is 27 days [1].', data: [leaveData, leaveData] })

  void session.regenerate()
  expect(lastAsked(await upstream.next())).toContain('> Annual leave is 28 days.')
  await session.clear()
})

test('sources: a recovery goes on with the same passages and does not tell the sources again', async () => {
  const { session, upstream, clock, index, questions } = setup()
  const sent = session.send('How much annual leave?')
  const first = await upstream.next()
  first.send('It is')
  await shows(session, 'It is')
  index.put('leave.md', splitDocument('leave.md', '# Leave\n\nAnnual leave is 28 days.'))
  first.fail(new ChatError('upstream_crashed', 'The runner died.', { retryable: true }))
  await first.left
  await when(session, ({ status }) => status === 'waiting')
  clock.advance(1_000)
  const second = await upstream.next()
  expect(second.request.prefill).toBe('It is')
  expect(second.request.messages).toEqual(first.request.messages)
  second.send(' 27.')
  second.finish()
  expect(await sent).toMatchObject({ content: 'It is 27.', data: [leaveData] })
  expect(questions).toHaveLength(1)
})

test('sources: a retry before the first word searches again, and does not tell the same sources twice', async () => {
  const { session, upstream, clock, questions } = setup()
  const sent = session.send('How much annual leave?')
  const first = await upstream.next()
  first.fail(new ChatError('upstream_unreachable', 'Nobody there.', { retryable: true }))
  await first.left
  await when(session, ({ status }) => status === 'waiting')
  clock.advance(1_000)
  const second = await upstream.next()
  second.send('27.')
  second.finish()
  expect(await sent).toMatchObject({ content: '27.', data: [leaveData] })
  expect(questions).toHaveLength(2)
})

test('sources: a search that fails is an error, not an answer without documents', async () => {
  const { session, upstream } = setup(() => Promise.reject(new Error('/private/path is gone')))
  expect(await session.send('How much annual leave?')).toMatchObject({
    state: 'failed',
    error: { code: 'upstream_failed', message: 'The documents could not be searched.', retryable: true },
  })
  expect(upstream.replies).toHaveLength(0)
})

test('sources: name, model and status are the inner upstream’s', async () => {
  const upstream = withSources(scriptedUpstream({ model: 'm' }), createNothing())
  expect([upstream.name, upstream.model]).toEqual(['scripted', 'm'])
  expect(await upstream.status?.(new AbortController().signal)).toMatchObject({ state: 'ready' })
  expect(() => withSources(upstream, createNothing(), { maxChars: 0 })).toThrow(RangeError)
  expect(() => withSources(upstream, createNothing(), { maxPassages: 0 })).toThrow(RangeError)
})

const createNothing = (): PassageSource => ({ search: () => Promise.resolve([]) })
