import type { Clock } from '../clock.ts'
import { coalesceDueAt, coalesceSent, coalesceStart, type coalesceDefaults } from './coalesce.ts'
import { heartbeatDueAt, type heartbeatDefaults } from './heartbeat.ts'
import type { LogView } from '../run/log-view.ts'
import { ChatError } from '../wire/errors.ts'
import { createCursor } from './cursor.ts'
import { midstreamOutput } from './output/midstream.ts'
import type { Output } from './output/output.ts'

/** How a reader reads. */
export interface ReaderOptions {
  /** Time and timers. */
  readonly clock: Clock
  /** When text goes out. */
  readonly coalesce: typeof coalesceDefaults
  /** When a ping goes out. */
  readonly heartbeat: typeof heartbeatDefaults
  /** Where to read on; the end of what the reader has already. */
  readonly position: number
  /** How long what was written may go untaken before the reader is given up, ms. @defaultValue Infinity */
  readonly unreadMs?: number | undefined
  /** How much longer than `orphanMs` the run goes on once this reader has left, ms. @defaultValue 0 */
  readonly awayMs?: number | undefined
  /** Called once, when nobody reads any more: the end was taken, or the reader was given up. */
  readonly onLeave?: (() => void) | undefined
  /** How events are worded. @defaultValue the wire of docs/design.md §3 */
  readonly output?: Output | undefined
}

/** Where a reader's frames go. @public */
export interface FrameSink {
  /** Takes frames, as one text. Returns whether there is room for more; if not, `resume` says when there is. */
  write(frames: string): boolean
  /** The terminal frame has been taken. */
  end(): void
  /** The reader gives up: the body must break off, so that it looks like a drop and like no end. */
  fail(error: unknown): void
}

/** One connection to a run: it decides when a cursor reads on. @public */
export interface Reader {
  /** Begins. What is due is written in this call. */
  start(sink: FrameSink): void
  /** The sink has room again. Until then it gets no pings and costs no memory: later it is given one merged frame. */
  resume(): void
  /** Some of what was written has been taken, but not all: `unreadMs` begins anew. */
  progress(): void
  /** Gives the reader up. Nothing is written any more. */
  cancel(): void
}

/** Attaches a reader to a run. */
export function createReader(view: LogView, options: ReaderOptions): Reader {
  const {
    clock,
    coalesce,
    heartbeat,
    position,
    unreadMs = Infinity,
    awayMs,
    onLeave,
    output = midstreamOutput,
  } = options
  const cursor = createCursor(view, output, { position, heartbeatMs: heartbeat.intervalMs })
  let pace = coalesceStart
  let sentAt = clock.now()
  let sink: FrameSink | undefined
  let hasRoom = false
  /** Since when nothing has been taken, while the sink has no room, ms. */
  let fullSince = sentAt
  let isOver = false
  let failure: { readonly error: unknown } | undefined
  let isWindowArmed = false
  let isBeatArmed = false
  let isUnreadArmed = false
  let disarmWindow = (): void => {}
  let disarmBeat = (): void => {}
  let disarmUnread = (): void => {}

  const leave = (): void => {
    if (isOver) return
    isOver = true
    disarmWindow()
    disarmBeat()
    disarmUnread()
    detach()
    onLeave?.()
  }
  const fail = (error: unknown): void => {
    leave()
    failure = { error }
    sink?.fail(error)
  }
  const end = (): void => {
    leave()
    sink?.end()
  }
  const write = (frames: string, now: number): void => {
    sentAt = now
    hasRoom = sink!.write(frames)
    if (hasRoom || isOver) return
    fullSince = now
    watchUnread(unreadMs)
  }
  /** A connection that takes nothing for long is given up: what waits for it is memory. One wait, and not one a frame. */
  const watchUnread = (ms: number): void => {
    if (isUnreadArmed || unreadMs === Infinity) return
    isUnreadArmed = true
    disarmUnread = clock.after(ms, () => {
      isUnreadArmed = false
      if (hasRoom) return
      const left = fullSince + unreadMs - clock.now()
      if (left > 0) watchUnread(left)
      else fail(new ChatError('dropped', `Nothing was read for ${unreadMs} ms.`, { retryable: true }))
    })
  }
  /** Writes what is due, or sees to it that somebody looks when it is. */
  const look = (now: number): void => {
    if (!hasRoom || isOver) return
    const waiting = cursor.waiting()
    if (waiting === undefined || (waiting === 'text' && isWindowArmed)) return
    if (waiting === 'text' && now < coalesceDueAt(pace, 'text')) return armWindow(now)
    try {
      const frames = cursor.read(now)
      if (cursor.tookText) pace = coalesceSent(now, coalesce)
      write(frames, now)
    } catch (error) {
      // A body that breaks off is a drop; one that hangs is nothing that anybody could tell.
      return fail(error)
    }
    if (cursor.isOver && hasRoom) end()
  }
  const armWindow = (now: number): void => {
    isWindowArmed = true
    disarmWindow = clock.after(coalesceDueAt(pace, 'text') - now, () => {
      isWindowArmed = false
      look(clock.now())
    })
  }
  /** One wait that looks at the clock, and not one a frame: most frames come long before a ping is due. */
  const beat = (now: number): void => {
    if (isBeatArmed || isOver) return
    if (hasRoom && now >= heartbeatDueAt(sentAt, heartbeat)) write(output.ping, now)
    // Without room nobody waits for a ping: `resume` looks again.
    if (now >= heartbeatDueAt(sentAt, heartbeat)) return
    isBeatArmed = true
    disarmBeat = clock.after(heartbeatDueAt(sentAt, heartbeat) - now, () => {
      isBeatArmed = false
      beat(clock.now())
    })
  }
  const detach = view.attach(look, awayMs)
  watchUnread(unreadMs)

  const resume = (): void => {
    if (isOver || !sink) return
    hasRoom = true
    if (cursor.isOver) return end()
    const now = clock.now()
    look(now)
    beat(now)
  }
  return {
    start(to) {
      // It may have waited in vain for somebody to begin.
      if (failure) return to.fail(failure.error)
      sink = to
      resume()
    },
    resume,
    progress: () => void (fullSince = clock.now()),
    cancel: leave,
  }
}
