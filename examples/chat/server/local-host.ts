import { isIP } from 'node:net'

/** Tells whether a server at this address is reachable from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.')
}

/**
 * Tells whether a `Host` header names this machine. A foreign name at a loopback address means that a page on the
 * internet has pointed its own domain here (DNS rebinding), and the gateway would take that page for its own.
 */
export function isLocalHost(host: string | undefined): boolean {
  const name = URL.canParse(`http://${host ?? ''}`) ? new URL(`http://${host ?? ''}`).hostname : ''
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[|\]$/g, '')) !== 0
}
