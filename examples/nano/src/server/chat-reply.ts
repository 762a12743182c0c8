import type { RunUsage } from '../runner/protocol.ts'

/** What the last line of an answer counts. Durations in ns. */
export interface Metrics extends RunUsage {
  readonly totalNs: number
  readonly loadNs: number
}

/** A line that carries text. */
export function deltaReply(model: string, createdAt: string, content: string): object {
  return { model, created_at: createdAt, message: { role: 'assistant', content }, done: false }
}

/** The last line. Ollama leaves every metric out that is 0; without metrics it answers a request to load or unload. */
export function finalReply(
  model: string,
  createdAt: string,
  content: string,
  reason: 'stop' | 'length' | 'load' | 'unload',
  metrics: Metrics | null,
): object {
  const reply = {
    model,
    created_at: createdAt,
    message: { role: 'assistant', content },
    done: true,
    done_reason: reason,
  }
  if (metrics === null) return reply
  const counters = {
    total_duration: metrics.totalNs,
    load_duration: metrics.loadNs,
    prompt_eval_count: metrics.promptTokens,
    prompt_eval_duration: metrics.promptNs,
    eval_count: metrics.tokens,
    eval_duration: metrics.tokensNs,
  }
  return { ...reply, ...Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0)) }
}
