import { systemClock, type StageOptions } from '../clock.ts'
import type { ChatEvent } from '../wire/events.ts'

/** @public */
export interface CoalesceOptions {
  /** At most one text frame in this time, ms; 0 sends every delta by itself. @defaultValue 100 */
  readonly windowMs?: number | undefined
}

/** @public */
export const coalesceDefaults: Readonly<{ windowMs: number }> = /* @__PURE__ */ Object.freeze({ windowMs: 100 })

/** @throws {RangeError} When a value makes no sense. @public */
export function resolveCoalesce(options: CoalesceOptions = {}): typeof coalesceDefaults {
  const { windowMs = coalesceDefaults.windowMs } = options
  if (!(windowMs >= 0)) throw new RangeError(`windowMs must be >= 0, got ${windowMs}`)
  return { windowMs }
}

/** When text may be sent again. The machine decides when a reader reads; it holds no text. @public */
export interface CoalesceState {
  readonly opensAt: number
}

/** Before the first text, which goes at once. @public */
export const coalesceStart: CoalesceState = /* @__PURE__ */ Object.freeze({ opensAt: -Infinity })

/** When what waits may go: text when the window opens, anything else now, and the text before it with it. @public */
export function coalesceDueAt(state: CoalesceState, waiting: 'text' | 'other'): number {
  return waiting === 'text' ? state.opensAt : -Infinity
}

/** Text was sent: the next one waits for a window. @public */
export function coalesceSent(now: number, policy: typeof coalesceDefaults): CoalesceState {
  return { opensAt: now + policy.windowMs }
}

type Delta = { readonly message: string } | { readonly thinking: string }
const isDelta = (event: ChatEvent): event is Delta => 'message' in event || 'thinking' in event

function merge(a: Delta, b: Delta): Delta | undefined {
  if ('message' in a) return 'message' in b ? { message: a.message + b.message } : undefined
  return 'thinking' in b ? { thinking: a.thinking + b.thinking } : undefined
}

/**
 * Coalescing as a stage for custom servers: events in, fewer events out. The first delta goes at once, then text at
 * most once a window; anything else flushes the text before it. When the source ends, what is left goes out; when it
 * fails or the reader cancels, the timer ends with it.
 * @public
 */
export function coalesce(options: CoalesceOptions & StageOptions = {}): TransformStream<ChatEvent, ChatEvent> {
  const policy = resolveCoalesce(options)
  const clock = options.clock ?? systemClock
  let state = coalesceStart
  let waiting: Delta[] = []
  let disarm: (() => void) | undefined

  const stop = (): void => {
    disarm?.()
    disarm = undefined
  }
  const send = (out: TransformStreamDefaultController<ChatEvent>): void => {
    stop()
    if (waiting.length === 0) return
    for (const delta of waiting) out.enqueue(delta)
    waiting = []
    state = coalesceSent(clock.now(), policy)
  }
  // A slow reader needs nothing here: once one event waits unread, the stream calls transform() no more.
  const transformer: Transformer<ChatEvent, ChatEvent> & { cancel(): void } = {
    transform(event, out) {
      if (!isDelta(event)) {
        send(out)
        out.enqueue(event)
        return
      }
      const last = waiting.at(-1)
      const merged = last && merge(last, event)
      if (merged) waiting[waiting.length - 1] = merged
      else waiting.push(event)
      const wait = coalesceDueAt(state, 'text') - clock.now()
      if (wait <= 0) send(out)
      else disarm ??= clock.after(wait, () => send(out))
    },
    flush: send,
    cancel: stop,
  }
  return new TransformStream(transformer, { highWaterMark: 1 }, { highWaterMark: 1 })
}
