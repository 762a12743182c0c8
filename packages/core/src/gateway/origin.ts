import { ChatError } from '../wire/errors.ts'
import { hostOf } from './host.ts'
import type { GatewayReply } from './reply.ts'
import type { GatewayRequest } from './request.ts'

/** Which pages of other origins may ask, and with which headers. */
export interface OriginPolicy {
  readonly allowedOrigins: ReadonlySet<string>
  /** Besides the client's own; undefined lets listed origins send any. */
  readonly allowedHeaders: readonly string[] | undefined
}

/** A request that is let in. */
interface LetIn {
  /** Tell the browser so. */
  readonly cors: Readonly<Record<string, string>>
  /** The request as everything that follows may see it. */
  readonly request: GatewayRequest
}

/**
 * Decides whether a page may ask, and what its browser is told. CORS headers alone stop no request, so a foreign origin is refused
 * before anything else happens. The gateway's own pages, and programs, which send no origin, need no headers.
 * @throws {ChatError} `origin_not_allowed`.
 */
export function checkOrigin(request: GatewayRequest, { allowedOrigins }: Pick<OriginPolicy, 'allowedOrigins'>): LetIn {
  const origin = request.headers.get('origin')
  if (origin === null) return { cors: noCors, request }
  const listed = listedCors(request, { allowedOrigins })
  if (listed !== noCors) return { cors: listed, request }
  if (isOwn(origin, request)) return { cors: noCors, request }
  if (allowedOrigins.has('*'))
    return { cors: { ...expose, 'access-control-allow-origin': '*' }, request: anonymous(request) }
  throw new ChatError('origin_not_allowed', refusal(origin, hostOf(request)))
}

const expose = { 'access-control-expose-headers': 'session-id, run-id, retry-after' }
export const noCors: Readonly<Record<string, string>> = {}

/** The headers for a page whose origin is listed by its name, {@link noCors} for others. */
export function listedCors(
  { headers }: GatewayRequest,
  { allowedOrigins }: Pick<OriginPolicy, 'allowedOrigins'>,
): Readonly<Record<string, string>> {
  const origin = headers.get('origin')
  if (origin === null || origin === '*' || !allowedOrigins.has(origin)) return noCors
  const own = { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'origin' }
  return { ...expose, ...own }
}

function refusal(origin: string, host: string): string {
  if (origin === 'null')
    return 'Origin not allowed: null, which files and sandboxed frames send. Only `*` in `allowedOrigins` lets them in, without credentials.'
  const said = JSON.stringify(origin.slice(0, 200))
  return `Origin not allowed: ${said}. The host that was asked is ${host}. If a proxy in front has changed the Host header, let it pass the browser's on; for a page of another origin, add it to \`allowedOrigins\`.`
}

/**
 * A browser says itself whether a page asks its own origin (Fetch Metadata, on https and localhost), which holds whatever a proxy
 * makes of `Host`. Elsewhere the host alone counts: a proxy that ends TLS makes the schemes differ.
 */
function isOwn(origin: string, { url, headers }: GatewayRequest): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin'
  const host = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]
  // `url`, too: a web host may write its own name into it, as Next.js does (https://github.com/vercel/next.js/issues/37536).
  return host !== undefined && (host === headers.get('host') || (URL.canParse(url) && host === new URL(url).host))
}

/**
 * The request without what a browser adds by itself. With `*` any page can have it sent, also one that the user has never seen: by
 * the user's cookies it would start runs in the user's name.
 */
function anonymous({
  method,
  url,
  headers,
  remoteAddress,
  localAddress,
  body,
  signal,
}: GatewayRequest): GatewayRequest {
  const bare = new Headers(headers)
  bare.delete('cookie')
  // These are sent without a page's doing once the browser knows the password; a token is not.
  if (/^\s*(?:basic|digest|negotiate|ntlm)\b/i.test(bare.get('authorization') ?? '')) bare.delete('authorization')
  return { method, url, headers: bare, remoteAddress, localAddress, body, signal }
}

const clientHeaders = ['authorization', 'content-type', 'last-event-id']
const token = /^[\w!#$%&'*+.^`|~-]+$/

/** The answer to a preflight. */
export function preflightReply({ headers }: GatewayRequest, policy: OriginPolicy): GatewayReply {
  const isListed = policy.allowedOrigins.has(headers.get('origin') ?? '')
  const asked = isListed
    ? (headers.get('access-control-request-headers') ?? '')
        .toLowerCase()
        .split(',')
        .map((name) => name.trim())
    : []
  const more = policy.allowedHeaders ?? asked.filter((name) => token.test(name))
  return {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
      'access-control-allow-headers': [...new Set([...clientHeaders, ...more])].join(', '),
      'access-control-max-age': '600',
    },
    body: null,
  }
}

/** Origins of app shells, as `capacitor://localhost`, `app://-` or `chrome-extension://abc`: URL parsers say `null` for all of them. */
const shell = /^(?!https?:|wss?:|ftp:|data:|blob:|about:|javascript:)[a-z][a-z\d+.-]*:\/\/[\w.~-]+(?::\d{1,5})?$/

/** @throws {TypeError} When an entry can be no page's origin, or is everybody's. */
export function resolveOrigins(origins: readonly string[] = []): ReadonlySet<string> {
  for (const origin of origins) {
    if (origin === 'null')
      throw new TypeError(
        "allowedOrigins must not list null: any page can send it from a sandboxed frame. Use '*', which carries no credentials.",
      )
    const isWeb =
      /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes('*')
    if (origin !== '*' && origin !== 'file://' && !isWeb && !shell.test(origin))
      throw new TypeError(`allowedOrigins must look like https://app.example or capacitor://localhost, got ${origin}`)
  }
  return new Set(origins)
}

/** @throws {TypeError} When an entry is no header's name. */
export function resolveHeaders(names: readonly string[] | undefined): readonly string[] | undefined {
  for (const name of names ?? [])
    if (!token.test(name) || name === '*')
      throw new TypeError(`allowedHeaders must hold names of headers, such as x-csrf-token, got ${name}`)
  return names?.map((name) => name.toLowerCase())
}
