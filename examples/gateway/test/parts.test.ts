import { expect, onTestFinished, test } from 'vitest'
import type { Config } from '../src/config/config.ts'
import { createBearer } from '../src/server/bearer.ts'
import { clientAddress } from '../src/server/client-address.ts'
import { isProbe, localHosts } from '../src/server/hosts.ts'
import { createHttpServer } from '../src/server/http-server.ts'
import { cached, canAnswer, type ServerStanding } from '../src/server/standing.ts'

const from = (remoteAddress: string, forwarded?: string): Parameters<typeof clientAddress>[0] => ({
  remoteAddress,
  headers: new Headers(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }),
})

test.each<[what: string, request: Parameters<typeof clientAddress>[0], proxies: number, address: string]>([
  ['an IPv4 address', from('10.0.0.1'), 0, '10.0.0.1'],
  ['an IPv4 address at an IPv6 socket', from('::ffff:10.0.0.1'), 0, '10.0.0.1'],
  ['the network of an IPv6 address', from('2001:db8:1:2:3:4:5:6'), 0, '2001:db8:1:2::/64'],
  ['a short IPv6 address', from('2001:db8::1'), 0, '2001:db8:0:0::/64'],
  ['the loopback address', from('::1'), 0, '0:0:0:0::/64'],
  ['an address with a zone', from('fe80::1%eth0'), 0, 'fe80:0:0:0::/64'],
  ['the socket where no proxy is trusted', from('10.0.0.1', '1.2.3.4'), 0, '10.0.0.1'],
  ['whom the proxy names, not what the client adds', from('10.0.0.1', '6.6.6.6, 1.2.3.4'), 1, '1.2.3.4'],
  ['whom the first of two proxies names', from('10.0.0.1', '6.6.6.6, 1.2.3.4, 10.0.0.2'), 2, '1.2.3.4'],
  ['the socket where there are fewer names than proxies', from('10.0.0.1', '1.2.3.4'), 2, '10.0.0.1'],
  ['the socket where no address is named', from('10.0.0.1', 'unknown'), 1, '10.0.0.1'],
])('client address: %s', (_what, request, proxies, address) => {
  expect(clientAddress(request, proxies)).toBe(address)
})

test('bearer: tells owners by their tokens, and nobody without one', () => {
  const bearer = createBearer({ ann: 'token-of-ann-0000', bob: 'token-of-bob-0000' })
  expect(bearer('Bearer token-of-ann-0000')).toBe('ann')
  expect(bearer('bearer  token-of-bob-0000')).toBe('bob')
  for (const nobody of [null, undefined, '', 'Bearer', 'Bearer token', 'Basic token-of-ann-0000', 'token-of-ann-0000'])
    expect(bearer(nobody)).toBe(null)
})

test('hosts: at a loopback address only local names are served, elsewhere any', () => {
  expect(localHosts('127.0.0.1', 18_789)).toEqual(['localhost:18789', '127.0.0.1:18789', '[::1]:18789'])
  expect(localHosts('localhost', 80)).toContain('localhost')
  expect(localHosts('127.0.0.2', 1)).toContain('127.0.0.2:1')
  expect(localHosts('0.0.0.0', 18_789)).toBe(undefined)
})

test('hosts: a name that somebody can point here is no probe', () => {
  for (const host of [undefined, '127.0.0.1', '10.0.0.1:80', '[::1]', '[2001:db8::1]:80', 'localhost', 'LOCALHOST:1'])
    expect(isProbe(host)).toBe(true)
  for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '1.2.3', '', 'a:b', '[::1'])
    expect(isProbe(host)).toBe(false)
})

test('http server: what fails once it listens is told, and ends nothing', async () => {
  const limits = { connections: 1, header_ms: 1_000, request_ms: 1_000, idle_ms: 1_000, unread_ms: 1_000 }
  const told: unknown[] = []
  const http = createHttpServer({ server: { port: 0, host: '127.0.0.1' }, limits } as Config, {
    failed: (error) => void told.push(error),
    crowded: () => undefined,
    dropped: () => undefined,
  })
  await http.listen()
  onTestFinished(() => void http.server.close())
  const errors = [new Error('EMFILE'), new Error('ENFILE')]
  for (const error of errors) http.server.emit('error', error)
  expect(told).toEqual(errors)
})

const server = (state: ServerStanding['state'], breaker?: ServerStanding['breaker']): ServerStanding => ({
  name: 'ollama',
  model: 'm',
  state,
  ...(breaker && { breaker }),
})

test('standing: one server that can be had is enough', () => {
  expect(canAnswer({ upstream: server('ready') })).toBe(true)
  expect(canAnswer({ upstream: server('idle', 'closed') })).toBe(true)
  expect(canAnswer({ upstream: server('unreachable') })).toBe(false)
  expect(canAnswer({ upstream: server('model_missing') })).toBe(false)
  expect(canAnswer({ upstream: server('ready', 'open') })).toBe(false)
  expect(canAnswer({ upstream: server('ready', 'half_open') })).toBe(true)
  expect(canAnswer({ upstream: server('unreachable'), fallback: [server('ready')] })).toBe(true)
  expect(canAnswer({ upstream: server('unreachable'), models: { a: server('unreachable'), b: server('idle') } })).toBe(
    true,
  )
})

test('cached: asks once for all in a while, and again after it and after a failure', async () => {
  let now = 0
  let asked = 0
  const answer = cached(
    () => {
      asked += 1
      return asked === 2 ? Promise.reject(new Error('no')) : Promise.resolve(asked)
    },
    1_000,
    () => now,
  )
  expect(await Promise.all([answer(), answer()])).toEqual([1, 1])
  now = 999
  expect(await answer()).toBe(1)
  now = 1_000
  await expect(answer()).rejects.toThrow('no')
  expect(await answer()).toBe(3)
})
