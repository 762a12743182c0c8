import type { ChatMessage, QueuedMessage } from '../message.ts'
import type { Store } from './store.ts'

/** Most messages that wait for their turn. */
export const maxQueue = 8

/** What was said while an answer streamed, and who waits for the replies to it. */
export interface Queue {
  /** @returns The reply to it; null when it was taken back. */
  add(message: QueuedMessage): Promise<ChatMessage | null>
  /** Takes a message out. @returns Whether it still waited. */
  leave(id: string, reply?: () => Promise<ChatMessage> | null): boolean
  /** Takes all of them back. */
  empty(): void
}

export function createQueue(store: Store): Queue {
  const waiting = new Map<string, (reply: Promise<ChatMessage> | null) => void>()
  const set = (queue: readonly QueuedMessage[]): void => store.step({ type: 'show', queue })
  const leave: Queue['leave'] = (id, reply = () => null) => {
    const settle = waiting.get(id)
    waiting.delete(id)
    set(store.state.snapshot.queue.filter((message) => message.id !== id))
    settle?.(reply())
    store.publish()
    return settle !== undefined
  }
  return {
    add({ id, content }) {
      set([...store.state.snapshot.queue, { id, content }])
      store.publish()
      return new Promise((resolve) => waiting.set(id, resolve))
    },
    leave,
    empty() {
      for (const id of waiting.keys()) leave(id)
    },
  }
}
