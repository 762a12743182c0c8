import type { Gateway } from '@midstream/core/gateway'

/** How one model server is, as `GET /api/chat` says it. */
export interface ServerStanding {
  readonly name: string
  readonly model: string
  readonly state: 'ready' | 'idle' | 'unreachable' | 'unauthorized' | 'model_missing'
  /** The HTTP status of its answer, when that told nothing of its models. */
  readonly status?: number
  readonly breaker?: 'closed' | 'open' | 'half_open'
}

/** How the model servers of a gateway are. */
export interface Standing {
  readonly upstream: ServerStanding
  /** Of several, by the names of the file. */
  readonly models?: Readonly<Record<string, ServerStanding>>
  readonly fallback?: readonly ServerStanding[]
}

/**
 * Asks a gateway how its model servers are; it asks each of them, for two seconds at most.
 * @param host - A name by which it may be asked.
 */
export async function standingOf(gateway: Gateway, host: string): Promise<Standing> {
  const { body } = await gateway.reply({
    method: 'GET',
    url: `http://${host}${gateway.basePath}`,
    headers: new Headers({ host }),
    body: null,
    signal: new AbortController().signal,
  })
  if (typeof body !== 'string') throw new TypeError('the gateway did not say how it stands')
  return JSON.parse(body) as Standing
}

/** Whether a run that begins now has somebody to answer it. */
export function canAnswer({ upstream, models = {}, fallback = [] }: Standing): boolean {
  return [upstream, ...Object.values(models), ...fallback].some(
    ({ state, breaker }) => (state === 'ready' || state === 'idle') && breaker !== 'open',
  )
}

/** Asks once for all who ask within a while. */
export function cached<T>(ask: () => Promise<T>, keepMs: number, now: () => number): () => Promise<T> {
  let answer: Promise<T> | undefined
  let askedAt = -Infinity
  return () => {
    if (answer === undefined || now() - askedAt >= keepMs) {
      askedAt = now()
      answer = ask()
      // A failure is not kept.
      answer.catch(() => (answer = undefined))
    }
    return answer
  }
}
