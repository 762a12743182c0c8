import { isIP } from 'node:net'

/** Whether what listens at an address is reachable from this machine only. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.')
}

/**
 * Names by which a server at a loopback address may be asked: a page of another name at this address has had its name pointed
 * here (DNS rebinding). Undefined elsewhere, where anybody may give this machine a name.
 */
export function localHosts(address: string, port: number): readonly string[] | undefined {
  if (!isLoopback(address)) return undefined
  const own = address.includes(':') ? `[${address}]` : address
  const names = [...new Set(['localhost', '127.0.0.1', '[::1]', own])]
  // A browser leaves out the port that goes without saying.
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])]
}

/**
 * Whether a `Host` is none that a page could have had pointed here: an address, `localhost`, or none at all, as what watches
 * over programs asks.
 */
export function isProbe(host: string | undefined): boolean {
  const name = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host ?? 'localhost')?.[1] ?? ''
  return name.toLowerCase() === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}

/** Where a browser on this machine finds a server. */
export function urlOf(address: string, port: number): string {
  const name = address === '0.0.0.0' || address === '::' ? 'localhost' : address
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
