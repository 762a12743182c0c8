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
 * @param open - Opens a channel to the other tabs; where none can be opened, there is nothing to do. Default: a
 * `BroadcastChannel` named after the gateway's URL.
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
    /** What another tab has told is not told on. */
    let isTaking = false
    /** Whether every tab that is there has been told of what is here. */
    let isTold = false

    const look = (): void => {
      const before = known
      known = kept()
      if (isTaking) return
      const { status } = session.getSnapshot()
      const isCleared = known.messages.length === 0 && before.messages.length > 0
      if (isCleared || isPending(known) || status === 'interrupting') owes = 'news'
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
      // What a person just said is dropped for nothing but a conversation that was cleared.
      if (isNews && (isEmpty || !isPending(mine))) {
        owes = undefined
        isTold = isTaking = true
        restore(chat)
        isTaking = false
      } else if (isSame && chat.version < mine.version) return answer()
      see(chat.version)
    }

    session.subscribe(look)
    channel.addEventListener('message', ({ data }) => {
      const word = data as Word
      if (word.type !== 'ask') return hear(word)
      isTold = false
      if (kept().version > 0) answer()
    })
    tell({ type: 'ask' })
    onVisible(async () => {
      if (await hasOtherRun(handle)) tell({ type: 'ask' })
    })
  }
}

/** Whether a request is on its way that the gateway has not answered. */
const isPending = ({ run }: KeptChat): boolean => run !== null && !run.isOpen

/** One order in every tab: of what happened at once, a cleared conversation wins, then the higher session id. */
function isNewer(chat: KeptChat, mine: KeptChat): boolean {
  if (chat.version !== mine.version || chat.sessionId === mine.sessionId) return chat.version > mine.version
  const isEmpty = chat.messages.length === 0
  return isEmpty === (mine.messages.length === 0) ? chat.sessionId > mine.sessionId : isEmpty
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
