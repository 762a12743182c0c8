import { ChatError } from '../../wire/errors.ts'

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
  const message = 'The model server sent a tool call that is not whole.'
  return new ChatError('upstream_malformed', message, { cause: call.slice(0, 200), retryable: true })
}
