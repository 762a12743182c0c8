import { createChatClient, type ChatSession, type SessionHandle } from '@midstream/client'
import { createId, systemClock, systemRandom, type Clock } from '@midstream/core'
import type { Gateway } from '@midstream/core/gateway'
import { LRUCache } from 'lru-cache'
import { fixedAnswer, followReply, type Answer } from './answer.ts'
import { readCommand, type Words } from './words.ts'

/** How conversations are held. */
export interface ChatsOptions {
  readonly gateway: Gateway
  readonly words: Words
  /** Most conversations remembered; the one least recently used is forgotten for a new one. @defaultValue 500 */
  readonly maxChats?: number | undefined
  /** A question after so long a silence starts a new conversation, ms. @defaultValue 7200000 */
  readonly idleMs?: number | undefined
  /** Most of a conversation that is told to the model, UTF-16 units; the oldest turns go first. @defaultValue 60000 */
  readonly maxChars?: number | undefined
  readonly clock?: Clock | undefined
}

/** The conversations of all groups and persons. */
export interface Chats {
  /**
   * Says something in a conversation. While an answer runs there, it is ended where it is shown, and the model is told.
   * A few words are for the robot itself: stop, continue, start anew.
   */
  ask(chatId: string, text: string): Answer
  /** How many are remembered. */
  readonly size: number
}

interface Chat {
  readonly session: ChatSession
  readonly handle: SessionHandle
}

/** Most messages of a conversation: the gateway refuses 1 000. */
const maxMessages = 200

/** Creates the conversations, each a session of the SDK with the gateway in this process. */
export function createChats(options: ChatsOptions): Chats {
  const { gateway, words, maxChats = 500, idleMs = 7_200_000, maxChars = 60_000, clock = systemClock } = options
  const chats = new LRUCache<string, Chat>({
    max: maxChats,
    ttl: idleMs,
    ttlResolution: 0,
    updateAgeOnGet: true,
    perf: { now: () => clock.now() },
    dispose: ({ session }) => void session.clear(),
  })

  const open = (chatId: string): Chat => {
    const found = chats.get(chatId)
    if (found) return found
    let handle: SessionHandle | undefined
    // A client of its own each, as a client keeps its sessions for good.
    const client = createChatClient({
      url: `http://bot.internal${gateway.basePath}`,
      fetch: (input, init) => gateway(new Request(input, init)),
      autoContinue: false,
      reconnect: { maxMs: 0 },
      extensions: [(made) => void (handle = made)],
      clock,
    })
    const chat = { session: client.session(), handle: handle! }
    chats.set(chatId, chat)
    return chat
  }

  const trim = ({ session, handle }: Chat): void => {
    const { messages } = handle.kept()
    let kept = messages
    const chars = (): number => kept.reduce((sum, { content }) => sum + content.length, 0)
    while (kept.length > 0 && (kept.length > maxMessages || chars() > maxChars)) {
      const next = kept.findIndex(({ role }, i) => i > 0 && role === 'user')
      kept = next === -1 ? [] : kept.slice(next)
    }
    if (kept === messages) return
    // A session of the gateway is known by how it starts, so this is another one; the next request names what it ends.
    void session.interrupt()
    const frozen = handle.kept()
    handle.restore({
      ...frozen,
      sessionId: createId('sess', systemRandom),
      messages: frozen.messages.slice(frozen.messages.length - kept.length),
    })
  }

  const follow = (session: ChatSession, begin: () => Promise<unknown>, before?: string): Answer => {
    void begin()
    return followReply(session, words, before)
  }

  return {
    ask(chatId, text) {
      const chat = open(chatId)
      const { session } = chat
      const last = session.getSnapshot().messages.at(-1)
      const isRunning = last?.state === 'streaming'
      const command = readCommand(text)
      if (command === 'stop') {
        if (!isRunning) return fixedAnswer(words.nothingRuns)
        void session.interrupt()
        return fixedAnswer(words.stopsNow)
      }
      if (command === 'clear') {
        void session.clear()
        return fixedAnswer(words.startsAnew)
      }
      const isCut = last?.role === 'assistant' && (last.state !== 'done' || last.reason === 'length')
      if (command === 'continue' && isCut && !last.toolCalls) {
        if (isRunning) return fixedAnswer(words.stillRuns)
        return follow(session, () => session.continue(), last.content)
      }
      trim(chat)
      return follow(session, () => session.send(text))
    },
    get size() {
      return chats.size
    },
  }
}
