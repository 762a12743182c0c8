import { ChatError, createId, systemClock, systemRandom } from '@midstream/core'
import type { ChatSession } from '../chat-session.ts'
import { tellUntilAnswered } from '../connection/tell-interrupt.ts'
import { disposeKey } from '../dispose.ts'
import type { ChatMessage } from '../message.ts'
import type { ChatClientOptions } from '../options.ts'
import { emptySnapshot } from '../snapshot.ts'
import { emptyChat } from '../state/chat-state.ts'
import { isLost } from '../state/reply.ts'
import { maxVersion } from '../valid-chat.ts'
import { createExtensions } from './extensions.ts'
import type { HostedSession, SessionHost } from './hosted.ts'
import { createInterrupts } from './interrupts.ts'
import { createNotices } from './notices.ts'
import { createQueue, maxQueue } from './queue.ts'
import { createReplies } from './replies.ts'
import { guarded, nextPaint } from './schedule.ts'
import type { Shared } from './shared.ts'
import { createStore } from './store.ts'

/** How often a reply goes on by itself without a word more: gateways die twice in a row, not six times. */
const maxTries = 6

/** So many versions are in a millisecond; one step is not as wide. */
const widest = 1_024

/** What a session that is over says. */
const closed = {
  code: 'closed',
  message: 'The session is closed. Ask an open client for another one: client.session(name)',
  retryable: false,
} as const

const warn = (error: ChatError): void => console.warn(`midstream: ${error.message}`)

