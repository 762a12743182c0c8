import type { ChatEvent } from '@midstream/core'
import { manualClock, type ManualClock } from '@midstream/core/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createChatClient } from '../src/client.ts'
import { streamChat } from '../src/stream-chat.ts'
import type { ChatSession } from '../src/chat-session.ts'
import { shows, turn, when } from './support.ts'

/** React Native: no body streams, and an abort controller that knows nothing newer than its events. */

class PlainSignal {
  static all: PlainSignal[] = []
  constructor() {
    PlainSignal.all.push(this)
  }
  aborted = false
  onabort: (() => void) | null = null
  readonly heard = new Set<() => void>()
  /** Takes no options, as old event targets do: a listener stays until it is removed. */
  addEventListener(_type: string, hear: () => void): void {
    this.heard.add(hear)
  }
  removeEventListener(_type: string, hear: () => void): void {
    this.heard.delete(hear)
  }
}
class PlainController {
  readonly signal: PlainSignal = new PlainSignal()
  abort(): void {
    const { signal } = this
    if (signal.aborted) return
    signal.aborted = true
    signal.onabort?.()
    signal.heard.forEach((hear) => hear())
  }
}

beforeEach(() => {
  PlainSignal.all = []
  vi.stubGlobal('AbortController', PlainController)
  vi.stubGlobal('AbortSignal', PlainSignal)
  for (const name of ['WeakRef', 'FinalizationRegistry', 'DOMException']) vi.stubGlobal(name, undefined)
})
afterEach(() => vi.unstubAllGlobals())

interface Phone {
  readonly session: ChatSession
  readonly clock: ManualClock
  readonly requests: { readonly path: string; readonly signal: PlainSignal; readonly body: string }[]
  /** What the next requests get; the last answer goes on, `hang` never settles, and an abort rejects it as a polyfill does. */
  readonly answers: string[]
}

const heartbeat_ms = 100
const start = { session_id: 'sess_1', run_id: 'run_1', model: 'm', heartbeat_ms }
const frames = (...events: object[]): string =>
  [{ ...start, position: 0 }, ...events].map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
const once = { message: 'Once' } satisfies ChatEvent
const done = { done: true, reason: 'stop', position: 9 }

/** A fetch that knows of signals what the polyfill of React Native does. */
function phoneFetch(answers: Phone['answers'], requests: Phone['requests']): typeof globalThis.fetch {
  return ((path: string, { signal, body = '' }: { readonly signal: PlainSignal; readonly body?: string }) => {
    requests.push({ path, signal, body })
    const said = answers.length > 1 ? answers.shift()! : answers[0]!
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new TypeError('Aborted'))
      signal.addEventListener('abort', () => reject(new TypeError('Aborted')))
      if (said === 'hang') return
      const json = async (): Promise<unknown> => JSON.parse(said) as unknown
      resolve({ ok: true, status: 200, headers: { get: () => null }, text: async () => said, json })
    })
  }) as unknown as typeof globalThis.fetch
}
function phone(...answers: string[]): Phone {
  const clock = manualClock()
  const requests: Phone['requests'] = []
  const client = createChatClient({
    url: '/api/chat',
    clock,
    fetch: phoneFetch(answers, requests),
    autoContinue: false,
  })
  return { session: client.session(), clock, requests, answers }
}
const pass = async (clock: ManualClock): Promise<void> => {
  await turn()
  if (clock.dueAt < Infinity) clock.advance(clock.dueAt - clock.now())
  await turn()
}
/** Listeners of signals that live on: those of one connection go with it. */
const listeners = (): number =>
  PlainSignal.all.filter(({ aborted }) => !aborted).reduce((sum, { heard }) => sum + heard.size, 0)

test('phone: an answer is read by several polls, and no listener is left', async () => {
  const all = phone(
    frames(once),
    frames(once),
    frames(once, { message: ' upon' }),
    frames(once, { message: ' upon' }, done),
  )
  const { session, requests, clock } = all
  const sent = session.send('Hi')
  let isOver = false
  void sent.then(() => (isOver = true))
  while (!isOver) await pass(clock)
  expect(await sent).toMatchObject({ content: 'Once upon', state: 'done' })
  expect(requests.slice(1).every(({ path }) => path.includes('poll=1'))).toBe(true)
  expect(requests.length).toBeGreaterThan(3)
  expect(listeners()).toBe(0)
  expect(clock.timers).toBe(0)
})

test.for([
  ['between two polls', frames(once)],
  ['while a poll is on its way', 'hang'],
] as const)('phone: an interrupt %s is sent and confirmed', async ([, then]) => {
  const { session, requests, clock, answers } = phone(frames(once), frames(once), then)
  const sent = session.send('Hi')
  await when(session, shows('Once'))
  while (requests.length < 3) await pass(clock)
  answers.splice(
    0,
    answers.length,
    JSON.stringify({ outcome: 'interrupted', reason: 'interrupted', position: 4, partial: { content: 'Once' } }),
  )
  expect(await session.interrupt()).toEqual({ outcome: 'interrupted' })
  expect(await sent).toMatchObject({ content: 'Once', state: 'interrupted' })
  expect(requests.at(-1)).toMatchObject({ path: expect.stringMatching(/interrupt$/), body: '{"position":4}' })
  expect(clock.timers).toBe(0)
})

test('phone: an interrupt that nobody answers is unconfirmed, and silence is a drop that is read over', async () => {
  const { session, requests, clock, answers } = phone('hang')
  void session.send('Hi')
  while (session.getSnapshot().status !== 'reconnecting') await pass(clock)
  expect(requests[0]!.signal.aborted).toBe(true)
  answers.splice(0, 1, frames(once))
  const shown = when(session, shows('Once'))
  while (!session.getSnapshot().messages.at(-1)?.content) await pass(clock)
  await shown
  answers.splice(0, 1, 'hang')
  const stopped = session.interrupt()
  let outcome: unknown
  void stopped.then((result) => (outcome = result))
  while (!outcome) await pass(clock)
  expect(outcome).toEqual({ outcome: 'unconfirmed' })
  expect(requests.at(-1)!.path).toMatch(/interrupt$/)
  session.close()
})

test('phone: streamChat throws dropped after silence, and an AbortError for who gives up', async () => {
  for (const isSilence of [true, false]) {
    const clock = manualClock()
    const abort = new AbortController()
    const fetch = phoneFetch(['hang'], [])
    const chat = streamChat({ url: '/api/chat', fetch, clock, messages: [], signal: abort.signal })
    const failed = chat.next().catch((error: unknown) => error)
    await turn()
    if (isSilence) clock.advance(15_000)
    else abort.abort()
    expect(await failed).toMatchObject(isSilence ? { code: 'dropped' } : { name: 'AbortError' })
    expect(clock.timers).toBe(0)
  }
})

test('phone: the status of a gateway that hangs is an error of the network after 10 s', async () => {
  const clock = manualClock()
  const status = createChatClient({ url: '/api/chat', clock, fetch: phoneFetch(['hang'], []) }).status()
  await turn()
  clock.advance(10_000)
  await expect(status).rejects.toMatchObject({ code: 'network', retryable: true })
})

test('phone: without weak references a name finds its session', () => {
  const client = createChatClient({ url: '/api/chat', gcMs: 0 })
  expect(client.session('a')).toBe(client.session('a'))
  client.close()
})
