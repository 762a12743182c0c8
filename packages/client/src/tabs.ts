import type { KeptChat } from './state/kept-chat.ts'
import { requestJson } from './connection/request.ts'
import { copiesOf } from './copies.ts'
import { isNewer } from './merge-chats.ts'
import type { SessionExtension, SessionHandle } from './extension.ts'
import { parseChat } from './valid-chat.ts'

/** What of `BroadcastChannel` is needed. @public */
export interface TabsChannel {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  removeEventListener?(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  /** Called when the conversation is let go. */
  close?(): void
}

/** What tabs tell each other. */
type Word =
  /** Who has something to show? */
  { readonly type: 'ask' } | TellingWord

/** `news` is what a person just did; an `answer` may be old. */
interface TellingWord {
  readonly type: 'answer' | 'news'
  readonly chat: KeptChat
}

/**
 * Shows a conversation in every tab of this origin: a run that one starts, the others read, too; an interrupt reaches
 * them through the run itself; `clear()` clears them all. A tab that becomes visible asks whether it missed a run.
 * @param open - Opens a channel to the other tabs; where none can be opened, there is nothing to do. Default: a
 * `BroadcastChannel` named after the gateway's URL.
 * @public
 */
export function tabs(open?: (name: string) => TabsChannel): SessionExtension {
  return (handle) => {
    const { name, session, options, kept, observe, see } = handle
    const channel = openChannel(`midstream ${options.url} ${name}`, open)
    if (!channel) return undefined
    const copies = copiesOf(handle)
    let isOpen = true
    const tell = (word: Word): void => {
      try {
        if (isOpen) channel.postMessage(word)
      } catch {
        // A channel that fails tells nobody anything, and the chat goes on.
      }
    }
    let known = kept()
    /** What this tab has to tell once the gateway has answered it. */
    let owes: 'answer' | 'news' | undefined
    /** What another tab has told is not told on. */
    let isTaking = false
    /** How many of the merges here the other tabs have heard of, or will. */
    let told = copies.merged
    /** Whether every tab that is there has been told of what is here. */
    let isTold = false

    const look = (): void => {
      const before = known
      known = kept()
      if (isTaking) return
      const { status } = session.getSnapshot()
      const isCleared = known.messages.length === 0 && before.messages.length > 0
      const isMerged = told !== copies.merged
      if (isMerged || isCleared || isPending(known) || status === 'interrupting') owes = 'news'
      told = copies.merged
      // A run that the gateway does not know yet cannot be read, and an interrupt may cut further.
      if (!owes || isPending(known) || status === 'interrupting') return
      tell({ type: owes, chat: known })
      isTold ||= owes === 'news'
      owes = undefined
    }
    const answer = (): void => {
      owes ??= 'answer'
      look()
    }
    const hear = (word: TellingWord): void => {
      const { type, chat } = word
      const mine = kept()
      const isSame = chat.sessionId === mine.sessionId
      const isEmpty = chat.messages.length === 0
      // An answer may be of a conversation that was left long ago; so may what is here, when nobody was told of it.
      const isMeant = type === 'news' || isSame || mine.messages.length === 0
      const isNews = isMeant && (isNewer(chat, mine) || !(isSame || isTold))
      if (isNews && isEmpty) {
        take(() => copies.take(chat))
      } else if (isMeant) {
        // What was said here and there at once stays: who has nothing more to read merges it, and tells of it.
        const met = take(() => copies.meet(chat, isNews))
        if (met === 'same' && isSame && chat.version < mine.version) answer()
        look()
      }
      see(chat.version)
    }
    /** What another tab has told is not told on. */
    const take = <Value>(act: () => Value): Value => {
      const { version } = kept()
      isTaking = true
      const value = act()
      isTaking = false
      if (kept().version !== version) {
        owes = undefined
        isTold = true
      }
      return value
    }

    observe(look)
    const listen = ({ data }: { readonly data: unknown }): void => {
      const word = parseWord(data)
      if (!word) return
      if (word.type !== 'ask') return hear(word)
      isTold = false
      if (kept().version > 0) answer()
    }
    channel.addEventListener('message', listen)
    tell({ type: 'ask' })
    const unwatch = onVisible(async () => {
      if (await hasOtherRun(handle)) tell({ type: 'ask' })
    })
    return () => {
      isOpen = false
      unwatch()
      channel.removeEventListener?.('message', listen)
      channel.close?.()
    }
  }
}

/** Another page of this origin may say anything. */
function parseWord(data: unknown): Word | undefined {
  const { type, chat } = (data ?? {}) as { readonly type?: unknown; readonly chat?: unknown }
  if (type === 'ask') return { type }
  if (type !== 'answer' && type !== 'news') return undefined
  const parsed = parseChat(chat)
  // What is not whole is not taken from another tab: it is not that tab's either.
  return parsed && parsed.dropped === 0 ? { type, chat: parsed.chat } : undefined
}

function openChannel(name: string, open: ((name: string) => TabsChannel) | undefined): TabsChannel | undefined {
  try {
    if (open) return open(name)
    if (typeof BroadcastChannel === 'undefined') return undefined
    const channel = new BroadcastChannel(name)
    // On Node it would keep the process alive.
    ;(channel as { unref?: () => void }).unref?.()
    return channel
  } catch {
    // A page without an origin of its own has no other tabs.
    return undefined
  }
}

/** Whether a request is on its way that the gateway has not answered. */
const isPending = ({ run }: KeptChat): boolean => run !== null && !run.isOpen

/** Whether a run of this session goes on that is not read here. */
async function hasOtherRun({ options, kept }: SessionHandle): Promise<boolean> {
  const { sessionId, run } = kept()
  // A gateway that cannot be asked, or that has forgotten the session, has nothing to tell.
  const answer = await requestJson<{ active_run?: string | null }>(options, `/sessions/${sessionId}`).catch(
    () => undefined,
  )
  const active = answer?.active_run ?? null
  return active !== null && active !== run?.runId
}

/** @returns Stops looking. */
function onVisible(look: () => Promise<void>): () => void {
  if (typeof document === 'undefined') return () => undefined
  const change = (): void => {
    if (!document.hidden) look().catch(() => undefined)
  }
  document.addEventListener('visibilitychange', change)
  return () => document.removeEventListener('visibilitychange', change)
}
