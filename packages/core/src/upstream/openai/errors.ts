import { ChatError, type ChatErrorCode } from '../../wire/errors.ts'
import { isRecord, text, type Json } from '../../wire/json.ts'
import { mayPass, meaningOf, saidError } from '../http/error-meaning.ts'
import type { AnswerFacts } from './dialects.ts'

/**
 * The error that a server said inside its stream: `{"error":{…}}`, `{"error":"…"}`, or a flat `{"object":"error",…}`. Its
 * words are the cause, and nothing else.
 */
export function bandError(frame: Json, own: AnswerFacts['errors'] = []): ChatError {
  const given = frame['error'] || frame
  const found = isRecord(given)
    ? meaningOf(code(given), `${text(given['type'])} ${text(given['message'])}`, own)
    : meaningOf('', text(given), own)
  return saidError(found, JSON.stringify(given))
}

const code = (error: Json): string => (typeof error['code'] === 'number' ? String(error['code']) : text(error['code']))

/** Whether a frame is an error. DashScope's own kind has neither `error` nor `object`, but the event `error`. */
export function isBandError(frame: Json, event: string | undefined): boolean {
  if (frame['error']) return true
  if (frame['choices'] !== undefined) return false
  return frame['object'] === 'error' || frame['type'] === 'error' || event === 'error'
}

/** Finish reasons that say that the reply is not whole. */
const failures: Readonly<Record<string, ChatErrorCode>> = {
  error: 'upstream_failed',
  insufficient_system_resource: 'upstream_busy',
  abort: 'upstream_incomplete',
  content_filter: 'upstream_rejected',
}

/** @returns undefined for a reason that ends a whole reply. */
export function finishError(
  reason: string,
  own: NonNullable<AnswerFacts['finishReasons']> = {},
): ChatError | undefined {
  const known = Object.hasOwn(own, reason) ? own : failures
  const found = Object.hasOwn(known, reason) ? known[reason] : undefined
  if (found === undefined || found === 'stop' || found === 'length' || found === 'tool_calls') return undefined
  const message =
    reason === 'content_filter'
      ? 'The filter of the model server ended the reply.'
      : 'The model server ended its reply before it was whole.'
  return new ChatError(found, message, {
    cause: `finish_reason ${reason}`,
    retryable: mayPass(found),
  })
}
