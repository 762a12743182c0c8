import { ChatError } from '../../wire/errors.ts'
import { saidError } from '../http/error-meaning.ts'
import { errorIn } from '../http/said-error.ts'
import type { Json } from '../../wire/json.ts'

/** Whether a frame, or a body that is no stream, is an error. */
export function isAnthropicError(frame: Json): boolean {
  // Every event of the API has a type.
  const isReply = typeof frame['type'] === 'string' && frame['type'] !== 'error'
  return errorIn(frame, undefined, isReply) !== undefined
}

/** The error that the server said inside its stream. One that nobody knows is a failure of the server. */
export function anthropicError(said: unknown): ChatError {
  return saidError(said)
}

/** A classifier ended the reply: what came is no whole answer, and the same question ends the same way. */
export function refusal(delta: Json): ChatError {
  const cause = `stop_reason refusal ${JSON.stringify(delta['stop_details'] ?? null)}`.slice(0, 8_192)
  return new ChatError('upstream_rejected', 'The filter of the model server ended the reply.', { cause })
}
