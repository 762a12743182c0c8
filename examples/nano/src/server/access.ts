import { isIP } from 'node:net'

/**
 * Tells whether a page of this origin may call: as in Ollama, only local pages and apps. No `Origin` header means no
 * browser page asks.
 */
export function isAllowedOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || origin === '') return true
  if (/^(?:app|file|tauri|vscode-webview|vscode-file):\/\//i.test(origin)) return true
  const match = /^https?:\/\/([^/]+)$/i.exec(origin)
  if (match === null) return false
  if (match[1] === host) return true
  return ['localhost', '127.0.0.1', '0.0.0.0'].includes(hostName(match[1]))
}

/**
 * Tells whether a request to a loopback address names a local host. A foreign name means that a page on the internet
 * has pointed its own domain at this machine (DNS rebinding).
 */
export function isAllowedHost(host: string | undefined): boolean {
  const name = hostName(host)
  return name === '' || name === 'localhost' || isIP(name) !== 0 || /\.(?:localhost|local|internal)$/.test(name)
}

/** Tells whether a server at this address is reachable from this machine only. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** The name in `name:port`, lower case, without the brackets of IPv6. */
function hostName(host: string | undefined): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host ?? '')
  return (match?.[1] ?? match?.[2] ?? host ?? '').toLowerCase()
}
