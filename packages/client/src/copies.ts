import type { KeptChat, KeptRun } from './state/kept-chat.ts'
import { mergeChats, viewOf } from './merge-chats.ts'
import type { ChatSession } from './chat-session.ts'
import type { SessionHandle } from './extension.ts'

/** The other copies of a conversation, in other tabs and in a storage, as far as this page knows them. */
export interface Copies {
  /** Merges another copy into this one: what is shown changes at once, or as soon as it may. */
  meet(theirs: KeptChat): void
  /** As {@link meet}, but the shown part changes only with the next act. */
  hear(theirs: KeptChat): void
  /** The whole conversation as this page knows it: the shown part, and the part that waits. */
  whole(): KeptChat
  /** The highest version that another copy had. */
  readonly highest: number
}

/** Most runs that are remembered. */
const maxRead = 100

const all = new WeakMap<ChatSession, { readonly copies: Copies; watch(handle: SessionHandle): void }>()

/** The copies of a conversation, one for all of its extensions; called when an extension begins, before anything is said. */
export function copiesOf(handle: SessionHandle): Copies {
  const { session } = handle
  let known = all.get(session)
  if (!known) all.set(session, (known = createCopies()))
  known.watch(handle)
  return known.copies
}

function createCopies(): { readonly copies: Copies; watch(handle: SessionHandle): void } {
  /** The part that is not shown yet, or not in its place: this page reads one run while another one goes on elsewhere. */
  let waiting: KeptChat | undefined
  let highest = 0
  /** The state at the last look: text that grows changes nothing in it. */
  let looked = ''
  /** The run that is read here. */
  let reading: KeptRun | undefined
  /**
   * The runs that were read here to their end: this page does not read them again. A run that the gateway never confirmed here
   * (false) may have begun for another page.
   */
  const read = new Map<string, boolean>()
  let handle!: SessionHandle

  const unread = (chat: KeptChat): KeptChat => {
    const isOver = ({ runId, isOpen }: KeptRun): boolean => read.has(runId) && (read.get(runId)! || !isOpen)
    const over = new Set(chat.runs.filter(isOver).map(({ before }) => before.id))
    if (over.size === 0) return chat
    return {
      ...chat,
      messages: chat.messages.filter(({ id }) => !over.has(id)),
      runs: chat.runs.filter((run) => !isOver(run)),
    }
  }
  const whole = (): KeptChat => (waiting ? mergeChats(handle.kept(), waiting) : handle.kept())
  const look = (): void => {
    const mine = handle.kept()
    const [run] = mine.runs
    const runId = run?.runId
    if (reading && reading.runId !== runId) {
      read.set(reading.runId, reading.isOpen)
      const [oldest] = read.keys()
      if (read.size > maxRead) read.delete(oldest!)
      waiting &&= unread(waiting)
    }
    reading = run
    if (!waiting) return
    const isBusy = handle.isBusy()
    const now = `${mine.version} ${runId} ${isBusy}`
    if (now === looked) return
    looked = now
    const known = whole()
    const last = mine.messages.at(-1)
    // Do not wait for a message that was removed elsewhere.
    if (isBusy && last && known.messages.some(({ id }) => id === last.id)) return
    const view = viewOf(known, runId)
    const isAll = known.runs.length < 2 && view.messages.every(({ id }, at) => id === known.messages[at]!.id)
    waiting = isAll ? undefined : known
    if (isOther(view, mine)) handle.restore(view)
  }
  const hear = (theirs: KeptChat): void => {
    highest = Math.max(highest, theirs.version)
    handle.see(theirs.version)
    const news = unread(theirs)
    waiting = waiting ? mergeChats(waiting, news) : news
    looked = ''
  }
  return {
    watch(next) {
      if (next === handle) return
      handle = next
      handle.observe(look)
    },
    copies: {
      whole,
      hear,
      meet(theirs) {
        hear(theirs)
        look()
      },
      get highest() {
        return highest
      },
    },
  }
}

/** Tells whether there is anything to restore. This page knows best the run that it reads. */
function isOther(view: KeptChat, mine: KeptChat): boolean {
  const runId = view.runs[0]?.runId
  if (view.version !== mine.version || view.sessionId !== mine.sessionId || runId !== mine.runs[0]?.runId) return true
  const { length } = mine.messages
  return (
    view.messages.length !== length ||
    view.messages.some((message, at) => {
      const own = mine.messages[at]!
      if (message === own || (runId && at === length - 1 && message.id === own.id)) return false
      return (
        message.id !== own.id ||
        message.version !== own.version ||
        message.state !== own.state ||
        message.content !== own.content
      )
    })
  )
}
