import type { Clock } from '../../clock.ts'
import type { Progress } from '../../wire/events.ts'
import { sameProgress } from './progress.ts'
import type { UpstreamSink } from '../upstream.ts'

/** When a server is first asked what it is at, ms; a model that is there already has mostly answered by then. */
const firstLookMs = 1_000
const nextLookMs = 2_000

/** What a server says of its models: how far a request to one of them can have come. */
export type ModelsSeen = (model: string) => Progress | undefined

export interface LoadingOptions {
  readonly clock: Clock
  /** Asks the server. Whatever goes wrong there is only a pity. */
  look(signal: AbortSignal): Promise<ModelsSeen>
}

/** Asks for one reply, and tells of progress in front of its first events. */
export type WatchLoading = (
  model: string,
  sink: UpstreamSink,
  signal: AbortSignal,
  open: (sink: UpstreamSink, signal: AbortSignal) => void,
) => void

interface Waiter {
  readonly model: string
  tell(progress: Progress): void
}

/**
 * For servers that say nothing at all while they load a model or read a prompt, but answer side questions meanwhile: one
 * question at a time for all runs that wait, and none once the last of them has its answer.
 */
export function createLoadingWatch({ clock, look }: LoadingOptions): WatchLoading {
  const waiting = new Set<Waiter>()
  let stop = (): void => {}

  const arm = (ms: number): void => {
    const abort = new AbortController()
    const disarm = clock.after(ms, () => void ask(abort.signal))
    stop = () => {
      disarm()
      abort.abort()
    }
  }
  const ask = async (signal: AbortSignal): Promise<void> => {
    try {
      const seen = await look(signal)
      for (const { model, tell } of signal.aborted ? [] : waiting) {
        const progress = seen(model)
        if (progress) tell(progress)
      }
    } catch {
      // The reply itself says what is wrong with the server.
    }
    if (!signal.aborted) arm(nextLookMs)
  }
  const join = (waiter: Waiter): void => {
    waiting.add(waiter)
    if (waiting.size === 1) arm(firstLookMs)
  }
  const leave = (waiter: Waiter): void => {
    if (waiting.delete(waiter) && waiting.size === 0) stop()
  }

  return (model, sink, signal, open) => {
    let told: Progress | undefined
    const waiter: Waiter = {
      model,
      tell(progress) {
        if (sameProgress(progress, told)) return
        told = progress
        void sink.push([{ progress }])
      },
    }
    // An answer that never comes, not even when it is told to stop, must not keep the watch: it ends by itself.
    let isWaiting = true
    const answered = (): void => {
      isWaiting = false
      leave(waiter)
      signal.removeEventListener('abort', answered)
    }
    signal.addEventListener('abort', answered)
    if (!signal.aborted) join(waiter)
    const watched: UpstreamSink = {
      push(events) {
        if (isWaiting) answered()
        return sink.push(events)
      },
      end(error) {
        if (isWaiting) answered()
        sink.end(error)
      },
    }
    try {
      open(watched, signal)
    } catch (error) {
      answered()
      throw error
    }
  }
}
