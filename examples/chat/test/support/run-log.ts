/** A run as the gateway has it, read from its start to its end. */
export interface RunLog {
  readonly text: string
  /** Why it ended. */
  readonly reason: string
  /** What the model server says it has made for it. */
  readonly tokens: number | undefined
}

export async function readRunLog(url: string, runId: string): Promise<RunLog> {
  const response = await fetch(`${url}/api/chat/runs/${runId}`)
  if (!response.ok) throw new Error(`the gateway says ${response.status} of ${runId}`)
  let text = ''
  for (const line of (await response.text()).split('\n')) {
    if (!line.startsWith('data: ')) continue
    const frame = JSON.parse(line.slice('data: '.length)) as {
      message?: string
      done?: true
      reason?: string
      usage?: { completion_tokens?: number }
    }
    text += frame.message ?? ''
    if (frame.done) return { text, reason: frame.reason ?? '', tokens: frame.usage?.completion_tokens }
  }
  throw new Error(`the log of ${runId} has no end`)
}
