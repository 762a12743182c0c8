// The worker thread: the model, and the generations that take turns on it. Nothing here ever blocks the HTTP side.
import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { createModel } from './model/model.ts'
import { createPrefixCache } from './model/prefix-cache.ts'
import { createGeneration, type Generation } from './runner/generation.ts'
import { paceInterval } from './runner/pace.ts'
import type { FromWorker, ToWorker, WorkerOptions } from './runner/protocol.ts'
import { createTurns } from './runner/turns.ts'

if (parentPort === null) throw new Error('worker.ts runs in a worker thread; start main.ts instead')
const port = parentPort
const { tokensPerSecond } = workerData as WorkerOptions
// The same address works from src/ and from dist/.
const model = createModel(readFileSync(new URL('../nano-lm.bin', import.meta.url)))
const cache = createPrefixCache(() => model.createMemory(), 8)
const turns = createTurns(paceInterval(tokensPerSecond))
const generations = new Map<number, Generation>()
let disarm = (): void => {}

const tell = (message: FromWorker): void => {
  if (message.type !== 'delta') generations.delete(message.id)
  port.postMessage(message)
}

function work(): void {
  const wantedAt = turns.step(performance.now())
  disarm()
  disarm = (): void => {}
  if (wantedAt === null) return
  const waitMs = wantedAt - performance.now()
  // An immediate lets the port's messages in before every token, so an abort is never late.
  if (waitMs <= 0) {
    const immediate = setImmediate(work)
    disarm = () => clearImmediate(immediate)
  } else {
    const timer = setTimeout(work, Math.min(waitMs, 2 ** 31 - 1))
    disarm = () => clearTimeout(timer)
  }
}

port.on('message', (message: ToWorker) => {
  const { id } = message
  if (message.type === 'abort') {
    if (turns.remove(id)) generations.get(id)?.abort(performance.now())
    return
  }
  const generation = createGeneration(model, cache, id, message.request, performance.now(), tell)
  generations.set(id, generation)
  turns.add(id, {
    next(now) {
      try {
        return generation.next(now)
      } catch (error) {
        tell({ type: 'fault', id, message: error instanceof Error ? error.message : String(error) })
        return 'end'
      }
    },
  })
  disarm()
  const immediate = setImmediate(work)
  disarm = () => clearImmediate(immediate)
})
