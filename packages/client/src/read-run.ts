import { isChatError, type ChatError, type ChatEvent, type Clock } from '@midstream/core'
import { droppedError, readEvents, request, type Endpoint, type Received } from './connection.ts'
import { isHidden } from './schedule.ts'

/** What it takes to read one run to its end, over as many connections as that needs. */
export interface RunLink {
  readonly endpoint: Endpoint
  readonly runId: string
  /** Body of the request that starts the run; sending it again attaches to the same run. */
  readonly json: object
  /** Gives the run up. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly maxMs: number
  /** How long to wait before an attempt, ms. */
  readonly backoffMs: (attempt: number) => number
}

/** A batch of events, or word that the connection was lost and that an attempt to get another one will follow. */
export type Reading = readonly Received[] | { readonly attempt: number }

/** Silence of so many heartbeats is a drop. */
const silentHeartbeats = 3

/** Until the gateway has said how often its heart beats, ms. */
const presumedHeartbeatMs = 5_000

/**
 * Reads a run from its start to its terminal event. A network error, a body that ends without one, and silence for three
 * heartbeats are drops: it waits, at most until the page is online or visible again, and reads on from its position.
 * @throws {ChatError} `dropped` or `network` when that took longer than `maxMs`; at once what the gateway refused.
 */
export async function* readRun(link: RunLink): AsyncGenerator<Reading, void, undefined> {
  const { endpoint, runId, json, signal, clock } = link
  let position = 0
  let heartbeatMs = presumedHeartbeatMs
  let opened = false
  let attempt = 0
  let lostAt: number | undefined

  /** Drops what was there already, and cuts off the part of a delta that was. A gap cannot be read over. */
  const fence = ({ event, position: after }: Received): Received[] => {
    if (after === undefined) return [{ event, position: after }]
    const before = position
    const start = after - units(event)
    if (start > before) throw droppedError()
    if (after <= before) return []
    position = after
    return [{ event: start === before ? event : tail(event, before - start), position: after }]
  }

  for (;;) {
    const connection = new AbortController()
    const abort = (): void => connection.abort(signal.reason)
    signal.addEventListener('abort', abort)
    const watchdog = watch(
      clock,
      () => silentHeartbeats * heartbeatMs,
      () => connection.abort(droppedError()),
    )
    let cause: unknown
    try {
      signal.throwIfAborted()
      // Once a frame has come, the run is there: starting it again could only be refused.
      const response = opened
        ? await request(endpoint, `/runs/${runId}`, {
            headers: { 'last-event-id': String(position) },
            signal: connection.signal,
          })
        : await request(endpoint, '', { method: 'POST', json, signal: connection.signal })
      for await (const batch of readEvents(response)) {
        watchdog.feed()
        const fresh = batch.flatMap(fence)
        for (const { event } of batch) if ('session_id' in event) heartbeatMs = event.heartbeat_ms
        if (batch.length > 0) {
          opened = true
          attempt = 0
          lostAt = undefined
        }
        if (fresh.length > 0) yield fresh
        if (fresh.some(({ event }) => 'done' in event)) return
      }
    } catch (error) {
      if (signal.aborted || isRefusal(error)) throw error
      cause = error
    } finally {
      watchdog.stop()
      signal.removeEventListener('abort', abort)
      connection.abort()
    }
    lostAt ??= clock.now()
    if (clock.now() - lostAt >= link.maxMs) throw isChatError(cause) ? cause : droppedError(cause)
    attempt += 1
    yield { attempt }
    await pause(clock, link.backoffMs(attempt), signal)
  }
}

/** The gateway has spoken: asking again would give the same answer. */
function isRefusal(error: unknown): error is ChatError {
  return isChatError(error) && error.code !== 'network' && error.code !== 'dropped'
}

/** How many units of the run's log an event is. */
function units(event: ChatEvent): number {
  if ('message' in event) return event.message.length
  return 'thinking' in event ? event.thinking.length : 1
}

function tail(event: ChatEvent, from: number): ChatEvent {
  if ('message' in event) return { message: event.message.slice(from) }
  return 'thinking' in event ? { thinking: event.thinking.slice(from) } : event
}

/** Calls `bark` after a silence. A timer that fires late gives waiting bytes a turn before it does. */
function watch(clock: Clock, silentMs: () => number, bark: () => void): { feed(): void; stop(): void } {
  let fedAt = clock.now()
  let disarm = (): void => {}
  const look = (isSecond: boolean): void => {
    const left = fedAt + silentMs() - clock.now()
    if (left <= 0 && isSecond) return bark()
    disarm = clock.after(Math.max(0, left), () => look(left <= 0))
  }
  look(false)
  return {
    feed: () => void (fedAt = clock.now()),
    stop: () => disarm(),
  }
}

/** Waits, but no longer than until the page is online or visible again. An abort ends it, too. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const page = typeof document === 'undefined' ? undefined : document
    const done = (): void => {
      disarm()
      signal.removeEventListener('abort', done)
      globalThis.removeEventListener?.('online', done)
      page?.removeEventListener('visibilitychange', shown)
      resolve()
    }
    const shown = (): void => {
      if (!isHidden()) done()
    }
    const disarm = clock.after(ms, done)
    signal.addEventListener('abort', done)
    globalThis.addEventListener?.('online', done)
    page?.addEventListener('visibilitychange', shown)
    if (signal.aborted) done()
  })
}
