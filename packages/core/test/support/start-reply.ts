import type { Clock } from '../../src/clock.ts'
import { resolveFuse } from '../../src/run/fuse.ts'
import type { Run } from '../../src/run/run.ts'
import { startRun } from '../../src/run/start-run.ts'
import type { Upstream } from '../../src/upstream/upstream.ts'

/** Starts a run that asks an upstream for one reply. */
export function startReply(upstream: Upstream, clock: Clock): Run {
  const run = { runId: 'run_1', sessionId: 'sess_1', model: 'm', clock, orphanMs: 60_000 }
  return startRun(run, {
    clock,
    fuse: resolveFuse(),
    open: ({ prefill }, sink, signal) =>
      upstream.open(
        { model: 'm', messages: [{ role: 'user', content: 'Hello' }], prefill, interruptedNote: null },
        sink,
        signal,
      ),
  })
}
