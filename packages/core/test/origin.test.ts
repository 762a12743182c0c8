import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions, type GatewayReply, type GatewayRequest } from '../src/gateway/index.ts'
import { scriptedUpstream } from '../src/testing/index.ts'

interface Asked extends GatewayReply {
  /** What `authorize` and `clientOf` were shown. */
  readonly shown: readonly GatewayRequest[]
  readonly message: string
}
async function ask(
  headers: Record<string, string>,
  options: Partial<GatewayOptions> = {},
  method: 'GET' | 'POST' | 'OPTIONS' = 'POST',
): Promise<Asked> {
  const shown: GatewayRequest[] = []
  const see = (request: GatewayRequest): string => {
    shown.push(request)
    return 'ann'
  }
  const upstream = scriptedUpstream({ script: (reply) => reply.finish() })
  const gateway = createGateway({ upstream, authorize: see, clientOf: see, ...options })
  onTestFinished(() => gateway.close())
  const body = new Blob([JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }] })]).stream()
  const reply = await gateway.reply({
    method,
    url: 'http://127.0.0.1:3000/api/chat',
    headers: new Headers({ host: '127.0.0.1:3000', ...headers }),
    remoteAddress: '10.0.0.1',
    body: method === 'POST' ? body : null,
    signal: new AbortController().signal,
  })
  const { error } = JSON.parse(typeof reply.body === 'string' ? reply.body : '{}') as { error?: { message: string } }
  return { ...reply, shown, message: error?.message ?? '' }
}
const allowOrigin = ({ headers }: GatewayReply): string | undefined => headers['access-control-allow-origin']

// What a browser adds by itself

const secret = { cookie: 'sid=ann', authorization: 'Bearer x', 'x-tenant': 'a' }

test('origin: with * authorize and clientOf see no cookie of a foreign page, and the rest', async () => {
  for (const origin of ['https://evil.example', 'null', 'capacitor://localhost']) {
    const { status, shown } = await ask({ origin, ...secret }, { allowedOrigins: ['*'] })
    expect([status, shown.length]).toEqual([200, 2])
    for (const { headers, remoteAddress } of shown)
      expect([headers.get('cookie'), headers.get('Authorization'), headers.get('x-tenant'), remoteAddress]).toEqual([
        null,
        'Bearer x',
        'a',
        '10.0.0.1',
      ])
  }
})

test('origin: with * no password that the browser remembers is seen either', async () => {
  for (const authorization of ['Basic YW5uOng=', 'basic x', 'Negotiate x', 'NTLM x', 'Digest username="ann"']) {
    const { shown } = await ask({ origin: 'https://evil.example', authorization }, { allowedOrigins: ['*'] })
    expect(shown[0]?.headers.get('authorization')).toBe(null)
  }
})

test('origin: a listed page, the gateway’s own and a program keep their cookies, also beside *', async () => {
  const allowedOrigins = ['*', 'https://app.example']
  for (const from of [{ origin: 'https://app.example' }, { origin: 'http://127.0.0.1:3000' }, {}]) {
    const { shown } = await ask({ ...from, ...secret }, { allowedOrigins })
    expect(shown[0]?.headers.get('cookie')).toBe('sid=ann')
  }
})

test('origin: an authorize that reads cookies lets no foreign page in by *', async () => {
  const authorize: GatewayOptions['authorize'] = ({ headers }) => /sid=(\w+)/.exec(headers.get('cookie') ?? '')?.[1]
  expect((await ask({ origin: 'https://evil.example', ...secret }, { allowedOrigins: ['*'], authorize })).status).toBe(
    401,
  )
  expect((await ask(secret, { allowedOrigins: ['*'], authorize })).status).toBe(200)
})

// Whose page it is

