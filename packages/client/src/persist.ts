import { isId } from '@midstream/core'
import type { KeptChat } from './chat-state.ts'
import type { ChatMessage, SessionExtension } from './types.ts'

/** What of `localStorage` is needed; the methods may be asynchronous. @public */
export interface ChatStorage {
  getItem(key: string): string | null | Promise<string | null>
  setItem(key: string, value: string): unknown
  removeItem(key: string): unknown
}

/** @public */
export interface PersistOptions {
  /** The keys in the storage begin with it. @defaultValue 'midstream' */
  readonly prefix?: string | undefined
  /** Longest time that text which grows waits to be written, ms; everything else is written at once. @defaultValue 500 */
  readonly intervalMs?: number | undefined
}

/**
 * Keeps a conversation over a reload: its session, its messages, and the run that is going on, which is joined again
 * from its start. What a person says meanwhile wins over what is still being read. A storage that is full or fails costs
 * the keeping, and nothing else. Each write is of the whole conversation: while text grows there is one in `intervalMs`,
 * and one when the page is hidden or left.
 *
 * Whoever can read the storage can read the conversation; `clear()` wipes it.
 * @param storage - E.g. `globalThis.localStorage`; without one, as on a server, nothing is kept.
 * @throws {RangeError} When `intervalMs` is negative or no number.
 * @public
 */
export function persist(storage: ChatStorage | undefined, options: PersistOptions = {}): SessionExtension {
  const { prefix = 'midstream', intervalMs = 500 } = options
  if (!(intervalMs >= 0)) throw new RangeError(`intervalMs: ${intervalMs}`)
  return ({ name, session, clock, kept, restore }) => {
    if (!storage) return
    const key = name ? `${prefix}:${name}` : prefix
    let written = kept()
    let writing = false
    /** Set when one more write was wanted meanwhile. */
    let isDue = false
    /** Set while text waits to be written. */
    let disarm: (() => void) | undefined

    /** One write at a time, always of the newest state. */
    const write = async (): Promise<void> => {
      disarm?.()
      disarm = undefined
      isDue = writing
      if (writing) return
      writing = true
      written = kept()
      try {
        await (written.messages.length ? storage.setItem(key, JSON.stringify(written)) : storage.removeItem(key))
      } catch {
        // A storage that fails is no error for the person.
      }
      writing = false
      // Not after another interval: a page that was left may be frozen by then.
      if (isDue) void write()
      else look()
    }
    const look = (): void => {
      const { messages, run } = kept()
      if (messages === written.messages) return
      if (run && run.runId === written.run?.runId) disarm ??= clock.after(intervalMs, leave)
      else void write()
    }
    const leave = (): unknown => disarm && write()
    const read = async (): Promise<void> => {
      let chat: KeptChat | undefined
      try {
        const stored = JSON.parse((await storage.getItem(key)) ?? '') as KeptChat
        if (isKept(stored)) chat = stored
      } catch {
        // What stands in a storage may be anything, not even JSON.
      }
      if (chat && !kept().messages.length) restore(chat)
      session.subscribe(look)
      // Phones end a hidden page without a word. When it comes back, one write more does no harm.
      for (const type of ['pagehide', 'visibilitychange']) globalThis.addEventListener?.(type, leave)
      look()
    }
    void read()
  }
}

/** @throws {TypeError} When it is of another shape altogether. */
function isKept({ sessionId, version, run, messages }: KeptChat): boolean {
  // What streams is the last message, which the run grows.
  const growing = run === null ? undefined : messages.at(-1)
  return (
    isId('sess', sessionId) &&
    typeof version === 'number' &&
    messages.length > 0 &&
    messages.every((message) => isMessage(message) && (message.state === 'streaming') === (message === growing)) &&
    (run === null || (isId('run', run.runId) && isMessage(run.before)))
  )
}

function isMessage({ id, role, content, state }: ChatMessage): boolean {
  return [id, content, state].every((text) => typeof text === 'string') && (role === 'user' || role === 'assistant')
}
