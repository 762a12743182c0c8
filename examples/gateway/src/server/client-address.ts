import type { GatewayRequest } from '@midstream/core/gateway'
import { isIP } from 'node:net'

/**
 * Who sent a request, by address.
 * @param proxies - How many in front can be believed: each adds to `X-Forwarded-For` whom it was asked by. With 0 the header,
 *   which anybody can send, is not read.
 * @returns An IPv4 address, or the /64 of an IPv6 one, all of which one client has.
 */
export function clientAddress(
  { headers, remoteAddress = '' }: Pick<GatewayRequest, 'headers' | 'remoteAddress'>,
  proxies: number,
): string {
  const forwarded = (headers.get('x-forwarded-for') ?? '').split(',')
  const named = proxies > 0 ? forwarded.at(-proxies)?.trim() : undefined
  const address = named !== undefined && isIP(named) !== 0 ? named : remoteAddress
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return mapped ?? (isIP(address) === 6 ? networkOf(address) : address)
}

function networkOf(address: string): string {
  // What `URL` makes of it has one spelling, without the zone.
  const [head = '', tail] = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1).split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length
  return `${[...groups, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':')}::/64`
}
