import { generate, type EndReason } from '../model/generate.ts'
import type { Memory, Model } from '../model/model.ts'
import type { PrefixCache } from '../model/prefix-cache.ts'
import { createRandom } from '../model/sample.ts'
import { createStopText } from '../model/stop-text.ts'
import type { FromWorker, RunRequest, RunUsage } from './protocol.ts'
import type { Turn } from './turns.ts'

/** One generation inside the worker. */
export interface Generation extends Turn {
  /** Ends it before its next token and says so. */
  abort(now: number): void
}

/** Makes a generation that tells its deltas and its one end to `tell`. Times are ms of one clock. */
export function createGeneration(
  model: Model,
  cache: PrefixCache,
  id: number,
  request: RunRequest,
  startedAt: number,
  tell: (message: FromWorker) => void,
): Generation {
  let memory: Memory | null = null
  let promptTokens = 0
  let promptAt = startedAt
  let tokens = 0
  const stopText = createStopText(request.stops)
  const pieces = generate(model, request.messages, {
    ...request,
    random: request.seed === null ? Math.random : createRandom(request.seed),
    openMemory: (prompt) => (memory = cache.take(prompt)),
  })
  const say = (text: string): void => {
    if (text !== '') tell({ type: 'delta', id, text })
  }
  const usage = (now: number): RunUsage => ({
    promptTokens,
    promptNs: nanoseconds(promptAt - startedAt),
    tokens,
    tokensNs: nanoseconds(now - promptAt),
  })
  const end = (reason: EndReason | 'aborted', now: number): void => {
    pieces.return('stop')
    if (memory !== null) cache.put(memory)
    memory = null
    tell({ type: 'end', id, reason, usage: usage(now) })
  }
  return {
    abort: (now) => end('aborted', now),
    next(now) {
      const piece = pieces.next()
      if (piece.done === true) {
        say(stopText.flush())
        end(piece.value, now)
        return 'end'
      }
      if (piece.value.type === 'prompt') {
        promptTokens = piece.value.promptTokens
        promptAt = now
        return 'work'
      }
      tokens++
      const { text, stopped } = stopText.push(piece.value.text)
      say(text)
      if (!stopped) return 'token'
      end('stop', now)
      return 'end'
    },
  }
}

function nanoseconds(ms: number): number {
  return Math.round(Math.max(0, ms) * 1e6)
}
