import { isDeeper, maxReplyDepth, replyTooDeep } from '../../wire/depth.ts'
import { ChatError, isChatError } from '../../wire/errors.ts'
import { saidError } from '../http/error-meaning.ts'
import { isAlive, plainWords, type Words } from './plain-words.ts'
import type { UpstreamEvent } from '../upstream.ts'

/** Without it, or against it, no reply is whole, however its body ended. */
export function incompleteReply(cause?: string): ChatError {
  const message = 'The model server ended its reply without finishing it.'
  return new ChatError('upstream_incomplete', message, { cause, retryable: true })
}

/** The server ended the reply by itself, and would end it the same way again: the text stays, and is not written twice. */
export function unprovenReply(cause: string): ChatError {
  const message = 'The model server ended its reply without a finish reason that is known: it may not be whole.'
  return new ChatError('upstream_incomplete', message, { cause })
}

/** @param call - What came of it. */
export function brokenCall(call: string): ChatError {
  if (isDeeper(call, maxReplyDepth)) return replyTooDeep(call)
  const message = 'The model server sent a tool call that is not whole.'
  return new ChatError('upstream_malformed', message, { cause: call.slice(0, 200), retryable: true })
}

/**
 * The server said that the reply is whole, and some of it could not be read. It would say the same again, and the text is kept:
 * nobody goes on with it by himself.
 */
export function holedReply(frames: number): ChatError {
  const message = `The model server finished its reply, but ${frames} of its frames could not be read: it may have a hole.`
  return new ChatError('upstream_malformed', message)
}

/**
 * Makes what is said of a frame that is no JSON object: one may pass, but not one that nobody could write again, nor words that say
 * that the server failed. Where lines stand in no field and say nothing, the words of the next ones are no error, but those of a page.
 * @param judge - What plain words mean.
 * @param line - What words mean that stand in a field, and are no error.
 */
export function createUnreadable(
  judge: (said: string) => Words = plainWords,
  line: (said: string) => readonly UpstreamEvent[] | undefined = () => undefined,
): (frame: string, event?: string) => readonly UpstreamEvent[] {
  let isPage = false
  return (frame, event) => {
    if (isDeeper(frame, maxReplyDepth)) return [{ error: replyTooDeep(frame) }]
    const words = isPage && event === 'line' ? undefined : judge(frame)
    isPage ||= event === 'line'
    // A keep-alive by its name, with words of its own.
    if (event !== undefined && words !== undefined && isAlive(event)) return [{ alive: true }]
    if (words === 'error') return [{ error: saidError(frame) }]
    const known = words === 'other' && event !== 'line' ? line(frame) : undefined
    return known ?? [{ malformed: frame.slice(0, 200) }]
  }
}

/** The server answered, and what it said is no reply. */
export function noReply(
  said: string,
  message = 'The model server answered with something that is no reply.',
): ChatError {
  return new ChatError('upstream_malformed', message, { cause: said, retryable: true })
}

/** What our own code, or the app's, threw before the server was asked: it is not to blame. */
export function ownFault(cause: unknown): ChatError {
  if (isChatError(cause)) return cause
  return new ChatError('internal', 'The request could not be written for the model server.', { cause })
}

/**
 * Writes a question for a model server.
 * @throws {ChatError} `internal` when that fails: nobody has been asked, so that no server is to blame.
 */
export function written<T>(write: () => T): T {
  try {
    return write()
  } catch (cause) {
    throw ownFault(cause)
  }
}
