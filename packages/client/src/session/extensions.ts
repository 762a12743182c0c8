import { ChatError } from '@midstream/core'
import type { ChatSession } from '../chat-session.ts'
import type { SessionHandle } from '../extension.ts'
import type { ChatMessage } from '../message.ts'
import type { KeptChat } from '../state/kept-chat.ts'
import type { Queue } from './queue.ts'
import type { Replies } from './replies.ts'
import { tell } from './schedule.ts'
import type { Shared } from './shared.ts'

/** The extensions of a session: attached while somebody uses it. */
export interface Extensions {
  attach(): void
  /** Has them meet the other copies, as far as these can be known at once. @returns All messages that are known. */
  meet(): readonly ChatMessage[]
  /** Undoes them: nothing outside holds the session any more. */
  letGo(): void
  /** How much of the conversation is kept nowhere else, UTF-16 units of its JSON: all of it, or 0. */
  onlyCopyChars(): number
}

/** What they can do with the conversation, besides what the session hands in. */
export function createExtensions(
  shared: Shared,
  own: Pick<SessionHandle, 'name' | 'report' | 'withdraw'> & { readonly session: ChatSession },
  queue: Queue,
  replies: Replies,
): Extensions {
  const { options, store, closing, clock } = shared
  /** What undoes them; undefined while there are none. */
  let undo: (() => unknown)[] | undefined
  let isStored = false
  const looks: (() => KeptChat)[] = []

  const kept = (): KeptChat => {
    const { sessionId, snapshot, run, version, removed, cleared } = store.state
    // What has brought anything cannot be asked for again under the same id.
    const ask = run?.position === 0 ? run.ask : undefined
    const runs = run ? [{ runId: run.runId, before: run.before, isOpen: run.isOpen, ask }] : []
    return { sessionId, messages: snapshot.messages, runs, version, removed, cleared }
  }
  const restore = (chat: KeptChat): void => {
    const { messages } = chat
    const [run] = chat.runs
    const isRead = run && run.runId === store.state.run?.runId
    if (!isRead) {
      replies.stop()
      if (messages.length === 0) queue.empty()
    }
    store.step({ type: 'restore', kept: chat })
    if (isRead) return store.publish()
    store.settle()
    const last = messages.at(-1)
    if (run && last && store.state.run?.runId === run.runId) {
      replies.join(run.runId, last, run.ask)
    }
    store.notify()
  }
  const handle: SessionHandle = {
    ...own,
    options,
    clock,
    observe: (listener) => void store.observers.add(listener),
    before: (look) => void looks.push(look),
    kept,
    restore,
    isBusy: () => replies.isBusy(),
    see: (version) => store.step({ type: 'see', version }),
    stored: (isWhole) => void (isStored = isWhole),
  }
  const failed = (cause: unknown): void =>
    own.report(
      new ChatError('extension_failed', 'An extension failed: the conversation goes on without it', { cause }),
      false,
    )
  return {
    attach() {
      if (undo || closing.aborted) return
      const undos: (() => unknown)[] = (undo = [])
      // Another one each time: an extension tells by it that it begins anew.
      const again = { ...handle }
      for (const extend of options.extensions ?? []) {
        tell(() => {
          const undone: unknown = extend(again)
          if (typeof undone === 'function') undos.push(undone as () => unknown)
          return undone
        }, failed)
      }
    },
    meet() {
      let known = kept().messages
      for (const look of looks) tell(() => void (known = look().messages), failed)
      return known
    },
    letGo() {
      for (const undone of undo ?? []) tell(undone, failed)
      undo = undefined
      store.observers.clear()
      looks.length = 0
    },
    onlyCopyChars() {
      const { messages } = store.state.snapshot
      return closing.aborted || isStored || messages.length === 0 ? 0 : JSON.stringify(messages).length
    },
  }
}
