import { ChatError } from '../wire/errors.ts'
import type { GatewayReply } from './reply.ts'
import type { GatewayRequest } from './request.ts'

type Headers = Readonly<Record<string, string>>

/**
 * Lets a page in or not, and says which headers tell its browser so. CORS headers alone stop no request, so a foreign
 * origin is refused before anything else happens.
 * @returns Headers for the answer; none for the gateway's own pages and for programs, which send no origin.
 * @throws {ChatError} `origin_not_allowed`.
 */
export function checkOrigin(request: GatewayRequest, allowed: ReadonlySet<string>): Headers {
  const origin = request.headers.get('origin')
  if (origin === null || isOwn(origin, request)) return {}
  const expose = { 'access-control-expose-headers': 'session-id, run-id, retry-after' }
  if (allowed.has(origin)) {
    return {
      ...expose,
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      vary: 'origin',
    }
  }
  if (allowed.has('*')) return { ...expose, 'access-control-allow-origin': '*' }
  throw new ChatError('origin_not_allowed', 'Pages of this origin may not use this gateway.')
}

/**
 * A page of a host whose address was changed to this one's (DNS rebinding) is its own origin to its browser: only the
 * host it asks for gives it away.
 * @throws {ChatError} `host_not_allowed`.
 */
export function checkHost(request: GatewayRequest, allowed: ReadonlySet<string> | undefined): void {
  if (!allowed) return
  const host = request.headers.get('host') ?? (URL.canParse(request.url) ? new URL(request.url).host : '')
  if (allowed.has(host)) return
  throw new ChatError('host_not_allowed', 'This gateway is not to be asked by that host.')
}

/**
 * By host alone: a proxy that ends TLS makes the schemes differ. The `Host` header counts, too, which no page can choose:
 * a web host may write its own name into `url`, as Next.js does (https://github.com/vercel/next.js/issues/37536).
 */
function isOwn(origin: string, { url, headers }: GatewayRequest): boolean {
  if (!URL.canParse(origin)) return false
  const { host } = new URL(origin)
  return host === headers.get('host') || (URL.canParse(url) && host === new URL(url).host)
}

/** The answer to a preflight. */
export function preflightReply(): GatewayReply {
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
      'access-control-allow-headers': 'authorization, content-type, last-event-id',
      'access-control-max-age': '600',
    },
    body: null,
  }
}
