import type { Clock } from '../../clock.ts'
import type { Progress } from '../../wire/events.ts'
import { sameProgress } from './progress.ts'
import type { UpstreamEvent } from '../upstream.ts'

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

/** The events of one reply, with progress in front of the first of them. */
export type WatchLoading = (
  model: string,
  signal: AbortSignal,
  generate: (signal: AbortSignal) => AsyncIterable<UpstreamEvent[]>,
) => AsyncGenerator<UpstreamEvent[], void, undefined>

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

  return async function* (model, signal, generate) {
    // Whoever leaves before the first event must not leave the request behind.
    const left = new AbortController()
    const events = generate(AbortSignal.any([signal, left.signal]))[Symbol.asyncIterator]()
    let told: Progress | undefined
    let isNew = false
    let wake = (): void => {}
    const waiter: Waiter = {
      model,
      tell(progress) {
        if (sameProgress(progress, told)) return
        told = progress
        isNew = true
        wake()
      },
    }
    // An answer that never comes, not even when it is told to stop, must not keep the watch: it ends by itself.
    let onAbort = (): void => {}
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        leave(waiter)
        reject(signal.reason as Error)
      }
    })
    aborted.catch(() => undefined)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else join(waiter)
    let result: IteratorResult<UpstreamEvent[]> | undefined
    try {
      const first = events.next()
      // Looked at below, but perhaps not before it rejects.
      first.catch(() => undefined)
      while (!result) {
        if (isNew && told) {
          isNew = false
          yield [{ progress: told }]
        } else {
          const woken = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))
          result = await Promise.race([first, aborted, woken])
        }
      }
      leave(waiter)
      for (; result.done !== true; result = await events.next()) yield result.value
    } finally {
      leave(waiter)
      signal.removeEventListener('abort', onAbort)
      // Later it is left by its `return`, which may still read to the end of a whole reply.
      const ended = events.return?.()
      if (result) await ended
      else left.abort()
      ended?.catch(() => undefined)
    }
  }
}