test('origin: a page that its browser calls same-origin is the gateway’s own, whatever a proxy makes of Host', async () => {
  const origin = 'https://chat.example'
  expect((await ask({ origin, 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  for (const site of ['same-site', 'cross-site', 'none'])
    expect((await ask({ origin: 'http://127.0.0.1:3000', 'sec-fetch-site': site })).status).toBe(403)
})

test('origin: the 403 of a proxied host names the origin, the host, and what to do', async () => {
  const { status, message } = await ask({ origin: 'http://chat.example' })
  expect(status).toBe(403)
  for (const word of ['http://chat.example', '127.0.0.1:3000', 'Host header', '`allowedOrigins`'])
    expect(message).toContain(word)
  expect((await ask({ origin: 'null' })).message).toMatch(/null.*`\*`/)
  expect((await ask({ origin: `x"${'y'.repeat(10_000)}` })).message.length).toBeLessThan(600)
})

test('origin: an app shell or a browser extension is never the gateway’s own', async () => {
  for (const scheme of ['capacitor', 'tauri', 'chrome-extension', 'ftp', 'file'])
    expect((await ask({ origin: `${scheme}://127.0.0.1:3000` })).status).toBe(403)
})

test('origin: one that is listed gets its headers, also where its host is the gateway’s own', async () => {
  const origin = 'https://127.0.0.1:3000'
  expect(allowOrigin(await ask({ origin }, { allowedOrigins: [origin] }))).toBe(origin)
})

const shells = [
  'capacitor://localhost',
  'ionic://localhost',
  'tauri://localhost',
  'http://tauri.localhost',
  'app://-',
  'app://.',
  'app://obsidian.md',
  'file://',
  'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
  'moz-extension://1b2c3d4e-0000-4000-8000-000000000000',
  'safari-web-extension://1B2C3D4E-0000-4000-8000-000000000000',
  'vscode-webview://1a2b3c',
  'wails://wails.localhost:34115',
]
test.for(shells)('origin: %s can be listed', async (origin) => {
  const answer = await ask({ origin }, { allowedOrigins: [origin] })
  expect([answer.status, allowOrigin(answer)]).toEqual([200, origin])
  expect((await ask({ origin }, { allowedOrigins: ['https://app.example'] })).status).toBe(403)
})

const none = [
  'null',
  'app',
  'app://',
  'app://a/b',
  'app://*',
  'https://*.example',
  'https://app.example/',
  'https://App.example',
  'https://app.example:443',
  'https://a@b',
  'data://x',
  'blob://x',
  'javascript://x',
  'wss://app.example',
  'capacitor://localhost/',
  'app://a b',
  '',
]
test.for(none)('origin: allowedOrigins does not take %j', (origin) => {
  expect(() => createGateway({ upstream: scriptedUpstream(), allowedOrigins: [origin] })).toThrow(/allowedOrigins/)
})

// Headers of a page

const clients = 'authorization, content-type, last-event-id'
const preflight = async (
  origin: string,
  asked: string,
  options: Partial<GatewayOptions>,
): Promise<string | undefined> => {
  const { headers } = await ask({ origin, 'access-control-request-headers': asked }, options, 'OPTIONS')
  return headers['access-control-allow-headers']
}

test('origin: a listed page may send headers of its own; allowedHeaders says which', async () => {
  const origin = 'https://app.example'
  const allowedOrigins = [origin]
  expect(await preflight(origin, 'content-type,X-CSRF-Token, traceparent', { allowedOrigins })).toBe(
    `${clients}, x-csrf-token, traceparent`,
  )
  expect(await preflight(origin, 'x-a\tb, *, , é, x-ok', { allowedOrigins })).toBe(`${clients}, *, x-ok`)
  const allowedHeaders = ['X-Tenant']
  expect(await preflight(origin, 'x-csrf-token', { allowedOrigins, allowedHeaders })).toBe(`${clients}, x-tenant`)
  expect(await preflight(origin, 'x-csrf-token', { allowedOrigins, allowedHeaders: [] })).toBe(clients)
})

test('origin: a page that * lets in may send those of the client and of allowedHeaders', async () => {
  const allowedOrigins = ['*']
  expect(await preflight('https://any.example', 'x-csrf-token', { allowedOrigins })).toBe(clients)
  expect(
    await preflight('https://any.example', 'x-csrf-token', { allowedOrigins, allowedHeaders: ['x-csrf-token'] }),
  ).toBe(`${clients}, x-csrf-token`)
})

test.for(['', 'a b', 'x:y', '*', 'ü'])('origin: allowedHeaders does not take %j', (name) => {
  expect(() => createGateway({ upstream: scriptedUpstream(), allowedHeaders: [name] })).toThrow(/allowedHeaders/)
})

// Who is asking

const nobody: readonly unknown[] = [
  null,
  undefined,
  '',
  false,
  0,
  Number.NaN,
  1,
  true,
  {},
  [],
  ['ann'],
  new String('ann'),
  Symbol('ann'),
  () => 'ann',
]
test('authorize: only a string that is not empty is somebody, at once and later', async () => {
  for (const owner of nobody) {
    for (const authorize of [() => owner, async () => owner]) {
      const { status, message } = await ask({}, { authorize: authorize as GatewayOptions['authorize'] })
      expect([String(owner), status, message]).toEqual([String(owner), 401, 'Authentication required.'])
    }
  }
})

test('origin: a page of a listed origin may read that the host is not allowed, and nothing gets through', async () => {
  const origin = 'https://app.example'
  const options = { allowedOrigins: [origin], allowedHosts: ['chat.example'] }
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  }
  const asked = await ask(preflight, options, 'OPTIONS')
  expect([asked.status, allowOrigin(asked), asked.shown]).toEqual([204, origin, []])
  for (const method of ['GET', 'POST'] as const) {
    const refused = await ask({ origin }, options, method)
    expect([refused.status, allowOrigin(refused), refused.shown]).toEqual([403, origin, []])
    expect(refused.message).toContain('Host not allowed: 127.0.0.1:3000.')
    expect(refused.headers['access-control-allow-credentials']).toBe('true')
  }
})

test.for([['*'], ['https://other.example']])(
  'origin: with %j listed, the refusal of a host is told to no page',
  async (allowedOrigins) => {
    for (const origin of ['https://evil.example', '*', 'null', 'http://127.0.0.1:3000'])
      for (const method of ['OPTIONS', 'POST'] as const) {
        const refused = await ask({ origin }, { allowedOrigins, allowedHosts: ['chat.example'] }, method)
        expect([refused.status, allowOrigin(refused)]).toEqual([403, undefined])
      }
  },
)
