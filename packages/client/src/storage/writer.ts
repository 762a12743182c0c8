import type { SessionHandle } from '../extension.ts'
import type { KeptChat } from '../state/kept-chat.ts'
import type { ChatStorage } from './open-storage.ts'
import { newest } from './parts.ts'
import type { Answered } from './patience.ts'

/** Writes a conversation under one key, as much of it as there is room for. */
export interface Writer {
  /** Writes, or wipes where there are no messages. Where nothing can be written, an older copy must not come back. */
  write(chat: KeptChat, done: () => void): void
  /** There may be room again: the next write is of the whole conversation. */
  retryWhole(): void
}

/** The owner's side of a writer. */
interface WriterHost {
  readonly store: ChatStorage
  readonly key: string
  readonly handle: SessionHandle
  failed(message: string, cause?: unknown): void
  noAnswer(): void
  wait(ask: () => unknown, answered: Answered<unknown>): void
  /** The storage holds this, as far as anybody knows. */
  holds(text: string | null): void
  /** An answer came too late, and the conversation is another one by now. */
  again(): void
  isWriting(): boolean
}

export function createWriter(host: WriterHost): Writer {
  const { store, key, failed, holds } = host
  const { stored, withdraw } = host.handle
  /** The share of the conversation that is written: a full storage may hold a part. */
  let share = 1
  let chat!: KeptChat
  let done!: () => void

  const put = (why?: unknown): void => {
    const part = newest(chat, share)
    attempt(
      () => {
        const text = JSON.stringify(part)
        holds(text)
        return store.setItem(key, text)
      },
      () => {
        if (part === chat) {
          stored(true)
          withdraw('storage_failed')
        } else failed('The storage is full: only the newest part of the conversation is kept', why)
      },
      (cause) => {
        // Shares that have the same messages are not tried twice.
        const { length } = part.messages
        if (newest(chat, 0).messages.length === length) {
          return wipe(() => failed('The storage is full or broken: the conversation is not kept', cause))
        }
        do share /= 2
        while (newest(chat, share).messages.length === length)
        put(cause)
      },
    )
  }
  const wipe = (wiped: () => void): void => {
    holds(null)
    attempt(
      () => store.removeItem(key),
      wiped,
      (cause) => {
        failed('The storage is broken: what it holds of the conversation could not be removed', cause)
        done()
      },
    )
  }
  const attempt = (act: () => unknown, succeed: () => void, fail: (cause: unknown) => void): void => {
    const mine = chat
    host.wait(act, {
      got() {
        succeed()
        done()
      },
      fail,
      slow() {
        host.noAnswer()
        done()
      },
      late() {
        // It may have overwritten a newer text; a write under way will do the same to it.
        if (host.isWriting()) return
        if (mine === chat) succeed()
        else host.again()
      },
    })
  }

  return {
    write(next, then) {
      chat = next
      done = then
      stored(false)
      if (chat.messages.length > 0) return put()
      share = 1
      withdraw('stored_invalid')
      wipe(() => withdraw('storage_failed'))
    },
    retryWhole: () => void (share = 1),
  }
}
