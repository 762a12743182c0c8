import type { ChatMessage, ChatSnapshot, ChatStatus, ErrorBody } from '@midstream/client'

/** What can go wrong, as far as the difference matters to a reader of a blog. */
type Problem = 'unreachable' | 'too_long' | 'failed'

/** What is said below an answer. */
export type Note = 'waiting' | 'reconnecting' | 'stopped' | 'at_limit' | Problem

/** Whatever is not listed, also what a newer gateway may say, is `failed`. */
const problems: Readonly<Partial<Record<ErrorBody['code'], Problem>>> = {
  network: 'unreachable',
  dropped: 'unreachable',
  orphaned: 'unreachable',
  shutting_down: 'unreachable',
  not_found: 'unreachable',
  expired: 'unreachable',
  too_large: 'too_long',
  too_many_messages: 'too_long',
  overflow: 'too_long',
  run_too_long: 'too_long',
}

/** What to say below a message. @param status - That of the conversation; it is about the reply that streams. */
export function noteOf(message: ChatMessage, status: ChatStatus): Note | undefined {
  const { state, content, reason, error } = message
  if (state === 'streaming') {
    if (status === 'reconnecting') return 'reconnecting'
    return content === '' ? 'waiting' : undefined
  }
  if (error) return Object.hasOwn(problems, error.code) ? problems[error.code] : 'failed'
  if (state === 'interrupted') return 'stopped'
  return reason === 'length' ? 'at_limit' : undefined
}

/** What a person can do about the last message. */
export interface ReplyActions {
  readonly canContinue: boolean
  readonly canRetry: boolean
}

/** A reply that was cut off can go on from its text; one that failed or has none can be asked for again. */
export function actionsOf(message: ChatMessage | undefined): ReplyActions {
  if (message?.role !== 'assistant' || message.state === 'streaming') return { canContinue: false, canRetry: false }
  const { state, reason, content, toolCalls, error } = message
  const isCut = state !== 'done' || reason === 'length'
  const canContinue = isCut && content !== '' && !toolCalls
  return { canContinue, canRetry: isCut && (error !== undefined || !canContinue) }
}

/** The reply that grows, or of which the gateway has not said yet where it was cut. */
function openReply({ messages, status }: ChatSnapshot): ChatMessage | undefined {
  const last = messages.at(-1)
  return last?.state === 'streaming' || status === 'interrupting' ? last : undefined
}

/** The reply that has ended between two snapshots, in whatever state; not one that is gone. */
export function endedReply(before: ChatSnapshot, after: ChatSnapshot): ChatMessage | undefined {
  const was = openReply(before)
  if (!was || openReply(after)?.id === was.id) return undefined
  return after.messages.find(({ id }) => id === was.id)
}

/** Whether there is something to stop. */
export function isRunning(status: ChatStatus): boolean {
  return status !== 'idle' && status !== 'interrupting' && status !== 'error'
}
