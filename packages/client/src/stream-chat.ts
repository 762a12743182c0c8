import type { ChatEvent, ChatTurn } from '@midstream/core'
import { droppedError, request, type Endpoint } from './connection.ts'
import { readEvents } from './read-events.ts'
import type { RequestOptions } from './types.ts'

/** @public */
export interface StreamChatOptions extends Endpoint {
  /** The history; the last message is the user's. */
  readonly messages: readonly ChatTurn[]
  /** What the request says besides the history. */
  readonly body?: RequestOptions | undefined
  /** Aborting ends the run and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * One reply as an async iterator of events, for scripts and bots. Leaving the loop ends the run.
 * @returns Every event up to and including the terminal one; a failed run ends with one, too.
 * @throws {ChatError} What the gateway answered; `network`; `dropped` when the body ended without a terminal event.
 * @public
 */
export async function* streamChat(options: StreamChatOptions): AsyncGenerator<ChatEvent, void, undefined> {
  const { messages, signal, body } = options
  const response = await request(options, '', { json: { ...body, messages }, signal })
  try {
    for await (const batch of readEvents(response)) {
      for (const { event } of batch) {
        yield event
        if ('done' in event) return
      }
    }
    throw droppedError()
  } catch (cause) {
    throw signal?.aborted ? cause : droppedError(cause)
  }
}
