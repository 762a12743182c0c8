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
 * @returns Whether there was one; `true` at once where nothing is limited: outside of pages, and over HTTP/2.
 */
export function takePlace(endpoint: Endpoint, signal: AbortSignal): true | Promise<boolean> {
  const origin = limitedOrigin(endpoint.url)
  return origin === undefined || take(origin, signal)
}

async function take(origin: string, signal: AbortSignal): Promise<boolean> {
  for (let i = 0; i < maxStreams; i += 1) {
    const name = `midstream ${origin} ${i}`
    if (taken.has(name)) continue
    taken.add(name)
    // oxlint-disable-next-line no-await-in-loop -- one is enough
    if (await lock(name, signal)) {
      signal.addEventListener('abort', () => taken.delete(name))
      if (!signal.aborted) return true
    }
    taken.delete(name)
  }
  return false
}

function lock(name: string, signal: AbortSignal): Promise<boolean> {
  const { locks } = globalThis.navigator ?? {}
  return new Promise((resolve) => {
    if (!locks) return resolve(true)
    locks
      .request(name, { ifAvailable: true }, (granted) => {
        resolve(granted !== null)
        return granted && !signal.aborted
          ? new Promise((release) => signal.addEventListener('abort', release))
          : undefined
      })
      // A sandboxed page may not ask: it counts for itself.
      .catch(() => resolve(true))
  })
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
