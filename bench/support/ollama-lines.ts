const words = 'The quick brown fox jumps over the lazy dog near the river bank while 春光 明媚 and birds sing'.split(
  ' ',
)

/** The n-th token of a reply: about five characters, as tokens are. */
export function token(n: number): string {
  return ` ${words[n % words.length]!}`
}

/** A line of an answer as Ollama 0.30 words it. */
export function deltaLine(n: number): string {
  return contentLine(n, token(n))
}

/** A line with any text. Every stamp is another one: a repeated line would count as a fault. */
export function contentLine(n: number, content: string): string {
  const stamp = `2026-11-20T10:${String(Math.floor(n / 60e6) % 60).padStart(2, '0')}:${String((n / 1e6) % 60)}Z`
  const message = { role: 'assistant', content }
  return `${JSON.stringify({ model: 'qwen3:32b', created_at: stamp, message, done: false })}\n`
}

export function finalLine(tokens: number): string {
  const message = { role: 'assistant', content: '' }
  const counts = { total_duration: 1e9, prompt_eval_count: 20, eval_count: tokens }
  const head = { model: 'qwen3:32b', created_at: '2026-11-20T11:00:00Z', message, done: true, done_reason: 'stop' }
  return `${JSON.stringify({ ...head, ...counts })}\n`
}
