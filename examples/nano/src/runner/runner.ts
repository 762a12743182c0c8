import { Worker } from 'node:worker_threads'
import type { EndReason } from '../model/generate.ts'
import type { FromWorker, RunRequest, RunUsage, ToWorker, WorkerOptions } from './protocol.ts'

/** What a generation tells whoever started it: deltas, then exactly one `end` or `fault`, unless it was aborted. */
interface RunListener {
  delta(text: string): void
  end(reason: EndReason, usage: RunUsage): void
  fault(message: string): void
}

/** What a runner has done and does: for tests, and for whoever wants to see that an abort works. */
export interface RunnerStats {
  /** Generations that go on now. */
  readonly generating: number
  /** Tokens made by generations that have ended, aborted ones too. */
  readonly tokens: number
}

/** Runs generations somewhere else than here. */
export interface Runner {
  /** Starts a generation. @returns What aborts it; afterwards the listener hears nothing more. */
  start(request: RunRequest, listener: RunListener): () => void
  stats(): RunnerStats
  /** Settles when no generation goes on. */
  idle(): Promise<void>
  close(): Promise<void>
}

/**
 * Makes a runner on a worker thread. When the thread dies, its generations hear a fault, and the next start makes
 * another thread, as Ollama does with its runner process.
 */
export function createRunner(workerUrl: URL, options: WorkerOptions): Runner {
  const listeners = new Map<number, RunListener | null>() // null: aborted, and the worker has not said so yet
  const idleWaiters = new Set<() => void>()
  let worker: Worker | null = null
  let tokens = 0
  let lastId = 0

  const forget = (id: number): void => {
    listeners.delete(id)
    if (listeners.size > 0) return
    worker?.unref() // an idle thread does not keep the process
    for (const settle of idleWaiters) settle()
    idleWaiters.clear()
  }
  const hear = (message: FromWorker): void => {
    const listener = listeners.get(message.id)
    if (message.type === 'delta') return listener?.delta(message.text)
    forget(message.id)
    if (message.type === 'fault') return listener?.fault(message.message)
    tokens += message.usage.tokens
    if (message.reason !== 'aborted') listener?.end(message.reason, message.usage)
  }
  const create = (): Worker => {
    // execArgv is empty because flags of the parent (a test runner's, say) are not meant for this thread.
    const made = new Worker(workerUrl, { workerData: options, execArgv: [] })
    let cause = 'unexpected EOF'
    made.on('message', hear)
    made.on('error', (error) => (cause = error instanceof Error ? error.message : String(error)))
    made.on('exit', () => {
      if (worker !== made) return
      worker = null
      const lost = Array.from(listeners) // a listener may start anew, and that one lives
      for (const [id, listener] of lost) {
        forget(id)
        listener?.fault(cause)
      }
    })
    return made
  }
  const post = (message: ToWorker): void => {
    worker ??= create()
    worker.ref()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(message)
  }
  worker = create()
  worker.unref()

  return {
    start(request, listener) {
      const id = ++lastId
      listeners.set(id, listener)
      post({ type: 'start', id, request })
      return () => {
        if (!listeners.has(id)) return
        listeners.set(id, null)
        post({ type: 'abort', id })
      }
    },
    stats: () => ({ generating: listeners.size, tokens }),
    idle: () => (listeners.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.add(resolve))),
    async close() {
      const closing = worker
      worker = null
      listeners.clear()
      for (const settle of idleWaiters) settle()
      idleWaiters.clear()
      await closing?.terminate()
    },
  }
}
