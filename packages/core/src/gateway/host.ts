import { ChatError } from '../wire/errors.ts'
import type { GatewayRequest } from './request.ts'

/** A name or an address, with or without a port, as it stands in a `Host` header. */
const shape = /^(?<name>[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i

/** Whether a text is a host and nothing else: text with a path or a `?` in it would choose the path of a URL made from it. */
export function isHost(text: string): boolean {
  return shape.test(text)
}

/** The host that a request was sent to, in lower case. A web host may write its own name into `url`, so the header goes first. */
export function hostOf({ url, headers }: Pick<GatewayRequest, 'url' | 'headers'>): string {
  const host = headers.get('host') ?? /^[a-z][a-z\d+.-]*:\/\/([^/?#\\]*)/i.exec(url)?.[1] ?? ''
  return host.toLowerCase()
}

/** @throws {TypeError} When an entry is no host. */
export function resolveHosts(hosts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  for (const host of hosts ?? [])
    if (host !== '*' && !isHost(host))
      throw new TypeError(
        `allowedHosts must look like chat.example or localhost:8080 (no scheme, no path), got ${host}`,
      )
  return hosts && new Set(hosts.map((host) => host.toLowerCase()))
}

/** Lets every host through that is one. */
export const anyHost: ReadonlySet<string> = /* @__PURE__ */ new Set(['*'])

/**
 * A page whose host's address was changed to this one's (DNS rebinding) has the gateway's own origin in its browser: only the host
 * that it asks for gives it away. It is the danger of a gateway on a loopback address that asks nobody who they are, so there only
 * names that no DNS server can change are allowed by default.
 * @throws {ChatError} `bad_request` when the host is none, `host_not_allowed`.
 */
export function checkHost(
  request: GatewayRequest,
  allowed: ReadonlySet<string> | undefined,
  { isOpen }: { readonly isOpen: boolean },
): void {
  const host = hostOf(request)
  if (!isHost(host))
    throw new ChatError('bad_request', 'The Host header must be a host name or an address, with or without a port.')
  if (allowed) {
    if (allowed.has(host) || allowed.has('*')) return
    throw new ChatError('host_not_allowed', `Host not allowed: ${host}. Add it to \`allowedHosts\`.`)
  }
  if (!isOpen || !isLoopback(request.localAddress) || isLocal(host)) return
  throw new ChatError(
    'host_not_allowed',
    `Host not allowed: ${host}. Without \`authorize\`, a gateway on a loopback address answers only localhost and IP addresses. Add the host to \`allowedHosts\`.`,
  )
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1$|(?:::ffff:)?127\.)/i.test(address)
}

/** An address, or a name that means this machine everywhere (RFC 6761, 6.3). */
function isLocal(host: string): boolean {
  const name = shape.exec(host)?.groups?.['name'] ?? ''
  return /^(?:(?:.+\.)?localhost\.?|\d{1,3}(?:\.\d{1,3}){3}|\[.*\])$/.test(name)
}
