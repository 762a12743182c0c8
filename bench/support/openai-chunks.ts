import { token } from './ollama-lines.ts'

/** The chunks of a reply as llama.cpp words them: first the role, then a token each, then why it ended, then the usage. */
export function llamaChunks(deltas: number, { timings }: { readonly timings: boolean }): string[] {
  const chunk = (delta: object, finish: string | null, more: object = {}): string =>
    JSON.stringify({
      choices: [{ finish_reason: finish, index: 0, delta }],
      created: 1795331649,
      id: 'chatcmpl-DTuiQQ3NYtgTt6bxPEy5AdnxcZDu9mME',
      model: 'qwen3:32b',
      system_fingerprint: 'b1-de3ff81',
      object: 'chat.completion.chunk',
      ...more,
    })
  const timed = (n: number): object => ({
    timings: {
      cache_n: 5,
      prompt_n: 15,
      prompt_ms: 0.366,
      prompt_per_token_ms: 0.366,
      prompt_per_second: 2732.24043715847,
      predicted_n: n + 1,
      predicted_ms: 0.151 * n + 0.001,
      predicted_per_token_ms: 0.15725,
      predicted_per_second: 6359.300476947536,
    },
  })
  const said = Array.from({ length: deltas }, (_, n) => chunk({ content: token(n) }, null, timings ? timed(n) : {}))
  const usage = { completion_tokens: deltas, prompt_tokens: 20, total_tokens: deltas + 20 }
  return [
    chunk({ role: 'assistant', content: null }, null),
    ...said,
    chunk({}, 'stop'),
    chunk({}, null, { choices: [], usage, ...timed(deltas) }),
  ]
}

/** A frame of one token, as OpenAI words it. */
export function deltaFrame(n: number): string {
  return frame({ choices: [{ index: 0, delta: { content: token(n) }, finish_reason: null }] })
}

export function finalFrames(tokens: number): string {
  const usage = { prompt_tokens: 20, completion_tokens: tokens, total_tokens: tokens + 20 }
  const end = frame({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  return `${end}${frame({ choices: [], usage })}data: [DONE]\n\n`
}

function frame(more: object): string {
  const head = {
    id: 'chatcmpl-DTuiQQ3NYtgTt6bxPEy5',
    object: 'chat.completion.chunk',
    created: 1795331649,
    model: 'qwen3:32b',
  }
  return `data: ${JSON.stringify({ ...head, ...more })}\n\n`
}
