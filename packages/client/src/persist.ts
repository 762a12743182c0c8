import { ChatError } from '@midstream/core'
import type { KeptChat } from './state/kept-chat.ts'
import { copiesOf } from './copies.ts'
import type { SessionExtension } from './extension.ts'
import { openStorage, type ChatStorage, type StorageSource } from './storage/open-storage.ts'
import { emptied } from './storage/parts.ts'
import { isThenable, withPatience, type Answered } from './storage/patience.ts'
import { createWriter } from './storage/writer.ts'
import { parseChat, type ValidChat } from './valid-chat.ts'

export type { ChatStorage }

/** @public */
export interface PersistOptions {
  /**
   * The keys in the storage begin with it; then comes the conversation's name. The gateway's URL may change: two gateways of one
   * origin need two prefixes, or they share their conversations.
   * @defaultValue 'midstream'
   */
  readonly prefix?: string | undefined
  /** Longest time that text which grows waits to be written, ms; everything else is written at once. @defaultValue 500 */
  readonly intervalMs?: number | undefined
}

/** What sessions that are over still write: the next one reads it. */
const leaving = new WeakMap<ChatStorage, Promise<unknown>>()

/**
 * Keeps a conversation over a reload: its session, its messages, and the run that is going on, which is joined again
 * from its start, or asked for again when the page was left before its request arrived. What a person says while it is still being
 * read comes after it. Each write is of the whole conversation: while text grows there is one in `intervalMs`,
 * and one when the page is hidden or left. Where the storage answers at once, what another page has written meanwhile is read
 * first: what was said in both stays in both. One that answers by promises is read once, when the conversation begins: where a person
 * may have several pages open, use `tabs` besides.
 *
 * A storage that is full keeps the newest turns, and all of them again when there is room; one that fails keeps nothing, not
 * even an older copy; one that does not answer for 10 s is asked again with the next change. Either is told once (`storage_failed`), and costs nothing else.
 *
 * Anybody who can read the storage can read the conversation; `clear()` wipes it.
 * @param storage - `'local'` and `'session'` are the page's `localStorage` and `sessionStorage`. Another one, or a function that
 * returns it, may throw. Where the browser forbids even to look at it, or there is none, as on a server, nothing is kept, and that
 * is told.
 * @throws {RangeError} When `intervalMs` is negative or no number.
 * @public
 */
