import { placeOf } from './connection/address.ts'
import type { KeptChat } from './state/kept-chat.ts'
import { copiesOf } from './copies.ts'
import type { SessionExtension } from './extension.ts'
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
  /** Who knows of another version than this one? */
  { readonly type: 'ask'; readonly version: number } | { readonly type: 'tell'; readonly chat: KeptChat }

/**
 * Shows a conversation in every tab of this origin: a run that one starts, the others read, too; an interrupt reaches
 * them through the run itself; `clear()` clears them all. What is said in several tabs at once is merged into one conversation, the
 * same in all of them. A tab that becomes visible asks whether it missed anything.
 * @param open - Opens a channel to the other tabs; where none can be opened, there is nothing to do. Default: a
 * `BroadcastChannel` named after the gateway's URL and the conversation's name.
 * @public
 */
export function tabs(open?: (name: string) => TabsChannel): SessionExtension {
  return (handle) => {
    const { name, session, options, kept, observe } = handle
    const channel = openChannel(`midstream ${placeOf(options.url)}${name && ` ${name}`}`, open)
    if (!channel) return undefined
    const copies = copiesOf(handle)
    let isOpen = true
    /** The highest version that the other tabs know, or are about to. */
    let known = 0
    /** Whether there is something to tell, once the gateway has answered this tab. */
    let owes = false

    const say = async (word: Word): Promise<void> => {
      try {
        // One of the app's own may reject.
        if (isOpen) await (channel.postMessage(word) as unknown)
      } catch {
        // A channel that fails tells nobody anything, and the chat goes on.
      }
    }
    const ask = (): void => void say({ type: 'ask', version: kept().version })
    const look = (): void => {
      const { version, runs } = kept()
      if (version > known) {
        known = version
        // What was stored, all may know.
        if (version > copies.highest) owes = true
        else ask()
      }
      // A run that the gateway does not know yet cannot be read, and an interrupt may cut further.
      if (!owes || runs.some((run) => !run.isOpen) || session.getSnapshot().status === 'interrupting') return
      owes = false
      void say({ type: 'tell', chat: copies.whole() })
    }
    const listen = ({ data }: { readonly data: unknown }): void => {
      const word = parseWord(data)
      if (!word) return
      if (word.type === 'tell') {
        known = Math.max(known, word.chat.version)
        return copies.meet(word.chat)
      }
      const { version } = kept()
      if (word.version > version) ask()
      owes ||= word.version < version
      look()
    }
    // One that cannot be listened to throws before anything depends on it.
    channel.addEventListener('message', listen)
    observe(look)
    handle.before(copies.whole)
    ask()
    const unwatch = onVisible(ask)
    return () => {
      isOpen = false
      unwatch()
      try {
        channel.removeEventListener?.('message', listen)
      } finally {
        channel.close?.()
      }
    }
  }
}

/** Another page of this origin may say anything. */
function parseWord(data: unknown): Word | undefined {
  const { type, chat, version } = (data ?? {}) as { readonly [Key in 'type' | 'chat' | 'version']?: unknown }
  if (type === 'ask') return { type, version: Number.isSafeInteger(version) ? (version as number) : 0 }
  if (type !== 'tell') return undefined
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

/** @returns Stops looking. */
function onVisible(look: () => void): () => void {
  if (typeof document === 'undefined') return () => undefined
  const change = (): void => {
    if (!document.hidden) look()
  }
  document.addEventListener('visibilitychange', change)
  return () => document.removeEventListener('visibilitychange', change)
}
