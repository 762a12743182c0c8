import { systemClock, type ChatEvent, type ChatTurn, type Clock } from '@midstream/core'
import { abortWith, follow, reasonOf } from './connection/abort.ts'
import { droppedError } from './connection/refusal.ts'
import { request, type Endpoint } from './connection/request.ts'
import { readEvents } from './connection/read-events.ts'
import { presumedHeartbeatMs, silentHeartbeats, watch } from './connection/watchdog.ts'
import type { RequestOptions } from './options.ts'

/** @public */
export interface StreamChatOptions extends Endpoint {
  /** The history; the last message is the user's. */
  readonly messages: readonly ChatTurn[]
  /** What the request says besides the history. */
  readonly body?: RequestOptions | undefined
  /** Aborting ends the run and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Time and timers; a test holds them still. @defaultValue systemClock */
  readonly clock?: Clock | undefined
}

/**
 * One reply as an async iterator of events, for scripts and bots. Leaving the loop ends the run.
 * @returns Every event up to and including the terminal one; a failed run ends with one, too.
 * @throws {ChatError} What the gateway answered; `network`; `dropped` when the body ended without a terminal
 * event, or nothing came for three heartbeats.
 * @public
 */
export async function* streamChat(options: StreamChatOptions): AsyncGenerator<ChatEvent, void, undefined> {
  const { messages, signal, body, clock = systemClock } = options
  let heartbeatMs = presumedHeartbeatMs
  const connection = follow(signal)
  const watchdog = watch(
    clock,
    () => silentHeartbeats * heartbeatMs,
    () => abortWith(connection, droppedError()),
  )
  try {
    const response = await request(options, '', { json: { ...body, messages }, signal: connection.signal })
    for await (const batch of readEvents(response, connection.signal)) {
      // While the caller is at work, it is not the gateway that is silent.
      watchdog.stop()
      for (const { event } of batch) {
        if ('session_id' in event && event.heartbeat_ms > 0) heartbeatMs = event.heartbeat_ms
        yield event
        if ('done' in event) return
      }
      watchdog.feed()
    }
    throw droppedError()
  } catch (cause) {
    throw signal?.aborted ? reasonOf(signal) : droppedError(cause)
  } finally {
    watchdog.stop()
    connection.abort()
  }
}
