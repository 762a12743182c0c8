import { backoffMs, ChatError, isChatError, type Clock, type LogEvent, type RandomBytes } from '@midstream/core'
import { abortable, abortWith, follow, reasonOf, throwIfAborted } from './abort.ts'
import { asWait, droppedError, isDocument, isPassing, notTheGateway } from './refusal.ts'
import { request, type Endpoint } from './request.ts'
import { createLogOrder } from './log-order.ts'
import { pause } from './page.ts'
import { knowsNoStreams, learnNoStreams, takePlace } from './places.ts'
import { canStream, isLogEvent, readEvents, type Received } from './read-events.ts'
import { presumedHeartbeatMs, silentHeartbeats, watch } from './watchdog.ts'

/** What it takes to read one run to its end, over as many connections as that needs. */
export interface RunLink {
  readonly options: Endpoint
  readonly runId: string
  /** Body of the request that starts the run; sending it again attaches to the same run. Without it, the run is there. */
  readonly json: object | undefined
  /** Whether the run may be there although `json` is: a page that was left in the moment of its request looks first. */
  readonly joins?: boolean | undefined
  /** Gives the run up. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly maxMs: number
  readonly random: RandomBytes
  /** How often the run before this one was tried in vain: so much longer the first request waits. */
  readonly tries: number
}

/** An event, or word that the connection was lost and that an attempt to get another one will follow. */
export type Reading = Received | { readonly type: 'reconnect'; readonly attempt: number }

/** From poll to poll, ms: the shortest after something new, twice as long each time while nothing is new. */
const pollMs = { shortest: 500, longest: 2_000 }

/** Attempts at what passes seldom, as long as nothing says that the gateway is there at all. */
const fewAttempts = 5

/**
 * Reads a run from its start to its terminal event. A network error, a body that ends without one, and silence for three
 * heartbeats are drops: it waits, at most until the page is online or visible again, and reads on from its position.
 *
 * It polls where a body would not come while it is made: the platform has no body streams, a layer in between holds bodies
 * back until their end, or the browser has too many streams open.
 * @throws {ChatError} `dropped` or `network` when that took longer than `maxMs`; at once what the gateway refused.
 */
