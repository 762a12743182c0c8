import type { Clock } from '../clock.ts'
import { coalesceDueAt, coalesceSent, coalesceStart, type coalesceDefaults } from '../transforms/coalesce.ts'
import { heartbeatDueAt, ping, type heartbeatDefaults } from '../transforms/heartbeat.ts'
import { ChatError } from '../wire/errors.ts'
import type { ChatEvent, Progress } from '../wire/events.ts'
import { encodeSse } from '../wire/sse.ts'
import type { RunState } from '../run/run-state.ts'
import type { Run } from '../run/run.ts'

/** @public */
export interface ReaderOptions {
  /** Time and timers. */
  readonly clock: Clock
  /** When text goes out. */
  readonly coalesce: typeof coalesceDefaults
  /** When a ping goes out. */
  readonly heartbeat: typeof heartbeatDefaults
  /** Where to read on; the end of what the reader has already. */
  readonly position: number
  /** How long what was given may go untaken before the reader is given up, ms. @defaultValue Infinity */
  readonly unreadMs?: number | undefined
  /** Called once, when nobody reads any more: the end was taken, or the reader was given up. */
  readonly onLeave?: (() => void) | undefined
}

/** One connection to a run: it holds a position in the log and decides when to read on. @public */
export interface Reader {
  /**
   * The next frames, as one text, as soon as they are due; null after the terminal frame or `cancel()`.
   * Whoever does not call it gets no pings and costs no memory: later it reads one merged frame. It rejects when nothing was
   * taken for `unreadMs`.
   */
  next(): Promise<string | null>
  /** Gives the reader up. */
  cancel(): void
  /** Some of what `next` gave has been taken, but not all: the time begins anew. */
  progress(): void
  /** Calls back when the reader is given up as nobody takes anything. Its body must break off, and not end as if it were whole. */
  onUnread(listener: (error: ChatError) => void): void
}

function statusFrame(state: RunState, progress: Progress | undefined, now: number): string {
  if (state.phase === 'ended') return frame(state.terminal)
  const { phase: status, retry, successor } = state
  const next = retry && { attempt: retry.attempt, retry_in_ms: Math.max(0, Math.ceil(retry.at - now)) }
  return frame({ status, ...next, ...successor, ...(progress && { progress }) })
}

const frame = (event: ChatEvent, position?: number): string => encodeSse(JSON.stringify(event), position)

/** Attaches a reader to a run. @public */
export function createReader(run: Run, options: ReaderOptions): Reader {
  const { clock, coalesce, heartbeat, unreadMs = Infinity, onLeave } = options
  let position = run.log.place(options.position)
  let pace = coalesceStart
  let sentAt = clock.now()
  /** The state that the reader was told of last. */
  let told: RunState | undefined
  let toldProgress: Progress | undefined
  let closed = false
  let resolve: ((frames: string | null | PromiseLike<never>) => void) | undefined
  let armedFor = Infinity
  let disarm = (): void => {}
  let hasLeft = false
  let unread: ChatError | undefined
  let tellUnread = (_error: ChatError): void => {}
  let disarmUnread = (): void => {}

  const waiting = (): 'text' | 'other' | undefined => {
    if (told !== run.state) return 'other'
    if (run.log.urgentTo > position) return 'other'
    // Figures come as often as text does, and are as urgent.
    return run.log.length > position || isFurther() ? 'text' : undefined
  }
  const isFurther = (): boolean => run.progress !== undefined && run.progress !== toldProgress
  const dueAt = (): number => {
    const what = waiting()
    const pingAt = heartbeatDueAt(sentAt, heartbeat)
    return what ? Math.min(coalesceDueAt(pace, what), pingAt) : pingAt
  }
  const read = (now: number): string => {
    const { state } = run
    let frames = ''
    if (!told) {
      frames += frame({
        session_id: run.sessionId,
        run_id: run.runId,
        model: run.model,
        heartbeat_ms: heartbeat.intervalMs,
        ...(run.continues && { continues: run.continues }),
        ...(position > 0 && { position }),
      })
    }
    // Anything but text flushes the text before it; `generating` alone comes before the text that it announces.
    const what = waiting()
    const isDue = what === 'other' || now >= coalesceDueAt(pace, 'text')
    const status = told !== state || (isDue && isFurther()) ? statusFrame(state, run.progress, now) : ''
    const text = isDue && run.log.length > position ? readText() : ''
    if (text !== '' || (status !== '' && run.progress)) pace = coalesceSent(now, coalesce)
    frames += state.phase === 'generating' && told !== state ? status + text : text + status
    told = state
    if (status !== '') toldProgress = run.progress
    if (state.phase === 'ended') close()
    return frames === '' ? frame(ping) : frames
  }
  const readText = (): string => {
    const entries = run.log.read(position)
    position = run.log.length
    return entries.map((entry) => frame(entry.event, entry.position)).join('')
  }
  const close = (): void => {
    closed = true
    disarm()
    detach()
  }
  const leave = (): void => {
    close()
    disarmUnread()
    if (hasLeft) return
    hasLeft = true
    onLeave?.()
  }
  /** Something was given: from now on it should be taken. */
  const awaitTaking = (): void => {
    disarmUnread()
    if (hasLeft || unreadMs === Infinity) return
    disarmUnread = clock.after(unreadMs, () => {
      unread = new ChatError('dropped', `Nothing was read for ${unreadMs} ms.`, { retryable: true })
      leave()
      tellUnread(unread)
    })
  }
  /** Answers a waiting `next()` when something is due, else sees to it that somebody looks again. */
  const look = (): void => {
    if (!resolve) return
    const now = clock.now()
    const due = dueAt()
    if (now < due) {
      // A timer that is set for earlier looks again by itself: most deltas need no timer of their own.
      if (due >= armedFor) return
      disarm()
      armedFor = due
      disarm = clock.after(due - now, () => {
        armedFor = Infinity
        look()
      })
      return
    }
    const answer = resolve
    resolve = undefined
    sentAt = now
    try {
      answer(read(now))
      awaitTaking()
    } catch (error) {
      // A body that breaks off is a drop; one that hangs is nothing that anybody could tell.
      leave()
      answer(Promise.reject(error))
    }
  }
  const detach = run.attach(look)
  awaitTaking()

  return {
    next() {
      disarmUnread()
      if (unread) return Promise.reject(unread)
      if (closed) {
        leave()
        return Promise.resolve(null)
      }
      return new Promise((settle) => {
        resolve = settle
        look()
      })
    },
    cancel() {
      leave()
      resolve?.(null)
      resolve = undefined
    },
    progress() {
      if (!resolve) awaitTaking()
    },
    onUnread: (listener) => void (tellUnread = listener),
  }
}
