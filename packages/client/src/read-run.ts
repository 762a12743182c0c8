import { backoffMs, type ChatError, type ChatEvent, type Clock, type RandomBytes } from '@midstream/core'
import { droppedError, readEvents, request, type Endpoint, type Received } from './connection.ts'
import { isHidden } from './schedule.ts'

/** What it takes to read one run to its end, over as many connections as that needs. */
export interface RunLink {
  readonly endpoint: Endpoint
  readonly runId: string
  /** Body of the request that starts the run; sending it again attaches to the same run. Without it, the run is there. */
  readonly json: object | undefined
  /** Gives the run up. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly maxMs: number
  readonly random: RandomBytes
}

/** An event, or word that the connection was lost and that an attempt to get another one will follow. */
export type Reading = Received | { readonly type: 'reconnect'; readonly attempt: number }

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
  let opened = json === undefined
  let attempt = 0
  let lostAt: number | undefined

  for (;;) {
    const connection = new AbortController()
    const either = AbortSignal.any([signal, connection.signal])
    const watchdog = watch(
      clock,
      () => silentHeartbeats * heartbeatMs,
      () => connection.abort(droppedError()),
    )
    // A body is left at its terminal event, or it throws.
    let lost!: ChatError
    try {
      // Once a frame has come, the run is there: starting it again could only be refused.
      const response = opened
        ? await request(endpoint, `/runs/${runId}`, { headers: { 'last-event-id': `${position}` }, signal: either })
        : await request(endpoint, '', { json: json!, signal: either })
      for await (const batch of readEvents(response)) {
        watchdog.feed()
        for (const received of batch) {
          const { event, position: after } = received
          opened = true
          if ('session_id' in event) {
            heartbeatMs = event.heartbeat_ms
            watchdog.feed()
          }
          if (after !== undefined) {
            // What is known is dropped. A gap is not read over: the next connection starts where it is.
            if (after <= position) continue
            if (after - units(event) !== position) throw droppedError()
            position = after
          } else if ('position' in event && event.position > position) throw droppedError()
          // The first frame and the status come over every connection, also over one that leads nowhere.
          if (after !== undefined || 'ping' in event) {
            attempt = 0
            lostAt = undefined
          }
          yield received
          if ('done' in event) return
        }
      }
    } catch (error) {
      lost = droppedError(error)
      // A gateway that has restarted: a run of which nothing has come yet is started again.
      if (opened && json && position === 0 && lost.code === 'not_found') opened = false
      // Asking again would give the same answer, or, where the session is busy, one that nobody wants any more.
      else if (signal.aborted || !lost.retryable || lost.code === 'session_busy') throw error
    } finally {
      watchdog.stop()
      connection.abort()
    }
    lostAt ??= clock.now()
    if (clock.now() - lostAt >= link.maxMs) throw lost
    attempt += 1
    yield { type: 'reconnect', attempt }
    // A gateway that says when to come back is not asked before that.
    const dueAt = clock.now() + Math.max(lost.retryAfterMs ?? 0, backoffMs(attempt, link.random))
    await pause(clock, dueAt - clock.now(), signal)
    signal.throwIfAborted()
    // While a machine slept, nothing was tried: that time does not count.
    lostAt += Math.max(0, clock.now() - dueAt)
  }
}

/** How many units of the run's log an event is. */
function units(event: ChatEvent): number {
  if ('message' in event) return event.message.length
  return 'thinking' in event ? event.thinking.length : 1
}

/** Calls `bark` after a silence. A timer that fires late gives waiting bytes a turn before it does. */
function watch(clock: Clock, silentMs: () => number, bark: () => void): { feed(): void; stop(): void } {
  let disarm = (): void => {}
  const feed = (): void => {
    disarm()
    disarm = clock.after(silentMs(), () => (disarm = clock.after(0, bark)))
  }
  feed()
  return { feed, stop: () => disarm() }
}

/** Waits, but no longer than until the page is online or visible again. An abort ends it, too. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController()
    const done = (): void => {
      disarm()
      over.abort()
      resolve()
    }
    const disarm = clock.after(ms, done)
    const on = (target: EventTarget | undefined, type: string, heard = done): void =>
      target?.addEventListener?.(type, heard, { signal: over.signal })
    on(signal, 'abort')
    on(globalThis, 'online')
    on(globalThis.document, 'visibilitychange', () => isHidden() || done())
    if (signal.aborted) done()
  })
}