export async function* readRun(link: RunLink): AsyncGenerator<Reading, void, undefined> {
  const { options: endpoint, runId, json, signal, clock } = link
  const order = createLogOrder(endpoint)
  let position = 0
  let heartbeatMs = presumedHeartbeatMs
  let opened = json === undefined || link.joins === true
  let attempt = 0
  let lostAt: number | undefined
  /** When the run began whose text is here, by the gateway's clock. */
  let startedAt: number | undefined
  /** Whether a body of this run has come while it was made. */
  let hasStreamed = false
  /** Whether a body was held back: nothing of it came. */
  let isHeld = false
  /** Whether there was no place for the stream that was begun. */
  let isCrowded = false
  /** How long to wait after a poll; 0 until there was one. */
  let waitMs = 0

  if (link.tries > 0) {
    yield { type: 'reconnect', attempt: link.tries }
    await pause(clock, backoffMs(link.tries, link.random), signal)
    throwIfAborted(signal)
  }
  for (;;) {
    const connection = follow(signal)
    const from = position
    const silence = droppedError()
    let polls = false
    /** What this connection has brought. */
    let got: 'nothing' | 'bytes' | 'run' = 'nothing'
    /** An answer that says of itself that it is no event stream, until an event comes. */
    let stranger: ChatError | undefined
    const watchdog = watch(
      clock,
      () => (stranger ? 1 : silentHeartbeats) * heartbeatMs,
      () => abortWith(connection, silence),
    )
    order.begin()
    // A body is left at its terminal event, or it throws.
    let lost: ChatError | undefined
    try {
      const place = !isHeld && !isCrowded && !knowsNoStreams(endpoint) && takePlace(endpoint, connection.signal)
      isCrowded = false
      // A message does not wait for the place of its answer: it is on its way in its own tick, and makes room if there is none.
      if (typeof place === 'boolean') polls = !place
      else if (opened) polls = !(await abortable(place, connection.signal))
      else void place.then((isFree) => isFree || abortWith(connection, crowded))
      // Once a frame has come, the run is there: starting it again could only be refused.
      // Layers forward an allow-list of headers: the position stands in the URL, too.
      const response = opened
        ? await request(endpoint, `/runs/${runId}?after=${position}${polls ? '&poll=1' : ''}`, {
            headers: { 'last-event-id': `${position}` },
            signal: connection.signal,
          })
        : await request(endpoint, polls ? '?poll=1' : '', { json: json!, signal: connection.signal })
      if (!polls && !canStream(response)) learnNoStreams(endpoint)
      if (!opened && isDocument(response)) {
        stranger = notTheGateway(response)
        watchdog.feed()
      }
      for await (const batch of readEvents(response, connection.signal)) {
        watchdog.feed()
        if (got === 'nothing') got = 'bytes'
        hasStreamed ||= !polls
        for (const received of batch) {
          const { event } = received
          opened = true
          stranger = undefined
          if ('session_id' in event) {
            if (event.heartbeat_ms > 0) heartbeatMs = event.heartbeat_ms
            // Somebody else has started a lost run again, under its id: what is here is no part of that.
            if (position > 0 && event.started_at !== startedAt) throw lostRun()
            startedAt = event.started_at
            order.starts(event.position ?? 0)
            watchdog.feed()
            got = 'run'
            // What a poll has said already: the status would flicker.
            if (waitMs > 0 && attempt === 0) continue
          }
          if (isLogEvent(event)) {
            const end = order.place(event, received.position, position)
            // What is known is dropped.
            if (end === undefined || end <= position) continue
            const fresh = lastUnits(event, end - position)
            position = end
            attempt = 0
            lostAt = undefined
            yield { type: 'event', event: fresh, position }
            continue
          }
          const isShort = 'done' in event && 'position' in event ? event.position > position : undefined
          // A success says nothing of its position.
          if (isShort || ('done' in event && isShort === undefined)) order.settle(position)
          if (isShort) throw droppedError()
          // The first frame and the status come over every connection, also over one that leads nowhere.
          if ('ping' in event) {
            attempt = 0
            lostAt = undefined
          }
          if ('done' in event) {
            // One that does not say where the run was cut has all of it.
            yield 'position' in event ? received : { ...received, event: { ...event, position } }
            return
          }
          yield received
        }
      }
      if (!polls || got !== 'run') throw droppedError()
      order.settle(position)
    } catch (error) {
      // A `fetch` that is aborted may reject with an error of its own, and before anybody else hears of it.
      lost = droppedError(!isChatError(error) && connection.signal.aborted ? reasonOf(connection.signal) : error)
      if (signal.aborted) throw lost
      if (reasonOf(connection.signal) === crowded) {
        isCrowded = true
        continue
      }
      // A body that is held back until its end looks like a dead line: a poll tells.
      if (lost === silence && got === 'nothing' && !hasStreamed) isHeld = true
      if (lost === silence && stranger) throw stranger
      // A gateway that has restarted: a run of which nothing has come yet is started again.
      if (opened && json && position === 0 && lost.code === 'not_found') opened = false
      // The request of a page that was left has arrived after all, or another page has asked meanwhile, and it was another one.
      else if ((link.joins || attempt > 0) && !opened && lost.code === 'run_conflict') opened = true
      else if (!isWorthAnother(lost, opened, attempt)) throw lost
    } finally {
      watchdog.stop()
      connection.abort()
    }
    if (!lost) {
      attempt = 0
      lostAt = undefined
      waitMs = position > from ? pollMs.shortest : Math.min(pollMs.longest, 2 * waitMs || pollMs.shortest)
      await pause(clock, waitMs, signal)
      throwIfAborted(signal)
      continue
    }
    const now = clock.now()
    lostAt ??= now
    // A gateway that says when to come back is not asked before that.
    const refusedMs = asWait(lost.retryAfterMs) ?? 0
    if (now + refusedMs - lostAt >= link.maxMs) throw lost
    attempt += 1
    yield { type: 'reconnect', attempt }
    const dueAt = now + Math.max(refusedMs, backoffMs(attempt, link.random))
    await pause(clock, dueAt - clock.now(), signal, refusedMs > 0)
    throwIfAborted(signal)
    // While a machine slept, nothing was tried: that time does not count.
    lostAt += Math.max(0, clock.now() - dueAt)
  }
}

const lostRun = (): ChatError => new ChatError('not_found', 'The gateway has lost the run and begun another one')

/** The pages of this browser have as many streams as they may: the run is read by polls. */
const crowded = {}

/** Tells whether another attempt may go better. */
function isWorthAnother(lost: ChatError, opened: boolean, attempt: number): boolean {
  // Where the session is busy, asking again would give an answer that nobody wants any more.
  if (lost.code === 'session_busy') return false
  // A wrong URL and a broken `headers` stay as they are; a gateway that restarts and a token that expires do not.
  if (isPassing(lost) || (lost.code === 'headers_failed' && lost.retryable)) return opened || attempt < fewAttempts
  return lost.retryable
}

/** The end of an event of the log; a layer that loses the position has the gateway send again what is here. */
function lastUnits(event: LogEvent, count: number): LogEvent {
  if ('message' in event) return { message: event.message.slice(-count) }
  return 'thinking' in event ? { thinking: event.thinking.slice(-count) } : event
}
