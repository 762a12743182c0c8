/** Addresses of this machine and of private networks. */
const shared =
  /^(?:0\.|10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1?$|fe[89ab]|f[cd])/

/**
 * The network that one user has: an IPv4 address, or the /64 of an IPv6 one.
 * @param address - As a socket tells it.
 * @returns Undefined for an address that is likely a proxy's, which all users share: of this machine or of a private network.
 */
export function networkOf(address: string | undefined): string | undefined {
  const plain = (address ?? '').toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')
  if (shared.test(plain)) return undefined
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(plain)) return plain
  if (!/^[\da-f:]{2,39}$/.test(plain) || !plain.includes(':')) return undefined
  const [head = [], tail] = plain.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = tail ? Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0') : []
  return `${[...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(':')}::/64`
}
