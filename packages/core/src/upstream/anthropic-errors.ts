import { ChatError, type ChatErrorCode } from '../wire/errors.ts'
import { isRecord, record, text, type Json } from '../wire/json.ts'

/** The API's own types of errors; any other one is a failure of the server. */
const meanings: ReadonlyMap<string, ChatErrorCode> = /* @__PURE__ */ new Map<string, ChatErrorCode>([
  ['overloaded_error', 'upstream_busy'],
  ['rate_limit_error', 'upstream_busy'],
  // As a status it is 504.
  ['timeout_error', 'upstream_unreachable'],
  ['not_found_error', 'upstream_model_missing'],
  ['invalid_request_error', 'upstream_rejected'],
  ['request_too_large', 'upstream_rejected'],
  ['authentication_error', 'upstream_rejected'],
  ['permission_error', 'upstream_rejected'],
  ['billing_error', 'upstream_rejected'],
  ['conflict_error', 'upstream_rejected'],
])
const sentences: Partial<Record<ChatErrorCode, string>> = {
  upstream_busy: 'The model server is busy.',
  upstream_unreachable: 'The model server cannot be reached.',
  upstream_model_missing: 'The model server does not have the model.',
  upstream_rejected: 'The model server refused to go on with its reply.',
}

/** Whether a frame, or a body that is no stream, is an error. */
export function isAnthropicError(frame: Json): boolean {
  return frame['type'] === 'error' || isRecord(frame['error'])
}

/** The error that the server said inside its stream. Its words are the cause, and nothing else. */
export function anthropicError(said: string, frame: Json): ChatError {
  const code = meanings.get(text(record(frame['error'])['type'])) ?? 'upstream_failed'
  return new ChatError(code, sentences[code] ?? 'The model server failed in the middle of its reply.', {
    cause: said.slice(0, 8_192),
    retryable: code !== 'upstream_rejected' && code !== 'upstream_model_missing',
  })
}

/** A classifier ended the reply: what came is no whole answer, and the same question ends the same way. */
export function refusal(delta: Json): ChatError {
  const cause = `stop_reason refusal ${JSON.stringify(delta['stop_details'] ?? null)}`.slice(0, 8_192)
  return new ChatError('upstream_rejected', 'The filter of the model server ended the reply.', { cause })
}
