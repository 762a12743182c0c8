import type { ChatErrorCode } from '@midstream/core'
import type { GatewayStats, Run } from '@midstream/core/gateway'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The figures of one program, for Prometheus. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  /** A run has ended, which so many readers had left. */
  run(run: Run, upstream: string, left: number): void
  /** A request of the chat was refused. */
  refused(code: string): void
  /** A connection was closed at once, as there were too many. */
  dropped(): void
  /** Something failed in the program itself. */
  crash(): void
}

/** Codes by which a run ends at a bound of its own, and not by what the server says. */
const fuses: ReadonlySet<ChatErrorCode> = new Set<ChatErrorCode>([
  'upstream_malformed',
  'upstream_stalled',
  'upstream_silent',
  'overflow',
  'run_too_long',
])

/** What is asked at each scrape: how the gateway stands, and how many connections there are. */
interface Sources {
  stats(): GatewayStats
  connections(): number
}

export function createMetrics({ stats, connections }: Sources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `midstream_${name}`, help, labelNames, registers })
  const gauge = (name: string, help: string, read: () => number): void =>
    void new Gauge({
      name: `midstream_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })

  gauge('runs_active', 'Runs that have not ended.', () => stats().runs)
  gauge('readers_active', 'Connections that read a run.', () => stats().readers)
  gauge('connections', 'Connections of clients, of any kind.', connections)
  void new Gauge({
    name: 'midstream_breaker_state',
    help: 'Of each model server: 1 for the state that its breaker is in.',
    labelNames: ['server', 'upstream', 'model', 'state'],
    registers,
    collect() {
      this.reset()
      for (const [i, { name, model, breaker }] of stats().upstreams.entries()) {
        if (breaker === null) continue
        // Two servers may be of one kind and have one model.
        const server = { server: String(i), upstream: name, model }
        for (const state of ['closed', 'open', 'half_open']) this.set({ ...server, state }, state === breaker ? 1 : 0)
      }
    },
  })
  const runs = counter('runs_total', 'Runs that have ended.', ['model', 'upstream', 'reason'])
  const errors = counter('run_errors_total', 'Runs that failed.', ['code'])
  const blown = counter('fuse_blows_total', 'Runs that a fuse or another bound ended.', ['code'])
  const interrupts = counter('interrupts_total', 'Runs that were ended early, by whom.', ['by'])
  const drops = counter(
    'drops_total',
    'Readers that left before the end of their run, and not to interrupt it; counted at that end.',
    [],
  )
  const retries = counter('retries_total', 'Times that a model server was asked again for the same run.', [])
  const recoveries = counter(
    'recoveries_total',
    'Runs whose model server was asked again: it went on (recovered), it did not (failed), or nobody waited (abandoned).',
    ['outcome'],
  )
  const tokens = counter('tokens_total', 'Tokens, as the model servers count them, or estimated.', ['kind'])
  const refusals = counter('refused_total', 'Requests of the chat that were refused.', ['code'])
  const dropped = counter(
    'connections_dropped_total',
    'Connections that were closed at once, as there were too many.',
    [],
  )
  const crashes = counter('crashes_total', 'Failures of the program itself, of which the log tells.', [])
  const firstDelta = new Histogram({
    name: 'midstream_time_to_first_token_seconds',
    help: 'From the request to the first delta, loading and retries included.',
    labelNames: ['model'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    registers,
  })
  const pace = new Histogram({
    name: 'midstream_tokens_per_second',
    help: 'Pace of a run from its first delta to its end.',
    labelNames: ['model'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  })
  const duration = new Histogram({
    name: 'midstream_run_duration_seconds',
    help: 'From the request to the end of the run.',
    labelNames: ['model'],
    buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3_600],
    registers,
  })

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    run(run, upstream, left) {
      const { state, model, startedAt, firstDeltaAt, endedAt = startedAt } = run
      if (state.phase !== 'ended') return
      const { terminal } = state
      const hasFailed = terminal.reason === 'error'
      runs.inc({ model, upstream, reason: terminal.reason })
      duration.observe({ model }, (endedAt - startedAt) / 1_000)
      if (terminal.reason === 'interrupted') interrupts.inc({ by: terminal.by })
      if (hasFailed) errors.inc({ code: terminal.error.code })
      if (hasFailed && fuses.has(terminal.error.code)) blown.inc({ code: terminal.error.code })
      retries.inc(run.retries)
      drops.inc(left)
      const isAbandoned = terminal.reason === 'interrupted' && !run.answered
      const outcome = hasFailed ? 'failed' : isAbandoned ? 'abandoned' : 'recovered'
      if (run.retries > 0) recoveries.inc({ outcome })
      const usage = ('usage' in terminal ? terminal.usage : undefined) ?? run.usage
      const made = usage?.completion_tokens ?? 0
      tokens.inc({ kind: 'prompt' }, usage?.prompt_tokens ?? 0)
      tokens.inc({ kind: 'completion' }, made)
      if (firstDeltaAt === undefined) return
      firstDelta.observe({ model }, (firstDeltaAt - startedAt) / 1_000)
      // One token has no pace, and what came at once has none either.
      if (made > 1 && endedAt > firstDeltaAt) pace.observe({ model }, (made * 1_000) / (endedAt - firstDeltaAt))
    },
    refused: (code) => refusals.inc({ code }),
    dropped: () => dropped.inc(),
    crash: () => crashes.inc(),
  }
}
