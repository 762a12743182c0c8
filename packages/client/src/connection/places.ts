import { partsOf } from './address.ts'
import type { Endpoint } from './request.ts'

/**
 * Event streams that the pages of a browser hold open at one origin. Over HTTP/1.1 a browser has six connections to an origin:
 * what is left is for an interrupt, which must not wait until an answer has ended. Runs beyond these poll.
 */
const maxStreams = 4

/** Places that this page has taken. */
const taken = new Set<string>()

/**
 * Takes the place of an event stream, until the signal aborts. Pages share places by Web Locks, which a page that dies gives
 * back; where there are none (a page without HTTPS), each page counts for itself.
 * @returns Whether there was one. At once where nothing is limited (outside of pages, and over HTTP/2), where this page has all of
 * them, and where there are no locks to ask.
 */
export function takePlace(endpoint: Endpoint, signal: AbortSignal): boolean | Promise<boolean> {
  const origin = limitedOrigin(endpoint.url)
  if (origin === undefined) return true
  const names = Array.from({ length: maxStreams }, (_, i) => `midstream ${origin} ${i}`)
  const free = names.find((name) => !taken.has(name))
  if (free === undefined) return false
  const { locks } = globalThis.navigator ?? {}
  return locks ? take(locks, names, signal) : hold(free, signal)
}

function hold(name: string, signal: AbortSignal): true {
  taken.add(name)
  signal.addEventListener('abort', () => taken.delete(name))
  return true
}

async function take(locks: LockManager, names: readonly string[], signal: AbortSignal): Promise<boolean> {
  for (const name of names) {
    if (taken.has(name)) continue
    taken.add(name)
    // oxlint-disable-next-line no-await-in-loop -- one is enough
    if ((await lock(locks, name, signal)) && !signal.aborted) return hold(name, signal)
    taken.delete(name)
  }
  return false
}

function lock(locks: LockManager, name: string, signal: AbortSignal): Promise<boolean> {
  return new Promise<boolean>((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (granted) => {
        resolve(granted !== null)
        return granted && !signal.aborted
          ? new Promise((release) => signal.addEventListener('abort', release))
          : undefined
      })
      .catch(reject)
    // A sandboxed page may not ask: it counts for itself.
  }).catch(() => true)
}

/** The origin of a URL, if a browser asks it over connections that carry one request at a time. */
function limitedOrigin(url: string): string | undefined {
  const { location, performance } = globalThis
  const { origin } = partsOf(url)
  // A page without an address of its own.
  if (!location || !origin) return undefined
  try {
    const entries = performance.getEntries() as Partial<PerformanceResourceTiming>[]
    const isShared = entries.some(
      (entry) => entry.name!.startsWith(`${origin}/`) && /^h[23]/.test(entry.nextHopProtocol ?? ''),
    )
    return isShared ? undefined : origin
  } catch {
    return undefined
  }
}

/** Endpoints whose `fetch` has given a body only at its end. */
const unstreamed = new WeakSet<Endpoint>()

/** React Native has no body streams: an answer would be shown only at its end. */
export const knowsNoStreams = (endpoint: Endpoint): boolean =>
  unstreamed.has(endpoint) || (!endpoint.fetch && typeof Response === 'function' && !('body' in Response.prototype))

/** Remembers that a `fetch` has no body streams: what follows polls. */
export const learnNoStreams = (endpoint: Endpoint): void => void unstreamed.add(endpoint)
