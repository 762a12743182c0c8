import { systemClock, type StageOptions } from '../clock.ts'
import { coalesceDueAt, coalesceSent, coalesceStart, resolveCoalesce, type CoalesceOptions } from '../read/coalesce.ts'
import type { ChatEvent } from '../wire/events.ts'

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