/** Creates the store of one conversation: what a person can do with it, each in one synchronous step. */
export function createSession(options: ChatClientOptions, name: string, host: SessionHost): HostedSession {
  const {
    clock = systemClock,
    random = systemRandom,
    whenBusy = 'interrupt',
    autoContinue = true,
    onError = warn,
  } = options
  const maxMs = options.reconnect?.maxMs ?? 120_000
  if (!(maxMs >= 0)) throw new RangeError(`reconnect.maxMs: ${maxMs}`)
  const newId: Shared['newId'] = (kind) => createId(kind, random)
  const store = createStore(
    { ...emptyChat, sessionId: newId('sess') },
    options.schedule ? guarded(options.schedule, clock) : nextPaint,
  )
  const { listeners, step, publish } = store
  const closing = new AbortController()
  /** Replies and interrupts under way. */
  let busy = 0
  /** The reply that last went on by itself, how long it was, and how often it did so since without progress. */
  let wentOn = { id: '', length: -1, tries: 0 }

  const lookAtRest = (): void => {
    const { run, snapshot } = store.state
    const isAtRest =
      listeners.size === 0 && busy === 0 && !run && snapshot.queue.length === 0 && !interrupts.unconfirmed
    if (!closing.signal.aborted) host.rest(session, isAtRest)
  }
  const during: Shared['during'] = async (work) => {
    busy += 1
    lookAtRest()
    try {
      return await work
    } finally {
      busy -= 1
      lookAtRest()
    }
  }
  const anyWidth = (): number => {
    const [high = 0, low = 0] = random(new Uint8Array(2))
    return 1 + ((high * 256 + low) % (widest - 1))
  }
  const versionNow: Shared['versionNow'] = () => {
    const { highest } = store.state
    const now = Math.floor(clock.now()) * widest
    // A clock that is far ahead would leave no room for anything later.
    return (now > highest && now < maxVersion / 2 ? now : highest) + anyWidth()
  }
  const { limits } = host
  const { signal } = closing
  const shared = {
    options,
    store,
    limits,
    clock,
    random,
    maxMs,
    closing: signal,
    newId,
    versionNow,
    during,
    lookAtRest,
  }
  const queue = createQueue(store)
  const interrupts = createInterrupts(shared, () => replies.stop())
  const replies = createReplies(shared, interrupts, (ended) => next(ended))
  const { start } = replies
  /** Whatever a person does comes after all that can be known of the other copies. */
  const cutIn = (): ReturnType<typeof interrupts.cutIn> => {
    extensions.meet()
    return interrupts.cutIn()
  }

  const said = (text: string): ChatMessage => {
    if (text.trim() === '') throw new TypeError('The text is blank')
    return { id: newId('msg'), role: 'user', content: text, state: 'done' }
  }
  const say = (text: string): Promise<ChatMessage> => {
    const message = said(text)
    return start({ ends: cutIn(), messages: [...store.state.snapshot.messages, message] })
  }
  const goOn = (busy?: 'reject', tries?: number): Promise<ChatMessage> => {
    const ends = cutIn()
    const { messages } = store.state.snapshot
    return start({ ends, messages: messages.slice(0, -1), partial: messages.at(-1), busy, tries })
  }
  /** What follows by itself when a reply has ended. */
  const next = (ended: ChatMessage): ChatMessage | Promise<ChatMessage> => {
    const { messages, queue: waiting } = store.state.snapshot
    const { id, content } = ended
    if (autoContinue && ended === messages.at(-1) && isLost(ended)) {
      const isFurther = id !== wentOn.id || content.length > wentOn.length
      wentOn = { id, length: content.length, tries: isFurther ? 0 : wentOn.tries + 1 }
      // Another tab may go on with it, too: who comes first does.
      if (wentOn.tries < maxTries) return goOn('reject', wentOn.tries)
    }
    const [first] = waiting
    if (first) queue.leave(first.id, () => say(first.content))
    return ended
  }

  /** Brings back what was let go. */
  const use = (): void => {
    extensions.attach()
    lookAtRest()
  }
  const mustBeOpen = (): void => {
    if (closing.signal.aborted) throw new TypeError(closed.message)
    use()
  }

  const session: ChatSession = {
    subscribe(listener) {
      // Two subscriptions of one function are two.
      const own = (): void => listener()
      if (!closing.signal.aborted) listeners.add(own)
      use()
      return () => {
        listeners.delete(own)
        lookAtRest()
      }
    },
    getSnapshot: () => store.shown.snapshot,
    getServerSnapshot: () => emptySnapshot,

    send(text) {
      mustBeOpen()
      const { run, snapshot } = store.state
      const waiting = snapshot.queue.length
      // What waits already comes first, also in the moment between two runs.
      if ((!run && waiting === 0) || whenBusy === 'interrupt') return say(text)
      if (whenBusy === 'reject' || waiting >= maxQueue) {
        throw new ChatError('session_busy', 'A reply is streaming', { retryable: true })
      }
      return queue.add(said(text))
    },
    takeBack: (id) => queue.leave(id),

    async interrupt() {
      use()
      extensions.meet()
      return interrupts.interrupt()
    },

    async clear() {
      const { sessionId, snapshot, run } = store.state
      use()
      const known = extensions.meet()
      replies.stop()
      queue.empty()
      step({ type: 'clear', sessionId: newId('sess'), version: versionNow(), known })
      if (snapshot.messages.length === 0) return publish()
      // Here it is gone already. A gateway that is not reached is told on meanwhile, and forgets it by age.
      const forgotten = new Promise<unknown>((resolve) => {
        void tellUntilAnswered(shared, `/sessions/${sessionId}`, { method: 'DELETE' }, () => resolve(0)).then(resolve)
      })
      // Not every layer lets a DELETE through.
      if (run) void interrupts.tell({ run_id: run.runId, position: undefined })
      publish()
      await forgotten
    },

    continue() {
      mustBeOpen()
      const { run, snapshot } = store.state
      const last = snapshot.messages.at(-1)
      if (run || last?.role !== 'assistant' || last.toolCalls) throw new TypeError('No reply to continue')
      return goOn()
    },

    edit(messageId, text) {
      mustBeOpen()
      const message = said(text)
      const { messages } = store.state.snapshot
      const before = messages.findIndex(({ id, role }) => id === messageId && role === 'user')
      if (before < 0) throw new TypeError('No such message')
      return start({ ends: cutIn(), messages: [...messages.slice(0, before), message] })
    },

    regenerate() {
      mustBeOpen()
      const { messages } = store.state.snapshot
      const asked = messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1)
      if (asked.length === 0) throw new TypeError('No message yet')
      return start({ ends: cutIn(), messages: asked })
    },

    close() {
      if (closing.signal.aborted) return
      queue.empty()
      extensions.letGo()
      closing.abort()
      replies.stop()
      step({ type: 'close', error: closed })
      host.closed(session)
      // Who shows it hears of that, and of nothing more.
      publish()
      listeners.clear()
    },
    [disposeKey]: () => session.close(),
  }
  const extensions = createExtensions(shared, { name, session, ...createNotices(store, onError) }, queue, replies)
  if (host.isClosed) session.close()
  else use()
  return { session, ...extensions }
}
