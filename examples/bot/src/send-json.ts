import type { Clock } from '@midstream/core'
import { parseObject } from './platform.ts'

/** How a platform is reached. */
export interface SendJsonOptions {
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
}

/** What a platform answered. */
export interface Answered {
  readonly status: number
  /** Undefined when the body is no object of JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

/** Longest wait for an answer, ms. */
const maxWaitMs = 10_000

/**
 * Sends JSON to a platform.
 * @returns Undefined when it cannot be reached, says nothing for ten seconds, or would send us elsewhere. Not what fetch says
 * of it: that could name the address, which may be a capability.
 */
export async function sendJson(
  { fetch, clock }: SendJsonOptions,
  method: 'POST' | 'PUT',
  url: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered | undefined> {
  const abort = new AbortController()
  const disarm = clock.after(maxWaitMs, () => abort.abort())
  try {
    const response = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      // A redirect could lead the token, or the answer, elsewhere.
      redirect: 'error',
      signal: abort.signal,
    })
    return { status: response.status, json: parseObject(await response.text()) }
  } catch {
    return undefined
  } finally {
    disarm()
  }
}
