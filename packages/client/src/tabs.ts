import type { KeptChat } from './chat-state.ts'
import { request } from './connection.ts'
import type { SessionExtension, SessionHandle } from './types.ts'

/** What of `BroadcastChannel` is needed. @public */
export interface TabsChannel {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

/** What tabs tell each other. */
type Word =
  /** Who has something to show? */
  | { readonly type: 'ask' }
  | { readonly type: 'answer' | 'start'; readonly chat: KeptChat }
  | { readonly type: 'clear'; readonly sessionId: string }

/**
 * Shows a conversation in every tab of this origin: a run that one starts, the others read, too; an interrupt reaches
 * them through the run itself; `clear()` clears them all. A tab that becomes visible asks whether it missed a run.
 * @param open - Default: a `BroadcastChannel` named after the gateway's URL; without one, there is nothing to do.
 * @public
 */
export function tabs(open?: (name: string) => TabsChannel): SessionExtension {
  return (handle) => {
    const { name, session, options, kept, restore, forget } = handle
    if (!open && typeof BroadcastChannel === 'undefined') return
    const channelName = `midstream ${options.url} ${name}`
    const channel = open?.(channelName) ?? new BroadcastChannel(channelName)
    const tell = (word: Word): void => channel.postMessage(word)
    let known = kept()
    /** What another tab has told is not told on. */
    let isTaking = false

    const take = (change: () => void): void => {
      isTaking = true
      change()
      isTaking = false
    }
    session.subscribe(() => {
      const before = known
      known = kept()
      if (isTaking) return
      if (known.messages.length === 0 && before.messages.length > 0)
        tell({ type: 'clear', sessionId: before.sessionId })
      else if (known.run && known.run.runId !== before.run?.runId) tell({ type: 'start', chat: known })
    })
    channel.addEventListener('message', ({ data }) => {
      const word = data as Word
      const mine = kept()
      if (word.type === 'ask' && mine.messages.length > 0) tell({ type: 'answer', chat: mine })
      if (word.type === 'clear' && word.sessionId === mine.sessionId) take(forget)
      if (word.type === 'start') take(() => restore(word.chat))
      // An answer may be older than what is here.
      if (word.type === 'answer' && (mine.messages.length === 0 || (word.chat.run && !mine.run)))
        take(() => restore(word.chat))
    })
    tell({ type: 'ask' })
    onVisible(async () => {
      if (await hasOtherRun(handle)) tell({ type: 'ask' })
    })
  }
}

/** Whether a run of this session goes on that is not read here. */
async function hasOtherRun({ options, kept }: SessionHandle): Promise<boolean> {
  const { sessionId, run } = kept()
  // A gateway that cannot be asked, or that has forgotten the session, has nothing to tell.
  const answer = await request(options, `/sessions/${sessionId}`).catch(() => undefined)
  const { active_run: active = null } = ((await answer?.json()) ?? {}) as { active_run?: string | null }
  return active !== null && active !== run?.runId
}

function onVisible(look: () => Promise<void>): void {
  if (typeof document === 'undefined') return
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void look()
  })
}
