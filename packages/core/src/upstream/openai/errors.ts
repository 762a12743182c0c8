import type { ChatError } from '../../wire/errors.ts'
import type { Json } from '../../wire/json.ts'
import { saidError } from '../http/error-meaning.ts'
import { errorIn, errorOf } from '../http/said-error.ts'
import type { AnswerFacts } from './dialect.ts'

/** The error that a server said inside its stream, or in place of one, in whatever shape. Its words are the cause, and nothing else. */
export function bandError(frame: unknown, own: AnswerFacts['errors'] = []): ChatError {
  return saidError(errorOf(frame), own)
}

/** Whether a frame is an error. DashScope's own kind has neither `error` nor `object`, but the event `error`. */
export function isBandError(frame: Json, event: string | undefined): boolean {
  // LM Studio says by a `type` how far it has come.
  const { choices } = frame
  // An empty list of them, beside an error, is no piece of a reply.
  const isReply =
    (Array.isArray(choices) ? choices.length > 0 : choices !== undefined && choices !== null) ||
    'progress' in frame ||
    'prompt_progress' in frame ||
    'usage' in frame
  return errorIn(frame, event, isReply) !== undefined
}
