import type { ChatMessage } from '../message.ts'
import type { KeptRun } from './kept-chat.ts'
import type { Lists } from './lists.ts'

/** Units of the run's log that are of one kind, from a position on: what it takes to cut a reply at a position. */
export interface Span {
  readonly at: number
  /** What of the reply they grow. */
  readonly kind: 'content' | 'thinking' | 'toolCalls' | 'data' | 'reset'
  /** The thinking that a reset made void: a cut before the reset brings it back. */
  readonly thinking?: string | undefined
  /** Whether this one or one before it is text of the reply. */
  readonly hasText: boolean
  /** The one before it: a list that is copied at each change of kind takes quadratic time. */
  readonly previous: Span | null
}

/** The run whose reply is the last message. */
export interface ActiveRun extends KeptRun {
  /** How much of the text before stays once this run has said more, UTF-16 units; undefined is all. */
  readonly keeps?: number | undefined
  /** It was begun elsewhere, or before a reload. */
  readonly isJoined?: true | undefined
  /** What of its log has been received. */
  readonly position: number
  /** The last one. */
  readonly spans: Span | null
  /** Once the run has brought a call or data: the lists of the reply, and the reply without them. */
  readonly lists?: Lists | undefined
  readonly bare?: ChatMessage | undefined
}

/** A reply as it was at a position of its run's log: it was interrupted there. */
export function cutReply(reply: ChatMessage, run: ActiveRun, position: number): ChatMessage {
  if (position >= run.position) return reply
  const { before, keeps } = run
  const left = { content: 0, thinking: 0, toolCalls: 0, data: 0, reset: 0 }
  let { thinking } = reply
  let end = position
  for (let span = run.spans; span; span = span.previous) {
    const { at, kind } = span
    if (at < position) {
      // What a reset has made void is not there.
      if (kind !== 'thinking' || left.reset === 0) left[kind] += end - at
      end = at
    } else if (kind === 'reset') ({ thinking } = span)
  }
  const kept = before.content.slice(0, keeps).length
  return {
    ...reply,
    content: left.content ? reply.content.slice(0, kept + left.content) : before.content,
    thinking: grown(before.thinking, thinking, left.thinking),
    toolCalls: grown(before.toolCalls, reply.toolCalls, left.toolCalls),
    data: grown(before.data, reply.data, left.data),
  }
}

/** What was there before, and so many units of what came. */
function grown<Value extends string | readonly unknown[]>(
  before: Value | undefined,
  now: Value | undefined,
  units: number,
): Value | undefined {
  return units ? (now?.slice(0, (before?.length ?? 0) + units) as Value | undefined) : before
}
