import { pushing } from './support/answers.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { nodeTransport } from '../src/node/index.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import type { Clock } from '../src/clock.ts'
import { gatewayFetch, manualClock, type ManualClock } from '../src/testing/index.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { fetchTransport } from '../src/upstream/http/fetch-transport.ts'
import { anthropic, ollama, openaiCompatible, type Transport, type Upstream } from '../src/upstream/index.ts'
import { isChatError } from '../src/wire/errors.ts'
import { reason, said, start, stop } from './support/anthropic-samples.ts'
import { listen, type Listening } from './support/listen.ts'

// What becomes of a connection to a model server, for every kind of server and every transport.

const transports = { nodeTransport, fetchTransport } satisfies Record<string, () => Transport>
interface Options {
  readonly url: string
  readonly transport?: Transport
  readonly clock?: Clock
  readonly headers?: Record<string, string>
}
interface Kind {
  readonly type: string
  make(options: Options): Upstream
  /** A reply in two reads: its text, then its finish with all that follows it. */
  readonly reply: readonly [string, string]
  /** An error in the middle of a reply. */
  readonly error: string
}
const sse = (...data: unknown[]): string =>
  data.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('')
const kinds: Readonly<Record<string, Kind>> = {
  openai: {
    type: 'text/event-stream',
    make: ({ url, ...more }) => openaiCompatible({ url: `${url}/v1`, model: 'm', ...more }),
    reply: [
      sse({ choices: [{ delta: { content: 'Hi' } }] }),
      sse({ choices: [{ delta: {}, finish_reason: 'stop' }] }, { choices: [], usage: { prompt_tokens: 1 } }, '[DONE]'),
    ],
    error: sse({ error: { message: 'no' } }),
  },
  'openai with a watch on its models': {
    type: 'text/event-stream',
    make: ({ url, ...more }) => openaiCompatible({ url: `${url}/v1`, model: 'm', dialect: 'lmstudio', ...more }),
    reply: [
      sse({ choices: [{ delta: { content: 'Hi' } }] }),
      sse({ choices: [{ delta: {}, finish_reason: 'stop' }] }, { choices: [], usage: { prompt_tokens: 1 } }, '[DONE]'),
    ],
    error: sse({ error: { message: 'no' } }),
  },
  anthropic: {
    type: 'text/event-stream',
    make: (options) => anthropic({ model: 'm', ...options }),
    reply: [start + said('Hi'), reason('end_turn') + stop],
    error: sse({ type: 'error', error: { type: 'api_error', message: 'no' } }),
  },
  ollama: {
    type: 'application/x-ndjson',
    make: (options) => ollama({ model: 'm', ...options }),
    reply: ['{"message":{"content":"Hi"}}\n', '{"message":{"content":""},"done":true,"done_reason":"stop"}\n'],
    error: '{"error":"no"}\n',
  },
}
const each = Object.keys(kinds).flatMap((kind) =>
  (['nodeTransport', 'fetchTransport'] as const).map((transport) => [kind, transport] as const),
)

