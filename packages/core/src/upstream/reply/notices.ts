import type { ChatError } from '../../wire/errors.ts'
import type { Json } from '../../wire/json.ts'
import { saidError } from '../http/error-meaning.ts'
import { noticeIn } from '../http/said-error.ts'
import type { UpstreamEvent } from '../upstream.ts'
import { isAlive, isSentence, isWaiting, wordsOf, type Words } from './plain-words.ts'
import { noReply } from './reply-errors.ts'

/** How many words of one read are looked up in the table of meanings: what a server says is one of the first. */
const maxJudged = 64
/** Different words in front of a reply that may be signs of life. A server that says more says its reply in words. */
const maxHeld = 2

/**
 * Words beside a reply, in a frame that says nothing else. Once the stream has shown itself to be a reply, they are a sign of life,
 * unless they are known as an error. Before that, an object with a message is an error, and a line of words is kept: if a reply
 * follows, it was a sign of life.
 */
export interface Notices {
  /** Another read begins. */
  read(): void
  /** {@link plainWords}, which looks up only so much of one read. */
  judge(said: string): Words
  /** Whether an object is words alone, and a sign of life. */
  isLife(chunk: Json, event: string | undefined): boolean
  /** What a line of words means that is no error, if it may be a sign of life. */
  line(said: string): readonly UpstreamEvent[] | undefined
  /** Told of all that was read, from a place on. */
  hear(events: readonly UpstreamEvent[], from: number): void
  /** Lines that were kept, and that no reply followed: they may have been its text. */
  lost(): readonly UpstreamEvent[]
  /** What words say that nothing followed, where the reply has not finished. */
  failure(): ChatError | undefined
}

export function createNotices(): Notices {
  let isReply = false
  let left = maxJudged
  let [judged, verdict]: [string | undefined, Words] = [undefined, undefined]
  /** Words that nothing of a reply has followed. */
  let last: unknown
  /** Lines in front of the reply, by their words without figures. */
  const held = new Map<string, string>()

  const judge = (said: string): Words => {
    if (said === judged) return verdict
    judged = said
    return (verdict = wordsOf(said, () => (left -= 1) >= 0))
  }
  return {
    read: () => void (left = maxJudged),
    judge,
    isLife(chunk, event) {
      const said = noticeIn(chunk, event)
      if (said === undefined) return false
      const data = chunk['data']
      if (typeof data === 'string' && !isAlive(data)) return false
      if ([event, chunk['type'], chunk['event']].some(isKeepAlive)) return true
      const words = judge(said)
      if (words === 'alive') return true
      if (words === 'error' || !(isReply || isWaiting(said))) return false
      // A title is no failure.
      const isTitle = noticeIn({ ...chunk, title: undefined, description: undefined }, event) === undefined
      last = isTitle ? undefined : chunk
      return true
    },
    line(said) {
      if (!isSentence(said)) return undefined
      if (isReply) {
        last = said
        return [{ alive: true }]
      }
      const words = said.replace(/\d+/g, '')
      const isKnown = held.size > maxHeld
      held.set(isKnown ? '' : words, said)
      if (held.size <= maxHeld) return [{ alive: true }]
      return isKnown ? [bad(said)] : [...held.values()].map(bad)
    },
    hear(events, from) {
      if (isReply && last === undefined) return
      for (let i = from; i < events.length; i++)
        if (isOfReply(events[i]!)) {
          isReply = true
          last = undefined
        }
    },
    lost() {
      if (isReply || held.size > maxHeld) return []
      const lost = [...held.values()].map(bad)
      held.clear()
      return lost
    },
    failure() {
      if (last !== undefined) return saidError(last)
      return isReply || held.size === 0 || held.size > maxHeld ? undefined : noReply([...held.values()].join('\n'))
    },
  }
}

function isKeepAlive(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && isAlive(name)
}

function isOfReply(event: UpstreamEvent): boolean {
  return 'message' in event || 'thinking' in event || 'tool_call' in event || 'progress' in event
}

const bad = (said: string): UpstreamEvent => ({ malformed: said.slice(0, 200) })