export function persist(storage: StorageSource, options: PersistOptions = {}): SessionExtension {
  const { prefix = 'midstream', intervalMs = 500 } = options
  if (!(intervalMs >= 0)) throw new RangeError(`intervalMs must be 0 or more, got ${intervalMs}`)
  return (handle) => {
    const { clock, kept, observe, report, stored } = handle
    const failed = (message: string, cause?: unknown): void => {
      stored(false)
      report(new ChatError('storage_failed', message, { cause }))
    }
    const store = openStorage(storage, failed)
    if (!store) return undefined
    const copies = copiesOf(handle)
    const key = handle.name ? `${prefix}:${handle.name}` : prefix
    /** The conversation as it was shown at the last write. */
    let shown = kept()
    /** The text that the storage was last known to hold. */
    let text: string | null = null
    let isRead = false
    /** Set when the conversation was cleared before the storage was read. */
    let isCleared = false
    /** Set when the storage answers by promises. */
    let isSlow = false
    let writing = false
    /** Set when one more write was wanted meanwhile. */
    let isDue = false
    /** Set while text waits to be written. */
    let disarm: (() => void) | undefined
    /** The last message when another page wiped the storage: until something new is said, nothing is written. */
    let wipedAt: string | undefined
    let stopWaiting: (() => void) | undefined
    /** Once it is over: the conversation as it was then, and who waits for the writes that are left. */
    let left: KeptChat | undefined
    let ended: (() => void) | undefined

    const parse = (json: string): ValidChat | undefined => {
      let parsed: ValidChat | undefined
      try {
        parsed = parseChat(JSON.parse(json), kept().sessionId)
      } catch {
        // A storage may hold anything, not even JSON.
      }
      return parsed
    }
    /** Looks at what another page has written, before something is done here. */
    const refresh = (): KeptChat => {
      try {
        const now = isSlow ? text : store.getItem(key)
        const found = typeof now === 'string' && now !== text && parse(now)
        if (found) {
          text = now
          copies.hear(found.chat)
        }
      } catch {
        // The write says so.
      }
      return copies.whole()
    }
    const isWanted = (): boolean => wipedAt === undefined || wipedAt !== kept().messages.at(-1)?.id
    /** Another page may have written, or wiped, in between. @returns Whether to write. */
    const meetStored = (now: string | null): boolean => {
      const before = text
      text = now
      if (now === before) return isWanted()
      if (now !== null) {
        const found = parse(now)
        if (found) copies.meet(found.chat)
      } else wipedAt = shown.messages.at(-1)?.id
      return isWanted()
    }

    /** One write at a time, always of the newest state. Synchronous, where the storage is. */
    const write = (): void => {
      disarm?.()
      disarm = undefined
      isDue = writing
      if (writing) return
      writing = true
      const done = (): void => {
        writing = false
        // Not after another interval: a page that was left may be frozen by then.
        if (isDue) return write()
        ended?.()
        look()
      }
      let writes = true
      try {
        // One that answers later could not be asked by a page that is left.
        if (!isSlow) writes = meetStored(store.getItem(key) as string | null)
      } catch {
        // This page is newer than a text that stands there unread: an older copy must not come back. The write says whether it can be kept.
      }
      shown = kept()
      if (writes) writer.write(left ?? copies.whole(), done)
      else done()
    }
    const wait = <Value>(ask: () => Value | PromiseLike<Value>, answered: Answered<Value>): void => {
      stopWaiting = withPatience(clock, ask, answered) ?? stopWaiting
    }
    const noAnswer = (): void => failed('The storage does not answer: the conversation is not kept')
    const writer = createWriter({
      store,
      key,
      handle,
      failed,
      noAnswer,
      wait,
      holds: (now) => void (text = now),
      // Another session may have written by now.
      again: () => left ?? write(),
      isWriting: () => writing,
    })
    const look = (): void => {
      const { messages, runs, version } = kept()
      isCleared ||= version > 0 && messages.length === 0
      if (!isRead || messages === shown.messages) return
      const isGrowing = runs[0] && runs[0].runId === shown.runs[0]?.runId && messages.length === shown.messages.length
      if (isGrowing) disarm ??= clock.after(intervalMs, leave)
      else {
        // There may be room again; text that grows does not look for it each time.
        writer.retryWhole()
        write()
      }
    }
    const leave = (): void => {
      if (disarm) write()
    }
    const read = (now: string | null): void => {
      text = now
      const found = now === null ? undefined : parse(now)
      const isFree = kept().messages.length === 0 && !isCleared
      if (now && (!found || found.dropped > 0)) {
        const what = found
          ? `Parts of the stored conversation made no sense (${found.dropped}): what could not be kept was left out`
          : 'The stored conversation made no sense, and was left out'
        // Nobody misses a part in a page that shows nothing.
        report(new ChatError('stored_invalid', what), found !== undefined)
      }
      if (found) {
        copies.meet(isCleared ? emptied(found.chat) : found.chat)
        if (isFree) {
          shown = kept()
          stored(found.dropped === 0)
        }
      }
      isRead = true
      // A conversation that was cleared before it was read is wiped, though nothing has changed since.
      if (isCleared) write()
      else look()
    }
    observe(look)
    handle.before(refresh)
    const unread = (say: () => void): void => {
      isRead = true
      say()
      look()
    }
    wait(
      () => {
        const before = leaving.get(store)
        const answer = before ? before.then(() => store.getItem(key)) : store.getItem(key)
        isSlow = isThenable(answer)
        return Promise.resolve(answer)
      },
      {
        got: read,
        fail: (cause) => unread(() => failed('The storage cannot be read: the conversation is not kept', cause)),
        slow: () => unread(noAnswer),
        late: read,
      },
    )
    // Phones end a hidden page without a word. When it comes back, one write more does no harm.
    const types = ['pagehide', 'visibilitychange']
    for (const type of types) globalThis.addEventListener?.(type, leave)
    return () => {
      leave()
      isRead = false
      left = copies.whole()
      if (writing)
        leaving.set(store, Promise.all([leaving.get(store), new Promise<void>((resolve) => (ended = resolve))]))
      else stopWaiting?.()
      for (const type of types) globalThis.removeEventListener?.(type, leave)
    }
  }
}
