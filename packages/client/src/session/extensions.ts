import type { ChatSession } from '../chat-session.ts'
import type { SessionHandle } from '../extension.ts'
import type { ChatMessage } from '../message.ts'
import type { KeptChat } from '../state/kept-chat.ts'
import type { Queue } from './queue.ts'
import type { Replies } from './replies.ts'
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
  let undo: (() => void)[] | undefined
  let isStored = false
  const looks: (() => KeptChat)[] = []

  const kept = (): KeptChat => {
    const { sessionId, snapshot, run, version, removed, cleared } = store.state
    // What has brought text cannot be asked for again under the same id.
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
      const isUnread = last.content === run.before.content && !last.thinking && !last.data && !last.toolCalls
      replies.join(run.runId, last, isUnread ? run.ask : undefined)
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
  return {
    attach() {
      if (undo || closing.aborted) return
      const undos: (() => void)[] = (undo = [])
      // Another one each time: an extension tells by it that it begins anew.
      const again = { ...handle }
      for (const extend of options.extensions ?? []) {
        const undone = extend(again)
        if (undone) undos.push(undone)
      }
    },
    meet: () => looks.reduce((_, look) => look(), kept()).messages,
    letGo() {
      for (const undone of undo ?? []) undone()
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
