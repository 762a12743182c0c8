import { createGateway, type GatewayOptions } from '@midstream/core/gateway'
import {
  gatewayFetch,
  manualClock,
  scriptedUpstream,
  type ManualClock,
  type ScriptedReply,
  type ScriptedUpstream,
} from '@midstream/core/testing'
import { createChatClient } from '../src/client.ts'
import type { ChatStorage } from '../src/persist.ts'
import type { TabsChannel } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatMessage } from '../src/message.ts'
import type { ChatClientOptions } from '../src/options.ts'
import type { ChatSnapshot } from '../src/snapshot.ts'

export interface Requested {
  readonly method: string
  readonly path: string
  readonly body: Record<string, unknown>
}

export interface Setup {
  readonly session: ChatSession
  readonly upstream: ScriptedUpstream
  readonly clock: ManualClock
  /** Every request of every client, in its order, with its parsed body. */
  readonly requests: Requested[]
  readonly fetch: typeof globalThis.fetch
  /** One more client of the same gateway: another tab, or the page after a reload. */
  open(options?: Partial<ChatClientOptions>): ChatSession
}

export type SetupOptions = Partial<ChatClientOptions> & { readonly gateway?: Partial<GatewayOptions> }

/** A conversation through a gateway in this process, whose model server says what the test tells it to. */
export function setup({ gateway: gatewayOptions, ...options }: SetupOptions = {}): Setup {
  const upstream = scriptedUpstream()
  const clock = manualClock()
  const gateway = createGateway({ upstream, clock, coalesce: { windowMs: 0 }, ...gatewayOptions })
  const requests: Requested[] = []
  const through = options.fetch ?? gatewayFetch(gateway)
  const fetch: typeof globalThis.fetch = (input, init) => {
    const text = typeof init?.body === 'string' ? init.body : '{}'
    requests.push({
      method: init?.method ?? 'GET',
      path: input instanceof Request ? input.url : input.toString(),
      body: JSON.parse(text) as Record<string, unknown>,
    })
    return through(input, init)
  }
  const open: Setup['open'] = (own) =>
    createChatClient({ url: '/api/chat', clock, ...options, fetch, ...own }).session()
  return { session: open(), upstream, clock, requests, fetch, open }
}

/** The first snapshot that fits. */
export function when(session: ChatSession, fits: (snapshot: ChatSnapshot) => boolean): Promise<ChatSnapshot> {
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

export const reply = (snapshot: ChatSnapshot): ChatMessage => snapshot.messages.at(-1)!
export const shows =
  (content: string) =>
  (snapshot: ChatSnapshot): boolean =>
    snapshot.messages.at(-1)?.content === content
export const isIdle = ({ status }: ChatSnapshot): boolean => status === 'idle'

/** Who said what, for a whole conversation at a glance. */
export const transcript = ({ messages }: ChatSnapshot): string[] =>
  messages.map(({ role, content, state }) => (role === 'user' ? `> ${content}` : `${content} (${state})`))

/** One turn of the event loop: whatever can happen without time passing has happened then. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The bodies that asked for a reply. */
export const asked = (requests: readonly Requested[]): Record<string, unknown>[] =>
  requests.filter(({ body }) => 'messages' in body).map(({ body }) => body)

export interface Bus {
  /** Opens one more end, as `new BroadcastChannel(name)` does. */
  open(name: string): TabsChannel
  /** Everything that was told, in its order. */
  readonly words: { readonly type: string; readonly chat?: { readonly version: number } }[]
  /** Who hears: one entry for each end that listens. */
  readonly listeners: { readonly end: object; readonly name: string; hear(event: { readonly data: unknown }): void }[]
}

/** `BroadcastChannel` in one process: copies, and comes a microtask later, to all ends but the one that told. */
export function bus(): Bus {
  const words: Bus['words'] = []
  const listeners: Bus['listeners'] = []
  return {
    words,
    listeners,
    open(name) {
      const end = {}
      return {
        postMessage(message) {
          const data = structuredClone(message) as Bus['words'][number]
          words.push(data)
          for (const listener of listeners.filter((other) => other.end !== end && other.name === name)) {
            queueMicrotask(() => listener.hear({ data: structuredClone(data) }))
          }
        },
        addEventListener: (_type, hear) => void listeners.push({ end, name, hear }),
      }
    },
  }
}

/** Where `persist` keeps the main conversation of the gateway that tests ask. */
export const key = 'midstream'

/** A storage that can be looked into. */
export function memory(): ChatStorage & { readonly items: Map<string, string> } {
  const items = new Map<string, string>()
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  }
}

/** Says something and lets the model say these deltas of the answer. */
export async function tell(
  session: ChatSession,
  upstream: ScriptedUpstream,
  ...deltas: string[]
): Promise<ScriptedReply> {
  void session.send('Tell me')
  const run = await upstream.next()
  // Each delta is a read of its own, as a token is.
  for (const delta of deltas) run.send(delta)
  await when(session, shows(deltas.join('')))
  return run
}
/** A conversation whose answer was interrupted after these deltas. */
export async function interrupted(...deltas: string[]): Promise<Setup> {
  const all = setup()
  await tell(all.session, all.upstream, ...deltas)
  await all.session.interrupt()
  return all
}
