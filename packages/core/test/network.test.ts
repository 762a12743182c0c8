import { expect, test } from 'vitest'
import { networkOf } from '../src/gateway/network.ts'

test.for([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:203.0.113.7', '203.0.113.7'],
  ['172.15.0.1', '172.15.0.1'],
  ['172.32.0.1', '172.32.0.1'],
  ['100.63.0.1', '100.63.0.1'],
  ['100.128.0.1', '100.128.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
  ['2001:db8:1:0:2::1', '2001:db8:1:0::/64'],
])('network: %s is of %s', ([address, network]) => {
  expect(networkOf(address)).toBe(network)
})

test.for([
  '127.0.0.1',
  '::ffff:127.0.0.1',
  '0.0.0.0',
  '::1',
  '::',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.1.1',
  '100.64.0.1',
  '100.127.255.255',
  'fe80::1%eth0',
  'fd12:3456::1',
  'fc00::1',
  '',
  'unknown',
  '1.2.3',
  'a:b\n',
])('network: %j tells no user from another', (address) => {
  expect(networkOf(address)).toBeUndefined()
})

test('network: where the server tells no address, nobody is told from another', () => {
  expect(networkOf(undefined)).toBeUndefined()
})
