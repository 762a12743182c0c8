import { createChatClient, type ChatSession } from '@midstream/client'
import { quietPort } from '@midstream/test-support'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { chat, postJson } from './support/chat.ts'
import { startFakeOllama, type FakeOllama } from './support/fake-ollama.ts'
import { nginxPath, startNginx, type Nginx } from './support/nginx.ts'
import { startProgram, temporaryFolder, type ProgramProcess } from './support/program.ts'
import { open, send } from './support/sockets.ts'

const isMissing = nginxPath === null

interface How {
  /** More of the gateway's configuration. */
  readonly gateway?: string
  /** By what name the gateway may be asked. @defaultValue nginx's own */
  readonly host?: string
  readonly nginx?: Omit<Parameters<typeof startNginx>[0], 'port' | 'gateway'>
}

/** A model server that says what the test says, the program, and nginx before it. */
async function start({ gateway = '', host, nginx }: How = {}): Promise<readonly [Nginx, FakeOllama, ProgramProcess]> {
  const port = await quietPort()
  const fake = await startFakeOllama()
  const program = await startProgram(`
model: { provider: ollama, endpoint: "${fake.url}", model_name: fake }
server: { port: 0, allowed_hosts: ["${host ?? `127.0.0.1:${port}`}"], trust_proxy: 1 }
coalesce: { window_ms: 0 }
${gateway}
`)
  return [await startNginx({ port, gateway: program.url, ...nginx }), fake, program]
}

const messages = [{ role: 'user', content: 'hello' }]

// Over HTTP/1.1 nginx passes on each chunk that is whole, even when it buffers.
const over10 = { 'proxy_http_version 1.1;': 'proxy_http_version 1.0;' }

test.skipIf(isMissing).each([
  ['as shipped', {}],
  ['by the configuration alone', { http: 'proxy_ignore_headers X-Accel-Buffering;', changes: over10 }],
  ['by the header alone', { changes: { 'proxy_buffering off;': 'proxy_buffering on;', ...over10 } }],
])('nginx: frames arrive as they are sent, each before the next is there: %s', async (_by, nginx) => {
  const [{ fetch }, fake] = await start({ nginx })
  const answer = await chat(fetch, 'hello', { 'accept-encoding': 'gzip' })
  const { headers, status } = answer.response
  expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  expect(headers.get('cache-control')).toBe('no-cache, no-transform')
  expect([headers.get('x-accel-buffering'), headers.get('content-encoding')]).toEqual([null, null])
  const asked = await fake.next()
  let said = ''
  for (const word of ['春', '天', ' is', ' the', ' season', ' of', ' foxes']) {
    asked.say(word)
    said += word
    expect(await answer.text(said.length)).toBe(said)
  }
  asked.finish()
  expect(await answer.end()).toMatchObject({ done: true, reason: 'stop' })
})

test.skipIf(isMissing)('nginx: an interrupt reaches the gateway beside its stream, and the model stops', async () => {
  const [{ fetch }, fake] = await start()
  const answer = await chat(fetch, 'hello')
  const asked = await fake.next()
  asked.say('Once upon')
  await answer.text(9)
  const interrupt = await postJson(fetch, `/api/chat/runs/${answer.runId}/interrupt`, { position: 4 })
  expect(await interrupt.json()).toMatchObject({ outcome: 'interrupted', position: 4, partial: { content: 'Once' } })
  expect(await asked.whole).toBe(false)
  expect(await answer.end()).toMatchObject({ done: true, reason: 'interrupted', by: 'person', position: 4 })
})

test.skipIf(isMissing)(
  'nginx: a client that hangs up stops the model, before its first word and after it',
  async () => {
    const [{ fetch }, fake] = await start()
    const [early, late] = [await chat(fetch, 'early'), await chat(fetch, 'late')]
    const [unheard, asked] = [await fake.next(), await fake.next()]
    asked.say('Once')
    await late.text(4)
    await Promise.all([early.leave(), late.leave()])
    expect(await Promise.all([unheard.whole, asked.whole])).toEqual([false, false])
  },
)

test.skipIf(isMissing)('nginx: a client that reads nothing holds the gateway, and fills nothing at nginx', async () => {
  const [{ url, logged }, fake, program] = await start({
    gateway: 'limits: { unread_ms: 300 }\nfuse: { max_bytes: 100000000 }',
    nginx: { http: 'proxy_ignore_headers X-Accel-Buffering;' },
  })
  const body = JSON.stringify({ messages })
  const head = `POST /api/chat HTTP/1.1\r\nHost: ${new URL(url).host}\r\nContent-Length: ${body.length}\r\n\r\n`
  open(url)
    .pause()
    .write(head + body)
  const asked = await fake.next()
  // More than the sockets on the way hold.
  for (let i = 0; i < 60; i += 1) asked.say('x'.repeat(500_000))
  expect(await program.log(({ by }) => by === 'orphan')).toBeTruthy()
  expect(await asked.whole).toBe(false)
  expect(logged.join('\n')).not.toContain('temporary file')
})

