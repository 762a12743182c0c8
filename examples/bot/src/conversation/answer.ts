import type { ChatMessage, ChatSession } from '@midstream/client'
import { withoutFetches } from './without-fetches.ts'
import type { Words } from './words.ts'

/** How an answer stands. */
interface AnswerNow {
  /** What is to be shown: the reply so far and, once it is over, a note if it did not end by itself. */
  readonly text: string
  /** Nothing will change any more. */
  readonly isOver: boolean
}

/** One answer of the robot, as it grows. */
export interface Answer {
  now(): AnswerNow
  /** Settles at the next change; at once when it is over. */
  changed(): Promise<void>
  /** Ends it where it is, as the platform has no room or no time for more. */
  stop(): void
}

/** An answer that is whole from the start. */
export function fixedAnswer(text: string): Answer {
  return { now: () => ({ text, isOver: true }), changed: () => Promise.resolve(), stop: () => undefined }
}

/**
 * Follows the reply that a session has just begun to grow.
 * @param before - What the reply said already when it was asked to go on: shown elsewhere, so not again.
 */
export function followReply(session: ChatSession, words: Words, before = ''): Answer {
  let message = session.getSnapshot().messages.at(-1)!
  let noRoom = false
  let wake: (() => void)[] = []

  const leave = session.subscribe(() => {
    // A conversation that was forgotten took its messages along.
    const next = session.getSnapshot().messages.find(({ id }) => id === message.id)
    if (next === message) return
    message = next ?? { ...message, state: 'interrupted' }
    // What happens to the message later, say that it goes on, is another answer's.
    if (message.state !== 'streaming') leave()
    const woken = wake
    wake = []
    for (const settle of woken) settle()
  })
  return {
    now() {
      const isOver = message.state !== 'streaming'
      const text = withoutFetches(message.content.slice(sharedStart(before, message.content)))
      const note = isOver ? noteOf(message, words, noRoom) : ''
      return { text: [text, note].filter(Boolean).join('\n\n'), isOver }
    },
    changed: () => (message.state === 'streaming' ? new Promise((resolve) => wake.push(resolve)) : Promise.resolve()),
    stop() {
      if (message.state !== 'streaming') return
      noRoom = true
      void session.interrupt()
    },
  }
}

function noteOf({ state, reason, error, content }: ChatMessage, words: Words, noRoom: boolean): string {
  if (state === 'interrupted') return noRoom ? words.noRoom : words.stopped
  if (state === 'failed' || state === 'dropped') return words.failed(error, content !== '')
  if (reason === 'length') return words.lengthReached
  return content === '' ? words.noAnswer : ''
}

/** A model that goes on may type its last word again, and differently. */
function sharedStart(before: string, content: string): number {
  let i = 0
  while (i < before.length && before[i] === content[i]) i++
  return i
}
