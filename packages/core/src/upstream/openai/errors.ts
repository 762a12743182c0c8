import type { ChatError } from '../../wire/errors.ts'
import { isRecord, text, type Json } from '../../wire/json.ts'
import { meaningOf, saidError } from '../http/error-meaning.ts'
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