type Answer = (response: ServerResponse, request: IncomingMessage) => void
interface Asked extends Listening {
  readonly upstream: Upstream
  readonly clock: ManualClock
  /** How often the rest of a body was begun to be read. */
  readonly rests: () => number
  /** One run, from its start. */
  begin(): Run
}
async function bench(kind: string, transport: keyof typeof transports, answer: Answer): Promise<Asked> {
  const listening = await listen((request, response) => {
    response.setHeader('content-type', kinds[kind]!.type)
    // The request is read to its end, as real servers do: else no connection could be used again.
    request.resume().on('end', () => answer(response, request))
  })
  const clock = manualClock()
  let rests = 0
  const counting: Clock = {
    now: clock.now,
    after(ms, fire) {
      if (ms === 100) rests += 1
      return clock.after(ms, fire)
    },
  }
  const upstream = kinds[kind]!.make({ url: listening.url, transport: transports[transport](), clock: counting })
  const request = {
    model: 'm',
    messages: [{ role: 'user' as const, content: 'Hello' }],
    prefill: '',
    interruptedNote: null,
  }
  const begin = (): Run =>
    startRun({
      runId: 'run',
      sessionId: 'sess',
      model: 'm',
      open: (_question, sink, signal) => upstream.open(request, sink, signal),
      clock: manualClock(),
      fuse: fuseDefaults,
      orphanMs: 0,
    })
  return { ...listening, upstream, clock, rests: () => rests, begin }
}
/** Turns of the event loop, until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
async function aWhile(): Promise<void> {
  let turns = 0
  await until(() => turns++ === 20)
}
const endOf = async (run: Run): Promise<string> => {
  const terminal = await run.ended
  return terminal.reason === 'error' ? terminal.error.code : terminal.reason
}

test.for(each)('%s over %s: one reply after the other comes over one connection', async ([kind, transport]) => {
  const { begin, connections, clock, rests } = await bench(kind, transport, (response) => {
    response.write(kinds[kind]!.reply[0])
    setImmediate(() => response.end(kinds[kind]!.reply[1]))
  })
  for (let i = 0; i < 4; i++) {
    expect(await endOf(begin())).toBe('stop')
    // The rest of the body has been read, and the connection goes back to its pool.
    await until(() => rests() === i + 1 && clock.timers === 0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(connections).toHaveLength(1)
})

test.for(each)('%s over %s: a body that goes on after its finish is closed 100 ms later', async ([kind, transport]) => {
  const { begin, connections, clock } = await bench(kind, transport, (response) => {
    response.write(kinds[kind]!.reply.join(''))
  })
  const run = begin()
  expect(await endOf(run)).toBe('stop')
  await until(() => clock.timers === 1)
  let hasClosed = false
  void connections[0]!.closed.then(() => (hasClosed = true))
  clock.advance(99)
  await aWhile()
  expect(hasClosed).toBe(false)
  clock.advance(1)
  await connections[0]!.closed
  expect(clock.timers).toBe(0)
})

test.for(Object.keys(kinds))(
  '%s: a body that goes on after the finish is left, whatever its transport does',
  async (kind) => {
    const clock = manualClock()
    const { promise: left, resolve: leave } = Promise.withResolvers<void>()
    const rest = new Uint8Array(1_000)
    let given = 0
    const reply = new TextEncoder().encode(kinds[kind]!.reply.join(''))
    // It never waits for a socket, and does not look at its signal.
    const transport: Transport = pushing(async () => ({
      status: 200,
      header: () => undefined,
      body: (async function* () {
        try {
          yield reply
          for (; given < 1_000; given++) yield rest
        } finally {
          leave()
        }
      })(),
    }))
    const upstream = kinds[kind]!.make({ url: 'http://h', transport, clock })
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const { signal } = new AbortController()
    const request = { model: 'm', messages, prefill: '', interruptedNote: null }
    for await (const events of eventsOf(upstream, request, signal)) if (events.some((event) => 'finish' in event)) break
    await left
    expect(given).toBeLessThan(100)
    await until(() => clock.timers === 0)
  },
)

test.for(each)('%s over %s: a socket that breaks after the finish concerns nobody', async ([kind, transport]) => {
  const { begin, connections, clock } = await bench(kind, transport, (response) => {
    response.write(kinds[kind]!.reply.join(''))
  })
  expect(await endOf(begin())).toBe('stop')
  await until(() => clock.timers === 1)
  connections[0]!.socket.resetAndDestroy()
  await until(() => clock.timers === 0)
})

test.for(each)('%s over %s: an interrupt and an error close the connection at once', async ([kind, transport]) => {
  const { begin, connections, clock } = await bench(kind, transport, (response) => {
    response.write(connections.length === 1 ? kinds[kind]!.reply[0] : kinds[kind]!.error)
  })
  const cut = begin()
  await until(() => cut.log.length > 0)
  cut.interrupt('person')
  await connections[0]!.closed
  expect(await endOf(begin())).toMatch(/^upstream_/)
  await connections[1]!.closed
  expect(clock.timers).toBe(0)
})

test.for(each)('%s over %s: whoever leaves a reply before its end closes the connection', async ([kind, transport]) => {
  const { upstream, connections, clock } = await bench(kind, transport, (response) => {
    response.write(kinds[kind]!.reply[0])
  })
  const messages = [{ role: 'user' as const, content: 'Hello' }]
  const { signal } = new AbortController()
  for await (const events of eventsOf(upstream, { model: 'm', messages, prefill: '', interruptedNote: null }, signal))
    if (events.some((event) => 'message' in event)) break
  await connections[0]!.closed
  expect(clock.timers).toBe(0)
})

test.for(each)('%s over %s: nothing stays open behind a gateway that is closed', async ([kind, transport]) => {
  const { upstream, connections, clock } = await bench(kind, transport, (response, { method }) => {
    if (method === 'POST') response.write(kinds[kind]!.reply.join(''))
    else response.end('{}')
  })
  const gateway = createGateway({ upstream, clock })
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
  const response = await gatewayFetch(gateway)('http://localhost/api/chat', { method: 'POST', body })
  expect(await response.text()).toContain('"done":true,"reason":"stop"')
  await gateway.close()
  clock.advance(100)
  await Promise.all(connections.map(({ closed }) => closed))
  expect(clock.timers).toBe(0)
})

test.for(each)('%s over %s: words of an error that do not end are waited for 2 s', async ([kind, transport]) => {
  const { begin, connections, clock } = await bench(kind, transport, (response) => {
    response.writeHead(503).write('busy now')
  })
  const run = begin()
  // Its own timer, and the one that looks at a model that loads.
  const watched = kind === 'openai' || kind === 'anthropic' ? 0 : 1
  await until(() => clock.timers === 1 + watched)
  await aWhile()
  clock.advance(1_999)
  await aWhile()
  expect(run.state.phase).toBe('waiting')
  clock.advance(1)
  expect(await endOf(run)).toBe('upstream_busy')
  expect(isChatError(run.error) && run.error.cause).toBe('HTTP 503: busy now')
  await connections[0]!.closed
  expect(clock.timers).toBe(0)
})

test.for(each)('%s over %s: an abort while an error is read throws its reason', async ([kind, transport]) => {
  for (const [status, type, body] of [
    [503, 'text/plain', '{"error":'],
    [200, 'text/html', '<p>'],
  ] as const) {
    const { upstream, clock, connections } = await bench(kind, transport, (response) => {
      response.writeHead(status, { 'content-type': type }).write(body)
    })
    const abort = new AbortController()
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const reply = eventsOf(upstream, { model: 'm', messages, prefill: '', interruptedNote: null }, abort.signal)
    const first = reply[Symbol.asyncIterator]().next()
    first.catch(() => undefined)
    await until(() => clock.timers > (kind === 'openai' || kind === 'anthropic' ? 0 : 1))
    abort.abort(new DOMException('enough', 'AbortError'))
    await expect(first).rejects.toMatchObject({ name: 'AbortError', message: 'enough' })
    await connections[0]!.closed
    expect(clock.timers).toBe(0)
  }
})

test.for(Object.keys(kinds))('%s: what fails closes its request by itself, whoever listens', (kind) => {
  const { error, reply, type } = kinds[kind]!
  const whole = reply.join('')
  const bodies: readonly (readonly [what: string, type: string, body: string, isClosed: boolean])[] = [
    ['an error event', type, error, true],
    ['a page of a proxy', 'text/html', '<p>no</p>', true],
    ['a reply that breaks off', type, reply[0], true],
    ['a whole reply', type, whole, false],
  ]
  for (const [what, contentType, body, isClosed] of bodies) {
    let request: AbortSignal | undefined
    const transport: Transport = ({ signal }, sink) => {
      request = signal
      sink.head({ status: 200, header: (name) => (name === 'content-type' ? contentType : undefined) })
      void sink.data(new TextEncoder().encode(body))
      // No server ends a body that is read on for its end.
      if (!isClosed) return
      if (what === 'a reply that breaks off') sink.error(new Error('reset'))
      else if (what !== 'an error event') sink.end()
    }
    const upstream = kinds[kind]!.make({ url: 'http://h', transport, clock: manualClock() })
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const asked = { model: 'm', messages, prefill: '', interruptedNote: null }
    upstream.open(asked, { push: () => undefined, end: () => undefined }, new AbortController().signal)
    expect([what, request?.aborted]).toEqual([what, isClosed])
  }
})

// Addresses and headers

const silent: Transport = pushing(async () => {
  throw new Error('nobody asks')
})
test.for(Object.keys(kinds))('%s: the query of the url goes up with every request', async (kind) => {
  const urls: string[] = []
  const transport: Transport = pushing(async ({ url }) => {
    urls.push(url)
    throw new Error(`away, with the key ${new URL(url).searchParams.get('api-key')}: ${url}`)
  })
  // The server's path stands before the query.
  const make = (query: string): Upstream => {
    if (kind === 'anthropic') return anthropic({ url: `http://h/base/?${query}`, model: 'm', transport })
    if (kind === 'ollama') return ollama({ url: `http://h/base/?${query}`, model: 'm', transport })
    return openaiCompatible({ url: `http://h/base/v1/?${query}`, model: 'm', transport, dialect: 'llamacpp' })
  }
  const upstream = make('api-version=2024-10-21&api-key=sk%2Fsecret%3D%3D')
  const { signal } = new AbortController()
  await upstream.status!(signal)
  const messages = [{ role: 'user' as const, content: 'Hello' }]
  const reply = eventsOf(upstream, { model: 'm', messages, prefill: '', interruptedNote: null }, signal)
  const error: unknown = await reply[Symbol.asyncIterator]()
    .next()
    .catch((cause: unknown) => cause)
  expect(urls.length).toBeGreaterThan(1)
  for (const url of urls) {
    expect(url).toMatch(/^http:\/\/h\/base\/[^?]+\?[^?]*api-version=2024-10-21&api-key=sk%2Fsecret%3D%3D$/)
  }
  expect(urls.at(-1)).toMatch(/\/(completions|messages|chat)\?api-version/)
  // A key in it is taken out of errors like one in a header, however it is written there.
  expect(isChatError(error) && error.cause).toMatch(/with the key \[key\]: .*api-version=2024-10-21&api-key=\[key\]$/)
})

test.for(Object.keys(kinds))('%s: a name or a password in the url is refused, and not repeated', (kind) => {
  for (const url of ['http://user:sk-secret@h', 'https://sk-secret@h', 'http://:sk-secret@h']) {
    const make = (): Upstream => kinds[kind]!.make({ url, transport: silent })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(/headers/)
    expect(make).not.toThrow(/secret/)
  }
})

test.for(Object.keys(kinds))('%s: a header that cannot go up is refused by its name', (kind) => {
  const make = (headers: Record<string, unknown>) => (): Upstream =>
    kinds[kind]!.make({ url: 'http://h', transport: silent, headers: headers as Record<string, string> })
  for (const value of ['Bearer sk-secret\n-123', 'sk-secret\0', 'sk-secret🌸', undefined]) {
    expect(make({ 'X-My-Key': value })).toThrow(TypeError)
    expect(make({ 'X-My-Key': value })).toThrow(/x-my-key/i)
    expect(make({ 'X-My-Key': value })).not.toThrow(/secret/)
  }
  for (const name of ['', 'my key', 'schlüssel', 'a:b']) expect(make({ [name]: 'x' })).toThrow(TypeError)
  expect(make({ 'x-fine_1.0': 'Ümlaut\tand blank ', authorization: '' })).not.toThrow()
})
