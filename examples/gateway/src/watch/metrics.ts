import type { ChatErrorCode, Run } from '@midstream/core'
import type { GatewayStats } from '@midstream/core/gateway'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The figures of one program, for Prometheus. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  /** A run has ended. */
  run(run: Run, upstream: string): void
  /** A request of the chat was refused. */
  refused(code: string): void
  /** A reader left before the end. */
  drop(): void
  /** Something failed that nobody waited for. */
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

/** @param stats - How the gateway stands, asked at each scrape. */
export function createMetrics(stats: () => GatewayStats): Metrics {
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
  const drops = counter('drops_total', 'Readers that left before the end of their run.', [])
  const retries = counter('retries_total', 'Times that a model server was asked again for the same run.', [])
  const recoveries = counter('recoveries_total', 'Runs that went on after a model server failed, by how they ended.', [
    'outcome',
  ])
  const tokens = counter('tokens_total', 'Tokens, as the model servers count them, or estimated.', ['kind'])
  const refusals = counter('refused_total', 'Requests of the chat that were refused.', ['code'])
  const crashes = counter('crashes_total', 'Failures that nobody waited for.', [])
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
    run(run, upstream) {
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
      if (run.retries > 0) recoveries.inc({ outcome: hasFailed ? 'failed' : 'recovered' })
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
    drop: () => drops.inc(),
    crash: () => crashes.inc(),
  }
}
