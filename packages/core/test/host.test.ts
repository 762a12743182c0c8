import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { isHost } from '../src/gateway/host.ts'
import { scriptedUpstream } from '../src/testing/index.ts'

test('host: a name or an address, with or without a port, and nothing else', () => {
  for (const host of [
    'chat.example',
    'localhost:8080',
    'my_service:80',
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]:80',
    'a.',
  ])
    expect([host, isHost(host)]).toEqual([host, true])
  for (const host of [
    '',
    ' ',
    'x/y',
    'x?',
    'x#',
    'a@b',
    'user:pw@h',
    'x\\y',
    'a b',
    'a,b',
    ':80',
    'h:',
    'h:x',
    'h:123456',
    '::1',
    '[::1',
    '[h]',
    'h\n',
    'h\t',
    'ü.example',
    'a%2f',
    'http://h',
  ])
    expect([host, isHost(host)]).toEqual([host, false])
})

/** The status and the message for a request over a socket at an address. */
async function asked(
  options: Partial<GatewayOptions>,
  host: string | null,
  localAddress: string | undefined = '127.0.0.1',
): Promise<[number, string]> {
  const gateway: Gateway = createGateway({ upstream: scriptedUpstream(), ...options })
  onTestFinished(() => gateway.close())
  const { status, body } = await gateway.reply({
    method: 'GET',
    url: 'http://localhost/api/chat',
    headers: new Headers(host === null ? {} : { host }),
    localAddress,
    body: null,
    signal: new AbortController().signal,
  })
  const { error } = JSON.parse(typeof body === 'string' ? body : '{}') as { error?: { message: string } }
  return [status, error?.message ?? '']
}

test('host: without authorize, a loopback socket is asked by loopback names and addresses alone', async () => {
  const local = [
    'localhost',
    'LOCALHOST:3000',
    'app.localhost',
    'localhost.',
    '127.0.0.1:80',
    '10.1.2.3',
    '[::1]:80',
    null,
  ]
  for (const host of local) expect([host, (await asked({}, host))[0]]).toEqual([host, 200])
  const foreign = [
    'evil.example',
    'localhost.evil.example',
    'notlocalhost',
    '127.0.0.1.evil.example',
    '127.0.0.1.',
    '2130706433',
    '0x7f.1',
    'mybox',
  ]
  for (const host of foreign) expect([host, (await asked({}, host))[0]]).toEqual([host, 403])
  for (const address of ['127.8.8.8', '::1', '::ffff:127.0.0.1'])
    expect((await asked({}, 'evil.example', address))[0]).toBe(403)
})

test('host: the 403 names the host, and the option that allows it', async () => {
  const [, message] = await asked({}, 'Chat.example:8443')
  expect(message).toContain('chat.example:8443')
  expect(message).toContain('`allowedHosts`')
  expect((await asked({ allowedHosts: ['a.example'] }, 'b.example'))[1]).toBe(
    'Host not allowed: b.example. Add it to `allowedHosts`.',
  )
})

test('host: with authorize, on another socket, or where it is listed, a name is let in', async () => {
  expect((await asked({ authorize: () => 'ann' }, 'chat.example'))[0]).toBe(200)
  for (const address of ['10.0.0.1', '::2', '128.0.0.1', undefined])
    expect((await asked({}, 'chat.example', address ?? '172.17.0.2'))[0]).toBe(200)
  expect((await asked({ allowedHosts: ['Chat.example'] }, 'chat.EXAMPLE'))[0]).toBe(200)
  expect((await asked({ allowedHosts: ['*'] }, 'any.example'))[0]).toBe(200)
})

test('host: a list is the whole list, also for local names', async () => {
  expect((await asked({ allowedHosts: ['chat.example'] }, 'localhost'))[0]).toBe(403)
  expect((await asked({ allowedHosts: ['chat.example'] }, 'chat.example:81'))[0]).toBe(403)
  expect((await asked({ allowedHosts: [] }, 'localhost'))[0]).toBe(403)
})

test('host: a header that is none is 400, whatever is allowed', async () => {
  for (const host of ['', 'x/api/chat?', 'x/api/chat#', 'a@b', 'a b', 'x\\y'])
    for (const options of [{}, { allowedHosts: ['*'] }, { authorize: () => 'ann' }])
      expect([host, (await asked(options, host))[0]]).toEqual([host, 400])
})

test.for(['http://chat.example', 'chat.example/x', '*.example', '', 'a b'])(
  'host: allowedHosts does not take %j',
  (host) => {
    expect(() => createGateway({ upstream: scriptedUpstream(), allowedHosts: [host] })).toThrow(/allowedHosts/)
  },
)
