import type { Clock } from '../clock.ts'
import type { UpstreamStatus } from '../upstream/upstream.ts'
import type { Target, Targets } from '../pool/targets.ts'

/** How long an upstream may take to say how it is, ms. */
const statusMs = 2_000

/** Tells how a gateway's model servers stand, to whoever asks. */
export function createStanding(targets: Targets, clock: Clock): () => Promise<Record<string, unknown>> {
  const asked = new Map<Target, Promise<UpstreamStatus>>()

  /** The default model's server as `upstream`; of a route, each of them by its name. */
  const standing = async (): Promise<Record<string, unknown>> => {
    const names = [...targets.byModel]
    const each = await Promise.all(targets.all.map(async (target) => [target, await stand(target)] as const))
    const of = new Map(each)
    const { model, main, isRoute, fallback } = targets
    const models = Object.fromEntries(names.map(([name, target]) => [name, of.get(target)]))
    return {
      model,
      upstream: of.get(main),
      ...(isRoute && { models, fallback: fallback.map((target) => of.get(target)) }),
    }
  }
  const stand = async (target: Target): Promise<Record<string, unknown>> => {
    const { upstream, breaker } = target
    return {
      name: upstream.name,
      model: upstream.model,
      ...(breaker && { breaker: breaker.phase }),
      ...(await status(target)),
    }
  }
  /** Asked once, however many want to know. */
  const status = (target: Target): Promise<UpstreamStatus> => {
    const asking = asked.get(target) ?? askStatus(target).finally(() => asked.delete(target))
    asked.set(target, asking)
    return asking
  }
  const askStatus = async ({ upstream }: Target): Promise<UpstreamStatus> => {
    if (!upstream.status) return { state: 'ready' }
    const abort = new AbortController()
    const disarm = clock.after(statusMs, () => abort.abort())
    return upstream.status(abort.signal).finally(disarm)
  }

  return standing
}