test.skipIf(isMissing)(
  'nginx: a run that is silent for longer than proxy_read_timeout lives by its heartbeats, and only by them',
  async () => {
    const nginx = { changes: { 'proxy_read_timeout 60s;': 'proxy_read_timeout 1s;' } }
    const [[alive, model], [silent, other]] = await Promise.all([
      start({ nginx, gateway: 'heartbeat: { interval_ms: 200 }' }),
      start({ nginx, gateway: 'heartbeat: { interval_ms: 60000 }' }),
    ])
    const [answer, dead] = await Promise.all([chat(alive.fetch, 'hello'), chat(silent.fetch, 'hello')])
    const [asked, unheard] = await Promise.all([model.next(), other.next()])
    // nginx has given up the silent one, and the other one, as old, goes on.
    await Promise.all([answer.pings(6), expect(dead.end()).rejects.toThrow('terminated')])
    expect(await silent.line(/upstream timed out/)).toContain('/api/chat')
    expect(await unheard.whole).toBe(false)
    asked.say('At last')
    asked.finish()
    expect(await answer.text(7)).toBe('At last')
    expect(await answer.end()).toMatchObject({ done: true, reason: 'stop' })
  },
)

/** A person's chat through nginx, and what it asked for. */
function talk(nginx: Nginx): { readonly session: ChatSession; readonly requests: readonly string[] } {
  const requests: string[] = []
  const client = createChatClient({
    url: `${nginx.url}/api/chat`,
    fetch(input, init) {
      const { method, url } = new Request(input, init)
      requests.push(`${method} ${new URL(url).pathname.replace(/run_\w+$/, 'ID')}`)
      return fetch(input, init)
    },
  })
  return { session: client.session(), requests }
}

/** Resolves when the last message is this. */
function shown(session: ChatSession, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (session.getSnapshot().messages.at(-1)?.content !== text) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = session.subscribe(look)
    look()
  })
}

test.skipIf(isMissing)(
  'nginx: a reload cuts no stream: the old worker ends it, a new one takes what is new',
  async () => {
    const [nginx, fake] = await start()
    const { session, requests } = talk(nginx)
    const reply = session.send('Tell me')
    const asked = await fake.next()
    asked.say('One')
    await shown(session, 'One')
    const old = nginx.worker
    await nginx.reload()
    const answer = await chat(nginx.fetch, 'hello')
    const other = await fake.next()
    for (const one of [asked, other]) {
      one.say(' two')
      one.finish()
    }
    expect(await answer.text(4)).toBe(' two')
    expect(await reply).toMatchObject({ content: 'One two', state: 'done' })
    expect(requests).toEqual(['POST /api/chat'])
    await nginx.line(new RegExp(`worker process ${old} exited with code 0`))
  },
)

test.skipIf(isMissing)(
  'nginx: a stream that a reload cuts is read on at the new worker: the text is whole, and nothing is in it twice',
  async () => {
    const [nginx, fake] = await start({ nginx: { main: 'worker_shutdown_timeout 50ms;' } })
    const { session, requests } = talk(nginx)
    const statuses = new Set<string>()
    session.subscribe(() => statuses.add(session.getSnapshot().status))
    const reply = session.send('Tell me')
    const asked = await fake.next()
    asked.say('One')
    await shown(session, 'One')
    const old = nginx.worker
    await nginx.reload()
    await nginx.line(new RegExp(`worker process ${old} exited with code 0`))
    asked.say(' two')
    await shown(session, 'One two')
    asked.say(' three')
    asked.finish()
    expect(await reply).toMatchObject({ content: 'One two three', state: 'done' })
    expect([...statuses]).toContain('reconnecting')
    expect(requests).toEqual(['POST /api/chat', 'GET /api/chat/runs/ID'])
    expect(await asked.whole).toBe(true)
  },
)

test.skipIf(isMissing)('nginx: a gateway that dies is told from an end: the stream breaks off', async () => {
  const [{ fetch }, fake, program] = await start()
  const answer = await chat(fetch, 'hello')
  await fake.next()
  program.signal('SIGKILL')
  await expect(answer.end()).rejects.toThrow('terminated')
  expect((await fetch('/api/chat')).status).toBe(502)
})

