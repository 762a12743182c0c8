import type { Clock } from '@midstream/core'
import { pullFrames, type FrameReader } from '@midstream/core/gateway'
import type { Gateway } from '@midstream/core/gateway'
import type { SeededRandom } from '@midstream/core/testing'
import { createChatClient } from '../src/client.ts'
import { persist } from '../src/persist.ts'
import { tabs, type TabsChannel } from '../src/tabs.ts'
import type { ChatSession } from '../src/chat-session.ts'
import type { ChatMessage } from '../src/message.ts'

/** A tab: it can be reloaded, and its network can fail. */
export interface Page {
  readonly session: ChatSession
  /** Promises of the session that have not settled. */
  readonly pending: Set<Promise<unknown>>
  /** Connections and requests under way. */
  readonly connections: number
  isOffline: boolean
  /** Requests are on their way and do not arrive, until this is false. */
  isSlow: boolean
  /** Watches a promise. */
  watch(promise: Promise<unknown>): void
  /** Breaks every connection. @returns Whether there was one. */
  drop(): boolean
  /** Lets the requests that were held up arrive. */
  release(): void
  /** Loads the page again: nothing of the old one acts any more. */
  reload(): void
}

const utf8 = new TextEncoder()

/** What the pages share. */
export interface Shared {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly gateway: Gateway
  readonly begin: (sessionId: string, runId: string) => void
  readonly wrong: string[]
  readonly hasStorage: boolean
  readonly stored: { text: string | undefined; by: Page | undefined }
  /** Who listens to the channel. */
  readonly ends: { hear(event: { readonly data: unknown }): void }[]
}

export function createPage(shared: Shared): Page {
  let life = createLife(shared, () => page)
  const page: Page = {
    get session() {
      return life.session
    },
    get pending() {
      return life.pending
    },
    get connections() {
      return life.connections.size
    },
    isOffline: false,
    isSlow: false,
    watch(promise) {
      const { pending } = life
      pending.add(promise)
      void promise.then(
        () => pending.delete(promise),
        (error: unknown) => shared.wrong.push(`a promise rejected: ${String(error)}`),
      )
    },
    drop() {
      const { size } = life.connections
      for (const connection of life.connections) connection(new TypeError('terminated'))
      return size > 0
    },
    release: () => life.release(),
    reload() {
      life.close()
      life = createLife(shared, () => page)
    },
  }
  return page
}

interface Life {
  readonly session: ChatSession
  readonly pending: Set<Promise<unknown>>
  /** Each breaks off with an error. */
  readonly connections: Set<(error: unknown) => void>
  release(): void
  close(): void
}

