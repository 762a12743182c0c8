import { contextLength } from '../model/model.ts'
import type { RunRequest } from '../runner/protocol.ts'
import { StatusError } from './status-error.ts'

/** What a request's `options` say about its generation. */
export type ChatOptions = Omit<RunRequest, 'messages'>

/**
 * Reads Ollama's `options`; what is absent is as in nano.Modelfile. Honoured: `temperature`, `top_k`, `seed`,
 * `num_predict`, `num_ctx`, `stop`. All others are ignored, as Ollama ignores what a runner does not know.
 * @throws {StatusError} 500 for a value of the wrong type: Ollama answers so, with these words.
 */
export function readChatOptions(options: Readonly<Record<string, unknown>>): ChatOptions {
  const number = (name: string, type: string): number | undefined => {
    const value = options[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'number') throw new StatusError(500, `option "${name}" must be of type ${type}`)
    return type === 'integer' ? Math.trunc(value) : value
  }
  const numPredict = number('num_predict', 'integer') ?? 512
  const numCtx = number('num_ctx', 'integer') ?? contextLength
  const seed = number('seed', 'integer') ?? -1
  return {
    // 0 and below mean "until the context is full".
    maxTokens: numPredict > 0 ? Math.min(numPredict, contextLength) : contextLength,
    context: Math.min(Math.max(numCtx, 4), contextLength),
    temperature: Math.max(0, number('temperature', 'float32') ?? 0.4),
    topK: Math.max(0, number('top_k', 'integer') ?? 20),
    seed: seed < 0 ? null : seed,
    stops: readStops(options['stop']),
  }
}

function readStops(value: unknown): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new StatusError(500, 'option "stop" must be of type array')
  return value.map((stop: unknown) => {
    if (typeof stop !== 'string') throw new StatusError(500, 'option "stop" must be of an array of strings')
    return stop
  })
}
