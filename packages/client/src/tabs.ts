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
  { readonly type: 'ask' } | TellingWord

/** `news` is what a person just did; an `answer` may be old. */
interface TellingWord {
  readonly type: 'answer' | 'news'
  readonly chat: KeptChat
}

/**
 * Shows a conversation in every tab of this origin: a run that one starts, the others read, too; an interrupt reaches
 * them through the run itself; `clear()` clears them all. A tab that becomes visible asks whether it missed a run.
 * @param open - Default: a `BroadcastChannel` named after the gateway's URL; without one, there is nothing to do.
 * @public
 */
export function tabs(open?: (name: string) => TabsChannel): SessionExtension {
  return (handle) => {
    const { name, session, options, kept, restore, see } = handle
    if (!open && typeof BroadcastChannel === 'undefined') return
    const channelName = `midstream ${options.url} ${name}`
    const channel = open?.(channelName) ?? new BroadcastChannel(channelName)
    const tell = (word: Word): void => channel.postMessage(word)
    let known = kept()
    /** What this tab has to tell once the gateway has answered it. */
    let owes: 'answer' | 'news' | undefined
    /** What came while a request of this tab was on its way. */
    let missed: TellingWord | undefined
    /** A run that goes on and is not read here. */
    let wanted: string | undefined
    /** What another tab has told is not told on. */
    let isTaking = false

    const look = (): void => {
      const before = known
      known = kept()
      if (isTaking) return
      if (missed && !isPending(known)) hear(missed)
      const { status } = session.getSnapshot()
      const isCleared = known.messages.length === 0 && before.messages.length > 0
      if (isCleared || isPending(known) || status === 'interrupting') owes = 'news'
      // A run that the gateway does not know yet cannot be read, and an interrupt may cut further.
      if (!owes || isPending(known) || status === 'interrupting') return
      tell({ type: owes, chat: known })
      owes = undefined
    }
    const answer = (): void => {
      owes ??= 'answer'
      look()
    }
    const hear = (word: TellingWord): void => {
      const { type, chat } = word
      const mine = kept()
      // An answer may be of a conversation that was left long ago.
      const isMeant = type === 'news' || chat.sessionId === mine.sessionId || mine.messages.length === 0
      const isWanted = wanted !== undefined && chat.run?.runId === wanted
      missed = undefined
      if (isWanted || (isMeant && isNewer(chat, mine))) {
        owes = undefined
        isTaking = true
        restore(chat)
        isTaking = false
      } else if (isPending(mine)) missed = word
      else if (chat.sessionId === mine.sessionId && chat.version < mine.version) answer()
      else see(chat.version)
    }

    session.subscribe(look)
    channel.addEventListener('message', ({ data }) => {
      const word = data as Word
      if (word.type !== 'ask') return hear(word)
      if (kept().version > 0) answer()
    })
    tell({ type: 'ask' })
    onVisible(async () => {
      wanted = await otherRun(handle)
      if (wanted !== undefined) tell({ type: 'ask' })
    })
  }
}

/** Whether a request is on its way that the gateway has not answered. */
const isPending = ({ run }: KeptChat): boolean => run !== null && !run.isOpen

/** One order in every tab: of what happened at once, a cleared conversation wins, then the higher session id. */
function isNewer(chat: KeptChat, mine: KeptChat): boolean {
  const version = mine.version + (isPending(mine) ? 1 : 0)
  if (chat.version !== version || chat.sessionId === mine.sessionId) return chat.version > version
  const isEmpty = chat.messages.length === 0
  return isEmpty === (mine.messages.length === 0) ? chat.sessionId > mine.sessionId : isEmpty
}

/** The run of this session that goes on and is not read here. */
async function otherRun({ options, kept }: SessionHandle): Promise<string | undefined> {
  const { sessionId, run } = kept()
  // A gateway that cannot be asked, or that has forgotten the session, has nothing to tell.
  const answer = await request(options, `/sessions/${sessionId}`).catch(() => undefined)
  const { active_run: active = null } = ((await answer?.json()) ?? {}) as { active_run?: string | null }
  return active === null || active === run?.runId ? undefined : active
}

function onVisible(look: () => Promise<void>): void {
  if (typeof document === 'undefined') return
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void look()
  })
}
