import { systemClock, type StageOptions } from '../clock.ts'
import { driveFuse, type FuseDriver } from '../run/drive-fuse.ts'
import {
  fuseDueAt,
  fuseInput,
  resolveFuse,
  startFuse,
  stepFuse,
  type FuseInput,
  type FuseOptions,
} from '../run/fuse.ts'
import type { UpstreamEvent } from '../upstream/upstream.ts'

/**
 * The fuse as a stage for custom servers: upstream events pass through; the stream errors with the fuse's
 * {@link ChatError} when it blows. Ends quietly with its source; on cancel the timer ends.
 * @public
 */
export function fuse(options: FuseOptions & StageOptions = {}): TransformStream<UpstreamEvent, UpstreamEvent> {
  const policy = resolveFuse(options)
  const clock = options.clock ?? systemClock
  let state = startFuse(clock.now())
  let driver: FuseDriver | undefined
  // Backpressure has stopped the upstream since its last event; when it was let go again is only known to a window.
  let held = false

  const step = (input: FuseInput, out: TransformStreamDefaultController<UpstreamEvent>): boolean => {
    state = stepFuse(state, input, policy)
    driver?.look()
    if (state.phase === 'intact') return true
    driver?.stop()
    out.error(state.error)
    return false
  }
  const isFull = (out: TransformStreamDefaultController<UpstreamEvent>): boolean => (out.desiredSize ?? 0) <= 0
  const transformer: Transformer<UpstreamEvent, UpstreamEvent> & { cancel(): void } = {
    start(out) {
      driver = driveFuse(
        clock,
        () => fuseDueAt(state, policy),
        (now) => {
          step({ type: 'tick', now, held }, out)
          held &&= isFull(out)
        },
      )
    },
    transform(event, out) {
      if (!step(fuseInput(event, clock.now()), out)) return
      out.enqueue(event)
      held = isFull(out)
    },
    flush: () => driver?.stop(),
    cancel: () => driver?.stop(),
  }
  return new TransformStream(transformer, { highWaterMark: 1 }, { highWaterMark: 1 })
}
