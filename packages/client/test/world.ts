import type { Clock } from '@midstream/core'
import { createGateway, type Gateway, type GatewayOptions } from '@midstream/core/gateway'
import {
  faultyFetch,
  gatewayFetch,
  manualClock,
  scriptedUpstream,
  seededRandom,
  type FetchFault,
  type FetchFaultPlan,
  type ManualClock,
  type ScriptedReply,
  type ScriptedUpstream,
} from '@midstream/core/testing'
import { expect } from 'vitest'
import { createChatClient } from '../src/client.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatMessage } from '../src/message.ts'
import type { ChatClientOptions } from '../src/options.ts'

const orphanMs = 30_000
const paceMs = 100
/** 3 000 units: Latin, Han, pairs of surrogates that deltas and cuts fall into. */
export const whole: string = 'Es war einmal ein Kätzchen, 她住在一个小村庄里 🐈‍⬛ and it purred. '
  .repeat(50)
  .slice(0, 3_000)

export interface Requested {
  /** When it was sent, ms. */
  readonly at: number
  readonly method: string
  readonly path: string
  /** `Last-Event-ID`. */
  readonly after: string | null
  readonly body: { readonly run_id?: string; readonly resume?: string }
}

export interface WorldOptions {
  readonly plan?: FetchFaultPlan
  /** What answers instead of the gateway. */
  readonly fetch?: typeof globalThis.fetch
  readonly client?: Partial<ChatClientOptions>
  readonly gateway?: Partial<GatewayOptions>
  /** What the model says, at its pace; null leaves it to the test. */
  readonly text?: string | null
}

/** A client and a gateway on one clock, with a bad network between them. */
export interface World {
  readonly session: ChatSession
  readonly upstream: ScriptedUpstream
  readonly clock: ManualClock
  readonly requests: Requested[]
  /** Lets time pass from timer to timer, whenever nothing happens without, until it is so. */
  until(isSo: () => boolean): Promise<void>
  /** The reply as it ended. */
  ended(reply: Promise<ChatMessage | null>): Promise<ChatMessage>
  /** The gateway dies, and another one takes its place. */
  restart(): void
  /** Expects that nothing is left: no timer, reader or reply of the model server. */
  over(): Promise<void>
}

/** Makes a client, a gateway and a model server that speaks at its pace. */
export function world(options: WorldOptions = {}): World {
  const { plan = () => undefined, text = whole } = options
  const clock = manualClock()
  const own = counting(clock)
  const upstream = scriptedUpstream(text === null ? {} : { script: (reply) => speak(reply, text, clock) })
  const readers: (() => number)[] = []
  const newGateway = (): Gateway =>
    createGateway({
      upstream,
      clock,
      random: seededRandom(1),
      orphanMs,
      onRunEnd: ({ run }) => readers.push(() => run.readers),
      ...options.gateway,
    })
  let gateway = newGateway()
  const requests: Requested[] = []
  const faulty = faultyFetch(options.fetch ?? ((input, init) => gatewayFetch(gateway)(input, init)), plan)
  const session = createChatClient({
    url: '/api/chat',
    clock: own,
    random: seededRandom(2),
    ...options.client,
    fetch: (input, init) => {
      requests.push({
        at: clock.now(),
        method: init?.method ?? 'GET',
        path: input as string,
        after: new Headers(init?.headers).get('last-event-id'),
        body: JSON.parse((init?.body as string | null) ?? '{}') as Requested['body'],
      })
      return faulty(input, init)
    },
  }).session()

  const until: World['until'] = async (isSo) => {
    for (;;) {
      await turn()
      if (isSo()) return
      if (clock.dueAt === Infinity) throw new Error('Nothing is going to happen any more, and it is not so')
      clock.advance(Math.max(0, clock.dueAt - clock.now()))
    }
  }
  return {
    session,
    upstream,
    clock,
    requests,
    until,
    async ended(sent) {
      let reply: ChatMessage | null | undefined
      void sent.then((ended) => (reply = ended))
      await until(() => reply !== undefined)
      return reply!
    },
    restart() {
      const dead = gateway
      gateway = newGateway()
      void dead.close()
    },
    async over() {
      await turn()
      expect(own.timers).toBe(0)
      // What the client has given up goes on for a while.
      if (upstream.openReplies > 0) clock.advance(orphanMs)
      await turn()
      expect(clock.timers).toBe(0)
      expect(upstream.openReplies).toBe(0)
      expect(readers.map((count) => count())).toEqual(readers.map(() => 0))
    },
  }
}

/** One turn of the event loop: whatever can happen without time passing has happened then. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

/** The same clock, with a count of its own. */
function counting(clock: Clock): Clock & { readonly timers: number } {
  const set = new Set<object>()
  return {
    now: () => clock.now(),
    after(ms, fire) {
      const timer = {}
      set.add(timer)
      const disarm = clock.after(ms, () => (set.delete(timer), fire()))
      return () => (set.delete(timer), disarm())
    },
    get timers() {
      return set.size
    },
  }
}

/** Goes on from the prefill, a few units at a time, at the pace of a model. */
function speak(reply: ScriptedReply, text: string, clock: Clock): void {
  let at = reply.request.prefill.length
  let disarm = (): void => {}
  const next = (): void => {
    if (at >= text.length) return reply.finish()
    reply.send(text.slice(at, at + 11))
    at += 11
    disarm = clock.after(paceMs, next)
  }
  reply.signal.addEventListener('abort', () => disarm())
  disarm = clock.after(paceMs, next)
}

/** What a network does that is not there. */
export const refused: FetchFault = { answer: 'refused' }

/** The text of the last message, as it is shown. */
export const text = (session: ChatSession): string => session.getSnapshot().messages.at(-1)?.content ?? ''
/** The requests that reconnected. */
export const gets = ({ requests }: World): Requested[] => requests.filter(({ method }) => method === 'GET')