test.skipIf(isMissing)(
  'nginx: a page of the site may chat, by whatever name the site has; others may not',
  async () => {
    const [{ url }] = await start({ host: 'chat.example' })
    const ask = async (host: string, origin: string): Promise<readonly [number, string]> => {
      const { status, body } = await send(url, {
        path: '/api/chat',
        method: 'POST',
        headers: { host, origin },
        body: '{}',
      })
      return [status, (JSON.parse(body) as { readonly error: { readonly code: string } }).error.code]
    }
    expect(await ask('chat.example', 'https://chat.example')).toEqual([400, 'bad_request'])
    expect(await ask('chat.example', 'https://evil.example')).toEqual([403, 'origin_not_allowed'])
    expect(await ask('evil.example', 'https://evil.example')).toEqual([403, 'host_not_allowed'])
  },
)

test.skipIf(isMissing)(
  'nginx: clients are told apart by their addresses, whatever they say of themselves',
  async () => {
    const [{ url, fetch }, fake] = await start({ gateway: 'limits: { client_runs: 1 }' })
    const first = await chat(fetch, 'hello', { 'x-forwarded-for': '1.1.1.1' })
    await fake.next()
    const again = await postJson(fetch, '/api/chat', { messages }, { 'x-forwarded-for': '2.2.2.2' })
    expect([again.status, await again.json()]).toMatchObject([429, { error: { code: 'too_many_runs' } }])
    const body = JSON.stringify({ messages })
    const { host } = new URL(url)
    const other = send(url, { path: '/api/chat', method: 'POST', from: '127.0.0.2', headers: { host }, body })
    const asked = await fake.next()
    asked.say('Hi')
    asked.finish()
    expect((await other).status).toBe(200)
    await first.leave()
  },
)

test.skipIf(isMissing)(
  'nginx: what is larger than the gateway takes is refused before it, in its words; nothing smaller is put on disk',
  async () => {
    const [nginx, fake, program] = await start()
    const frame = JSON.stringify({ messages: [{ role: 'user', content: '' }] }).length
    const bodyOf = (bytes: number) => ({ messages: [{ role: 'user', content: 'x'.repeat(bytes - frame) }] })
    const largest = await chat(nginx.fetch, bodyOf(1_048_576).messages)
    expect(largest.response.status).toBe(200)
    await fake.next()
    await largest.leave()
    const refused = await postJson(nginx.fetch, '/api/chat', bodyOf(1_048_577))
    const { status, headers } = refused
    expect([status, headers.get('content-type'), headers.get('server')]).toEqual([
      413,
      'application/json',
      expect.stringContaining('nginx') as unknown,
    ])
    const own = await send(program.url, {
      path: '/api/chat',
      method: 'POST',
      headers: { host: new URL(nginx.url).host },
      body: JSON.stringify(bodyOf(1_048_577)),
    })
    expect([own.status, own.body]).toEqual([413, await refused.text()])
    expect(nginx.logged.join('\n')).not.toContain('temporary file')
  },
)

test.skipIf(isMissing)(
  'nginx: files are served with what a browser may keep, and the chat wins where both have a path',
  async () => {
    const site = temporaryFolder()
    const files = [
      'index.html',
      'about/index.html',
      'api/chat/index.html',
      'api/chatter.html',
      '.env',
      '.well-known/x.html',
    ]
    for (const file of [...files, 'assets/app-1a2b3c4d.js', 'assets/logo.js']) {
      mkdirSync(dirname(join(site, file)), { recursive: true })
      writeFileSync(join(site, file), file)
    }
    const [{ fetch }] = await start({ nginx: { site } })
    const get = async (path: string): Promise<readonly [number, string, string | null]> => {
      const response = await fetch(path)
      return [response.status, await response.text(), response.headers.get('cache-control')]
    }
    expect(await get('/')).toEqual([200, 'index.html', 'no-cache'])
    expect(await get('/about/')).toEqual([200, 'about/index.html', 'no-cache'])
    expect(await get('/api/chatter.html')).toEqual([200, 'api/chatter.html', 'no-cache'])
    expect(await get('/.well-known/x.html')).toEqual([200, '.well-known/x.html', 'no-cache'])
    expect(await get('/assets/logo.js')).toEqual([200, 'assets/logo.js', 'no-cache'])
    const [, , forEver] = await get('/assets/app-1a2b3c4d.js')
    expect(forEver).toBe('public, max-age=31536000, immutable')
    expect((await get('/assets/app-00000000.js')).slice(0, 3)).toEqual([404, expect.anything(), null])
    for (const path of ['/.env', '/about/../.env', '/metrics', '/healthz']) expect((await get(path))[0]).toBe(404)

    expect(await (await fetch('/api/chat')).json()).toMatchObject({ model: 'fake' })
    const under = await fetch('/api/chat/index.html')
    expect([under.status, await under.json()]).toMatchObject([404, { error: { code: 'not_found' } }])

    const page = await fetch('/')
    const etag = page.headers.get('etag') ?? ''
    expect((await fetch('/', { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  },
)
