import type { Clock } from '../clock.ts'
import type { UpstreamStatus } from '../upstream/upstream.ts'
import { isRecord, parsedJson } from '../wire/json.ts'
import type { Target, Targets } from '../pool/targets.ts'

/** How long an upstream may take to say how it is, ms. */
const statusMs = 2_000
/** How long what it said holds, ms: anybody may ask, as often as they like, and each answer costs the server three requests. */
const holdMs = 1_000

/**
 * Tells how a gateway's model servers stand, to whoever asks.
 * @param onFault - Told what an upstream threw that should not have.
 */
export function createStanding(
  targets: Targets,
  clock: Clock,
  onFault: (error: unknown) => void,
): () => Promise<Record<string, unknown>> {
  const held = new Map<Target, { readonly status: Promise<UpstreamStatus>; until: number }>()

  /** The default model's server as `upstream`, and each model that a request may name. */
  const standing = async (): Promise<Record<string, unknown>> => {
    const names = [...targets.byModel]
    const each = await Promise.all(targets.all.map(async (target) => [target, await stand(target)] as const))
    const of = new Map(each)
    const { model, main, isRoute, fallback } = targets
    const models = Object.fromEntries(names.map(([name, target]) => [name, of.get(target)]))
    return {
      model,
      upstream: of.get(main),
      models,
      ...(isRoute && { fallback: fallback.map((target) => of.get(target)) }),
    }
  }
  const stand = async (target: Target): Promise<Record<string, unknown>> => {
    const { upstream, breaker } = target
    const said = await status(target)
    return { name: upstream.name, model: upstream.model, ...(breaker && { breaker: breaker.phase }), ...said }
  }
  /** Asked once, however many want to know. */
  const status = (target: Target): Promise<UpstreamStatus> => {
    const known = held.get(target)
    if (known && clock.now() < known.until) return known.status
    const asking = { status: askStatus(target), until: Infinity }
    held.set(target, asking)
    void asking.status.then(() => (asking.until = clock.now() + holdMs))
    return asking.status
  }
  /** Never rejects, and takes no longer than it may, whatever an upstream does. */
  const askStatus = async ({ upstream }: Target): Promise<UpstreamStatus> => {
    if (!upstream.status) return { state: 'ready' }
    const abort = new AbortController()
    let disarm = (): void => {}
    const late = new Promise<UpstreamStatus>((resolve) => {
      disarm = clock.after(statusMs, () => {
        abort.abort()
        resolve({ state: 'unreachable' })
      })
    })
    try {
      // As it will be written: an adapter may give what is no JSON.
      const said = parsedJson(JSON.stringify(await Promise.race([upstream.status(abort.signal), late])) ?? '')
      if (!isRecord(said)) throw new TypeError('The status of an upstream must be an object.')
      return said as unknown as UpstreamStatus
    } catch (error) {
      onFault(error)
      return { state: 'unreachable' }
    } finally {
      disarm()
    }
  }

  return standing
}
