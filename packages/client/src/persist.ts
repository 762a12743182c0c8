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
}

/**
 * Keeps a conversation over a reload: its session, its messages, and the run that is going on, which is joined again
 * from its start. What a person says meanwhile wins over what is still being read. A storage that is full or fails costs
 * the keeping, and nothing else.
 *
 * Whoever can read the storage can read the conversation; `clear()` wipes it.
 * @param storage - E.g. `globalThis.localStorage`; without one, as on a server, nothing is kept.
 * @public
 */
export function persist(storage: ChatStorage | undefined, options: PersistOptions = {}): SessionExtension {
  const { prefix = 'midstream' } = options
  return ({ name, session, kept, restore }) => {
    if (!storage) return
    const key = name === '' ? prefix : `${prefix}:${name}`
    let writing = false
    let isStale = false

    /** One write at a time, always of the newest state. */
    const write = async (): Promise<void> => {
      isStale = true
      if (writing) return
      writing = true
      while (isStale) {
        isStale = false
        const chat = kept()
        // A storage that fails is no error for the person.
        await attempt(() =>
          chat.messages.length === 0 ? storage.removeItem(key) : storage.setItem(key, JSON.stringify(chat)),
        )
      }
      writing = false
    }
    const read = async (): Promise<void> => {
      const chat = parse(await attempt(() => storage.getItem(key)))
      if (chat && kept().messages.length === 0) restore(chat)
      session.subscribe(() => void write())
      if (kept().messages.length > 0) await write()
    }
    void read()
  }
}

async function attempt<T>(use: () => T | Promise<T>): Promise<T | null> {
  try {
    return await use()
  } catch {
    return null
  }
}

/** What stands in a storage may be anything. */
function parse(text: string | null): KeptChat | undefined {
  try {
    const chat = JSON.parse(text ?? 'null') as KeptChat | null
    return isKept(chat) ? chat : undefined
  } catch {
    // Not even JSON, or of another shape altogether.
    return undefined
  }
}

function isKept(chat: KeptChat | null): chat is KeptChat {
  if (!chat || !isId('sess', chat.sessionId) || typeof chat.version !== 'number') return false
  const { run, messages } = chat
  if (messages.length === 0 || !messages.every(isMessage)) return false
  // What streams is the last message, which the run grows.
  const streaming = messages.findIndex(({ state }) => state === 'streaming')
  if (run === null) return streaming < 0
  return (
    isId('run', run.runId) &&
    typeof run.isOpen === 'boolean' &&
    isMessage(run.before) &&
    streaming === messages.length - 1
  )
}

function isMessage({ id, role, content, state }: ChatMessage): boolean {
  return [id, content, state].every((text) => typeof text === 'string') && (role === 'user' || role === 'assistant')
}