/** A page from one load to the next. */
function createLife(shared: Shared, page: () => Page): Life {
  const { clock, random, gateway, hasStorage, stored, ends, wrong } = shared
  const connections: Life['connections'] = new Set()
  const timers = new Set<() => void>()
  let held: (() => void)[] = []
  let isClosed = false

  const fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      if (isClosed) return
      const { signal } = init ?? {}
      if (signal?.aborted) return reject(signal.reason as Error)
      if (page().isOffline) return reject(new TypeError('fetch failed'))
      const { messages } = JSON.parse((init?.body as string | null) ?? '{}') as { messages?: unknown[] }
      if (messages) checkSent(session, messages, wrong)

      let fail = reject
      let reader: FrameReader | undefined
      const end = (): void => {
        connections.delete(breakOff)
        signal?.removeEventListener('abort', abort)
        reader?.cancel()
      }
      const breakOff = (error: unknown): void => {
        end()
        if (!isClosed) fail(error)
      }
      const abort = (): void => breakOff(signal?.reason)
      connections.add(breakOff)
      signal?.addEventListener('abort', abort)

      const arrive = async (): Promise<void> => {
        const answer = await gateway.reply({
          method: init?.method ?? 'GET',
          url: `http://gateway.test${input as string}`,
          headers: new Headers(init?.headers),
          body: typeof init?.body === 'string' ? bytesOf(init.body) : null,
          signal: signal ?? new AbortController().signal,
        })
        const { status, headers, body } = answer
        const isStream = body !== null && typeof body !== 'string'
        if (isStream) shared.begin(headers['session-id']!, headers['run-id']!)
        // Nobody waits for it any more: as over a socket, the gateway sees its reader leave.
        if (!connections.has(breakOff)) return isStream ? body.cancel() : undefined
        if (!isStream) {
          end()
          return resolve(answerOf(status, body, headers['session-id'] ? once(body ?? '') : undefined))
        }
        reader = pullFrames(body)
        resolve(
          answerOf(status, null, {
            read: () => readFrom(reader!, (broken) => (fail = broken), end),
            cancel: () => Promise.resolve(end()),
          }),
        )
      }
      if (page().isSlow) held.push(() => void arrive())
      else void arrive()
    })
  const own: Clock = {
    now: () => clock.now(),
    after(ms, fire) {
      if (isClosed) return () => {}
      const disarm = clock.after(ms, () => {
        timers.delete(stop)
        fire()
      })
      const stop = (): void => {
        timers.delete(stop)
        disarm()
      }
      timers.add(stop)
      return stop
    },
  }
  const write = (text: string | undefined): void => {
    if (isClosed) return
    stored.text = text
    stored.by = page()
  }
  const channel = (): TabsChannel => {
    let hear: ((event: { readonly data: unknown }) => void) | undefined
    const end = { hear: (event: { readonly data: unknown }) => void (isClosed || hear?.(event)) }
    ends.push(end)
    return {
      postMessage(data) {
        if (isClosed) return
        for (const other of ends) if (other !== end) queueMicrotask(() => other.hear({ data }))
      },
      addEventListener: (_type, listener) => (hear = listener),
    }
  }
  const session = createChatClient({
    url: '/api/chat',
    fetch,
    clock: own,
    random,
    schedule: queueMicrotask,
    whenBusy: random.pick(['interrupt', 'interrupt', 'queue']),
    extensions: [
      persist(
        hasStorage
          ? {
              getItem: () => stored.text ?? null,
              setItem: (_key, text) => write(text),
              removeItem: () => write(undefined),
            }
          : undefined,
      ),
      tabs(channel),
    ],
  }).session()
  return {
    session,
    pending: new Set(),
    connections,
    release() {
      for (const arrive of held.splice(0)) arrive()
    },
    close() {
      isClosed = true
      for (const connection of connections) connection(undefined)
      for (const stop of timers) stop()
      // Requests that are on their way arrive all the same.
      this.release()
      held = []
    },
  }
}

/** A body, as the gateway reads it. */
export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield utf8.encode(text)
}

/** As much of a `Response` as the client looks at. */
function answerOf(status: number, body: string | null, reader?: object): Response {
  return {
    ok: status < 300,
    status,
    headers: new Headers({ 'content-type': reader ? 'text/event-stream' : 'application/json' }),
    json: () => Promise.resolve(JSON.parse(body ?? 'null') as unknown),
    body: { getReader: () => reader },
  } as unknown as Response
}

/** The body of a poll. */
function once(text: string): object {
  const chunks = [utf8.encode(text)]
  const read = async (): Promise<object> => ({ done: chunks.length === 0, value: chunks.pop() })
  return { read, cancel: () => Promise.resolve() }
}

function readFrom(
  reader: FrameReader,
  breaks: (fail: (error: unknown) => void) => void,
  end: () => void,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  return new Promise((resolve, reject) => {
    breaks(reject)
    void reader.next().then((frames) => {
      if (frames !== null) return resolve({ done: false, value: utf8.encode(frames) })
      end()
      resolve({ done: true, value: undefined })
    })
  })
}

/** What is sent is what is shown, in the very moment in which it is sent. */
function checkSent(session: ChatSession, sent: readonly unknown[], wrong: string[]): void {
  const shown = JSON.stringify(session.getSnapshot().messages.flatMap(turnOf))
  if (JSON.stringify(sent) !== shown) wrong.push(`sent ${JSON.stringify(sent)}, shown ${shown}`)
}

function turnOf({ role, content, state, toolCalls: calls, thinking }: ChatMessage): object[] {
  if (role === 'assistant' && content === '' && !calls) return []
  const isCut = state === 'interrupted'
  return [{ role, content, ...(isCut && { interrupted: true }), ...(calls && { tool_calls: calls, thinking }) }]
}
