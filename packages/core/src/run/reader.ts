import type { Clock } from '../clock.ts'
import { coalesceDueAt, coalesceSent, coalesceStart, type coalesceDefaults } from '../transforms/coalesce.ts'
import { heartbeatDueAt, ping, type heartbeatDefaults } from '../transforms/heartbeat.ts'
import type { ChatEvent, StartEvent, StatusEvent } from '../wire/events.ts'
import { encodeSse } from '../wire/sse.ts'
import type { Run } from './runner.ts'

/** @public */
export interface ReaderOptions {
  readonly clock: Clock
  readonly coalesce: typeof coalesceDefaults
  readonly heartbeat: typeof heartbeatDefaults
  /** Where to read on; the end of what the reader has already. */
  readonly position: number
}

/** One connection to a run: it holds a position in the log and decides when to read on. @public */
export interface Reader {
  /**
   * The next frames, as one text, as soon as they are due; null after the terminal frame or `cancel()`.
   * Whoever does not call it gets no pings and costs no memory: later it reads one merged frame.
   */
  next(): Promise<string | null>
  /** Gives the reader up. */
  cancel(): void
}

const frame = (event: ChatEvent, position?: number): string => encodeSse(JSON.stringify(event), position)

/** Attaches a reader to a run. @public */
export function createReader(run: Run, options: ReaderOptions): Reader {
  const { clock, coalesce, heartbeat } = options
  let position = run.log.place(options.position)
  let pace = coalesceStart
  let sentAt = clock.now()
  let told: StatusEvent['status'] | 'nothing' = 'nothing'
  let closed = false
  let resolve: ((frames: string | null) => void) | undefined
  let armedFor = Infinity
  let disarm = (): void => {}

  const waiting = (): 'text' | 'other' | undefined => {
    if (told === 'nothing' || run.state.phase === 'ended' || told !== run.state.phase) return 'other'
    if (run.log.length <= position) return undefined
    return run.log.urgentTo > position ? 'other' : 'text'
  }
  const dueAt = (): number => {
    const what = waiting()
    const pingAt = heartbeatDueAt(sentAt, heartbeat)
    return what ? Math.min(coalesceDueAt(pace, what), pingAt) : pingAt
  }
  const read = (now: number): string => {
    const { state } = run
    let frames = ''
    if (told === 'nothing') {
      const start: StartEvent = {
        session_id: run.sessionId,
        run_id: run.runId,
        model: run.model,
        heartbeat_ms: heartbeat.intervalMs,
      }
      frames += frame(start)
    }
    if (state.phase !== 'ended' && told !== state.phase) frames += frame({ status: state.phase })
    told = state.phase === 'ended' ? 'generating' : state.phase
    const what = waiting()
    if (run.log.length > position && (what === 'other' || now >= coalesceDueAt(pace, 'text'))) {
      for (const entry of run.log.read(position)) frames += frame(entry.event, entry.position)
      position = run.log.length
      pace = coalesceSent(now, coalesce)
    }
    if (state.phase === 'ended') {
      frames += frame(state.terminal)
      close()
    }
    return frames === '' ? frame(ping) : frames
  }
  const close = (): void => {
    closed = true
    disarm()
    detach()
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
    answer(read(now))
  }
  const detach = run.attach(look)

  return {
    next() {
      if (closed) return Promise.resolve(null)
      return new Promise((settle) => {
        resolve = settle
        look()
      })
    },
    cancel() {
      close()
      resolve?.(null)
      resolve = undefined
    },
  }
}
