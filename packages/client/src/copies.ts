import type { KeptChat } from './state/kept-chat.ts'
import { mergeChats, type Meeting } from './merge-chats.ts'
import type { ChatSession } from './chat-session.ts'
import type { SessionHandle } from './extension.ts'

/** Most ids of messages that are remembered, here or gone. */
const maxSeen = 10_000

/** What is known of the other copies of a conversation: in other tabs, and in a storage. */
export interface Copies {
  /**
   * Meets another copy: the newer one is taken, and what was said in both at once stays in both.
   * @param wins - Whether it replaces what is here, where nothing said here would be lost. Default: when it is newer.
   * @returns What became of it; `hold`: it waits for the run here.
   */
  meet(theirs: KeptChat, wins?: boolean): Meeting
  /** Puts another copy in the place of this one. */
  take(theirs: KeptChat): void
  /** How often copies were merged here: no other tab has such a conversation yet. */
  readonly merged: number
}

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
  /** Ids of messages that were said here, and that no other copy of the conversation is known to have. */
  const own = new Set<string>()
  /** Ids of all messages that were ever here. */
  let seen = new Set<string>()
  let merged = 0
  /** Another copy that waits: until the run here has text, or has ended where that copy has a run, too. */
  let held: KeptChat | undefined
  let lastRun: string | undefined
  let handle!: SessionHandle

  const acknowledge = (ids: Iterable<string>): void => {
    for (const id of ids) own.delete(id)
  }
  const take = (chat: KeptChat): void => {
    held = undefined
    const ids = idsOf(chat)
    for (const id of ids) seen.add(id)
    acknowledge(ids)
    handle.restore(chat)
  }
  /** Only a run that begins here brings messages that are new everywhere. */
  const look = (): void => {
    const chat = handle.kept()
    const { messages, run } = chat
    if (messages.length === 0) {
      held = undefined
      own.clear()
    } else if (run && run.runId !== lastRun) {
      for (const id of idsOf(chat)) {
        if (!seen.has(id)) own.add(id)
        seen.add(id)
      }
      // What is not here any more needs no defence.
      if (seen.size > maxSeen) seen = new Set(idsOf(chat))
    }
    lastRun = run?.runId
    const waiting = held
    const isBusy =
      (run && waiting?.run && waiting.run.runId !== run.runId) ||
      handle.isAsked() ||
      handle.session.getSnapshot().status === 'interrupting'
    if (!waiting || isBusy) return
    held = undefined
    meet(waiting)
  }
  const meet: Copies['meet'] = (theirs, wins) => {
    const mine = handle.kept()
    let meeting = mergeChats(mine, theirs, own, seen, wins)
    // The request that is on its way says what is shown; sent once more, it has to say the same.
    const isGrowing = typeof meeting === 'object' || (meeting === 'take' && theirs.run?.runId === mine.run?.runId)
    if (isGrowing && mine.run && handle.isAsked()) meeting = 'hold'
    acknowledge(idsOf(theirs))
    acknowledge(theirs.removed ?? [])
    // What the person just said is on its way, and is not dropped for an older view of it.
    const isPending = mine.run?.isOpen === false && theirs.run?.runId !== mine.run.runId
    if (meeting === 'take' && isPending && theirs.messages.length > 0) meeting = 'same'
    if (meeting === 'take') take(theirs)
    else if (typeof meeting === 'object') {
      merged += 1
      const said = [...own]
      const waiting = mine.run ? held : undefined
      take(meeting)
      held = waiting
      for (const id of said) own.add(id)
    } else {
      handle.see(theirs.version)
      if (meeting === 'hold') held = theirs
    }
    return meeting
  }
  return {
    watch(next) {
      if (next === handle) return
      handle = next
      for (const id of idsOf(handle.kept())) seen.add(id)
      handle.observe(look)
    },
    copies: {
      meet,
      take,
      get merged() {
        return merged
      },
    },
  }
}

const idsOf = ({ messages }: KeptChat): string[] => messages.map(({ id }) => id)
