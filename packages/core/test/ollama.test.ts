import { pushing } from './support/answers.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import { Ollama } from 'ollama'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions } from '../src/gateway/index.ts'
import { nodeTransport, toNodeListener } from '../src/node/index.ts'
import type { Run } from '../src/run/run.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/index.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { ollama, type OllamaOptions, type Transport, type Upstream } from '../src/upstream/index.ts'
import type { TerminalEvent } from '../src/wire/events.ts'
import { expected } from './support/expected.ts'
import { frameReader, textOf, type FrameReader, type WireEvent } from './support/frames.ts'
import { closedPort, listen } from './support/listen.ts'
import {
  bodyOf,
  handmade,
  recording,
  replayServer,
  type Recording,
  type ReplayServer,
} from './support/replay-server.ts'

// Replay server -> ollama() -> gateway -> toNodeListener -> fetch: only the model is a recording.

interface Bench {
  readonly base: string
  readonly clock: ManualClock
  readonly ends: readonly Run[]
  /** Signals of the requests that went up. */
  readonly signals: readonly AbortSignal[]
  ask(
    body?: Record<string, unknown>,
    init?: RequestInit,
  ): Promise<{ frames: FrameReader; runId: string; sessionId: string }>
  interrupt(runId: string, position?: number): Promise<Record<string, unknown>>
}

async function bench(
  url: string,
  options: Partial<GatewayOptions> & { readonly upstreamOptions?: Partial<OllamaOptions> } = {},
): Promise<Bench> {
  const clock = manualClock()
  const ends: Run[] = []
  const signals: AbortSignal[] = []
  const send = nodeTransport()
  const transport: Transport = (request, sink) => {
    if (request.method === 'POST') signals.push(request.signal)
    send(request, sink)
  }
  const upstream = ollama({ url, model: 'nano', transport, ...options.upstreamOptions })
  const gateway = createGateway({
    upstream,
    clock,
    coalesce: { windowMs: 0 },
    // What one attempt is worth; that a failed one is repeated is tested elsewhere.
    recovery: false,
    onRunEnd: ({ run }) => void ends.push(run),
    ...options,
    // Time passes here while nobody looks at a body: that is no client that reads nothing.
    limits: { unreadMs: Infinity, ...options.limits },
  })
  onTestFinished(() => gateway.close())
  const base = `${(await listen(toNodeListener(gateway))).url}/api/chat`
  return {
    base,
    clock,
    ends,
    signals,
    async ask(body = hello, init = {}) {
      const response = await fetch(base, { method: 'POST', body: JSON.stringify(body), ...init })
      const frames = frameReader(response.body)
      const { run_id: runId = '', session_id: sessionId = '' } = (await frames.next())?.event ?? {}
      return { frames, runId, sessionId }
    },
    async interrupt(runId, position) {
      const body = JSON.stringify({ position })
      const response = await fetch(`${base}/runs/${runId}/interrupt`, { method: 'POST', body })
      return (await response.json()) as Record<string, unknown>
    },
  }
}

const hello = { messages: [{ role: 'user', content: 'Hello' }] }
const isText = (event: WireEvent): boolean => event.message !== undefined
const line = (content: string, more: Record<string, unknown> = {}): string =>
  `${JSON.stringify({ model: 'nano', created_at: `t${serial++}`, message: { role: 'assistant', content }, done: false, ...more })}\n`
let serial = 0
const lastLine = line('', { done: true, done_reason: 'stop', prompt_eval_count: 7, eval_count: 2 })

interface Line {
  readonly message?: { readonly content?: string; readonly thinking?: string }
  readonly done_reason?: string
  readonly prompt_eval_count?: number
  readonly eval_count?: number
}
/** What the lines of a body say, read by hand; a line that is no JSON says nothing. */
function linesOf(body: string): Line[] {
  return body.split('\n').flatMap((text) => {
    try {
      return [JSON.parse(text) as Line]
    } catch {
      return [] // cut off
    }
  })
}
const contentOf = (body: string): string =>
  linesOf(body)
    .map(({ message }) => message?.content ?? '')
    .join('')

// What was recorded from a real Ollama

/** By the part of their names that differs. */
const recorded: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(expected.recordings).flatMap(([name, { end }]) =>
    name.startsWith('ollama-chat-') ? [[name.slice('ollama-chat-'.length), end]] : [],
  ),
)
const retryable: ReadonlySet<string> = new Set(['upstream_unreachable', 'upstream_failed', 'upstream_crashed'])

/** The server of a recording; where nothing was recorded, nobody listens. */
async function serverOf(play: Recording): Promise<{ url: string; server: ReplayServer | undefined }> {
  if (!play.response) return { url: `http://127.0.0.1:${await closedPort()}`, server: undefined }
  const server = await replayServer(play)
  return { url: server.url, server }
}

for (const [name, how] of Object.entries(recorded)) {
  test(`ollama: the recording ${name} gives its text and ends by ${how}`, async () => {
    const play = recording(`ollama-chat-${name}`)
    const { url, server } = await serverOf(play)
    const { ask, interrupt, ends } = await bench(url)
    const body = bodyOf(play).toString()
    const text = contentOf(body)
    const { frames, runId } = await ask()
    const seen = [
      ...(how === 'interrupted' ? await untilText(frames, text) : []),
      ...(how === 'interrupted' ? [] : await frames.rest()),
    ]
    if (how === 'interrupted') {
      await interrupt(runId)
      seen.push(...(await frames.rest()))
    }
    expect(textOf(seen)).toBe(text)
    expect(ends[0]?.log.partial().content).toBe(text)
    const terminal = seen.at(-1)?.event
    const last = linesOf(body).at(-1)
    if (how === 'stop' || how === 'length') {
      expect(last?.done_reason).toBe(how)
      const usage = { prompt_tokens: last?.prompt_eval_count, completion_tokens: last?.eval_count }
      expect(terminal).toEqual({ done: true, reason: how, usage })
    } else if (how === 'interrupted') {
      expect(terminal).toMatchObject({ done: true, reason: 'interrupted', by: 'person', position: text.length })
    } else {
      const error = { code: how, message: expect.any(String), retryable: retryable.has(how) }
      expect(terminal).toEqual({ done: true, reason: 'error', error, position: text.length })
    }
    await server?.allClosed()
  })
}

async function untilText(frames: FrameReader, text: string): ReturnType<FrameReader['rest']> {
  let seen = ''
  return frames.until(({ message }) => (seen += message ?? '') === text)
}

for (const [name, how] of Object.entries(recorded).filter(([, how]) => how === 'stop' || how === 'length')) {
  test(`ollama: the npm client of Ollama reads the same text from the recording ${name} (${how})`, async () => {
    const server = await replayServer(recording(`ollama-chat-${name}`))
    const client = new Ollama({ host: server.url })
    let theirs = ''
    let reason = ''
    for await (const part of await client.chat({ model: 'nano', messages: hello.messages, stream: true })) {
      theirs += part.message.content
      if (part.done) reason = part.done_reason
    }
    const { frames } = await (await bench(server.url)).ask()
    const ours = await frames.rest()
    expect(textOf(ours)).toBe(theirs)
    expect(ours.at(-1)?.event.reason).toBe(reason)
    expect(theirs.length).toBeGreaterThan(0)
  })
}

// Failures

for (const [what, play, code] of [
  ['404', handmade(['{"error":"model \'nano\' not found"}'], { status: 404 }), 'upstream_model_missing'],
  ['400', handmade(['{"error":"invalid message"}'], { status: 400 }), 'upstream_rejected'],
  ['401', handmade(['{"error":"unauthorized","signin_url":"https://x"}'], { status: 401 }), 'upstream_unauthorized'],
  ['403 without a body', handmade([], { status: 403 }), 'upstream_rejected'],
  [
    '503 busy',
    handmade(['{"error":"server busy, please try again.  maximum pending requests exceeded"}'], { status: 503 }),
    'upstream_busy',
  ],
  ['429', handmade(['slow down'], { status: 429 }), 'upstream_busy'],
  ['500', handmade(['{"error":"out of memory at 10.0.0.7"}'], { status: 500 }), 'upstream_failed'],
  ['an error whose body breaks off', handmade(['{"err'], { status: 500, ended: 'reset' }), 'upstream_failed'],
  ['a redirect', handmade([], { status: 302, headers: { location: '/elsewhere' } }), 'upstream_rejected'],
  ['an end before the first line', handmade([]), 'upstream_incomplete'],
  ['done_reason load', handmade([line('', { done: true, done_reason: 'load' })]), 'upstream_failed'],
  ['an error as the first line', handmade(['{"error":"no"}\n']), 'upstream_failed'],
  ['HTML of some proxy', handmade(['<html>\n<body>\nBad gateway\n']), 'upstream_malformed'],
] as const) {
  test(`ollama: ${what} ends the run by ${code}, without text and without the server's words`, async () => {
    const server = await replayServer(play)
    const { ask, ends } = await bench(server.url)
    const { frames } = await ask()
    const terminal = (await frames.rest()).at(-1)?.event
    expect(terminal).toMatchObject({ reason: 'error', error: { code }, position: 0 })
    expect(JSON.stringify(terminal)).not.toMatch(/10\.0\.0\.7|not found"|signin|pending requests|html/)
    expect(ends).toHaveLength(1)
    await server.allClosed()
  })
}

for (const [what, play, code] of [
  [
    'an error line',
    handmade([line('half '), line('an'), '{"error":"an error was encountered while running the model"}\n']),
    'upstream_failed',
  ],
  ['a clean end without done', handmade([line('half '), line('an')]), 'upstream_incomplete'],
  [
    'a FIN without the last chunk',
    handmade([line('half '), line('an')], { ended: 'reset', socket: 'fin' }),
    'upstream_unreachable',
  ],
  [
    'a line that is cut off',
    handmade([line('half '), line('an'), line(' answer').slice(0, 40)]),
    'upstream_incomplete',
  ],
  [
    'three lines in a row that are no JSON',
    handmade([line('half '), line('an'), '{"x\n', 'garbage\n', '[]\n', lastLine]),
    'upstream_malformed',
  ],
  ['a line over the limit', handmade([line('half '), line('an'), `${'x'.repeat(2_000)}\n`, lastLine]), 'overflow'],
  ['a last line that is cut off', handmade([line('half '), line('an'), lastLine.slice(0, -2)]), 'upstream_incomplete'],
] as const) {
  test(`ollama: ${what} in mid text ends the run by ${code} and keeps the partial`, async () => {
    const server = await replayServer(play)
    const { ask, base } = await bench(server.url, { upstreamOptions: { maxLineChars: 1_000 } })
    const { frames, runId } = await ask()
    const seen = await frames.rest()
    expect(textOf(seen)).toBe('half an')
    expect(seen.at(-1)?.event).toMatchObject({ reason: 'error', error: { code }, position: 7 })
    const replay = await frameReader((await fetch(`${base}/runs/${runId}`)).body).rest()
    expect(textOf(replay)).toBe('half an')
    await server.allClosed()
  })
}

test('ollama: a reset in mid text ends the run by upstream_unreachable', async () => {
  const server = await replayServer(handmade([line('half ')], { ended: 'reset', socket: 'rst' }), { holdAt: 1 })
  const { ask } = await bench(server.url)
  const { frames } = await ask()
  const seen = await frames.until(isText)
  const request = await server.next()
  request.release()
  const rest = await frames.rest()
  expect(textOf([...seen, ...rest])).toBe('half ')
  expect(rest.at(-1)?.event).toMatchObject({ error: { code: 'upstream_unreachable', retryable: true }, position: 5 })
})

test('ollama: bad lines between good ones keep the text, and no such reply is done', async () => {
  const bad = ['{"x\n', '<garbage>\n']
  const server = await replayServer(handmade([line('a'), ...bad, line('b'), ...bad, line('c'), ...bad, lastLine]))
  const { frames } = await (await bench(server.url)).ask()
  const seen = await frames.rest()
  expect(textOf(seen)).toBe('abc')
  const error = { code: 'upstream_malformed', retryable: false }
  expect(seen.at(-1)?.event).toMatchObject({ reason: 'error', error, position: 3 })
})

test('ollama: after a server that refused, the next request works', async () => {
  let plays = 0
  const server = await replayServer(() =>
    plays++ === 0 ? handmade(['{}'], { status: 503 }) : handmade([line('fine'), lastLine]),
  )
  const { ask } = await bench(server.url)
  expect((await (await ask()).frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_busy' } })
  expect(textOf(await (await ask()).frames.rest())).toBe('fine')
})

test('ollama: a silence of 30 s in mid text ends the attempt by upstream_stalled, and closes the socket', async () => {
  const server = await replayServer(handmade([line('half '), line('an'), lastLine]), { holdAt: 2 })
  const { ask, clock, signals } = await bench(server.url)
  const { frames } = await ask()
  await untilText(frames, 'half an')
  clock.advance(29_999)
  expect(signals[0]?.aborted).toBe(false)
  clock.advance(1)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({
    error: { code: 'upstream_stalled', retryable: true },
    position: 7,
  })
  expect(await (await server.next()).closed).toBe(false)
  await server.allClosed()
  expect(clock.timers).toBe(0)
})

test('ollama: a model that takes two minutes to load blows nothing, and the heartbeat goes on', async () => {
  const server = await replayServer(recording('ollama-chat-plain'), { holdAt: 'head' })
  const { ask, clock, signals } = await bench(server.url)
  const { frames } = await ask()
  const request = await server.next()
  await request.holding
  expect((await frames.next())?.event).toEqual({ status: 'waiting' })
  for (let waited = 0; waited < 120_000; waited += 5_000) {
    clock.advance(5_000)
    expect((await frames.next())?.event).toEqual({ ping: 'keepalive' })
  }
  expect(signals[0]?.aborted).toBe(false)
  request.release()
  const seen = await frames.rest()
  expect(textOf(seen)).toBe(contentOf(bodyOf(recording('ollama-chat-plain')).toString()))
  expect(seen.at(-1)?.event).toMatchObject({ reason: 'stop' })
})

test('ollama: a model that sends nothing for five minutes ends the run by upstream_silent', async () => {
  const server = await replayServer(handmade([lastLine]), { holdAt: 'head' })
  const { ask, clock } = await bench(server.url)
  const { frames } = await ask()
  const request = await server.next()
  await request.holding
  clock.advance(300_000)
  expect((await frames.rest()).at(-1)?.event).toMatchObject({ error: { code: 'upstream_silent' }, position: 0 })
  expect(await request.closed).toBe(false)
})

// Cuts

/** A transport without sockets: these bytes, then a clean end, or an error as node:http words it. */
function bytesTransport(bytes: Uint8Array, ended: 'end' | 'reset'): Transport {
  return pushing(async () => ({
    status: 200,
    header: () => undefined,
    body: (async function* () {
      yield bytes
      if (ended === 'reset') throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
    })(),
  }))
}

/** One run of an upstream, to its end. */
async function ranOf(upstream: Upstream): Promise<{ terminal: TerminalEvent; run: Run }> {
  const messages = [{ role: 'user', content: 'Hello' }] as const
  const run = startRun({
    runId: 'run',
    sessionId: 'sess',
    model: 'nano',
    open: (_question, sink, signal) =>
      upstream.open({ model: 'nano', messages, prefill: '', interruptedNote: null }, sink, signal),
    clock: manualClock(),
    fuse: fuseDefaults,
    orphanMs: 0,
  })
  return { terminal: await run.ended, run }
}

for (const ended of ['end', 'reset'] as const) {
  test(`ollama: a run cut at every byte by ${ended} is done only with its last line, else its partial is kept`, async () => {
    const body = bodyOf(recording('ollama-chat-length'))
    for (let cut = 0; cut <= body.length; cut++) {
      const { terminal, run } = await ranOf(
        ollama({ model: 'nano', transport: bytesTransport(body.subarray(0, cut), ended) }),
      )
      // A clean end completes a line that parses; a broken connection proves nothing of what stands after the last LF.
      const text = body.subarray(0, cut).toString()
      const usable = ended === 'end' ? text : text.slice(0, text.lastIndexOf('\n') + 1)
      const broken = ended === 'end' ? 'upstream_incomplete' : 'upstream_unreachable'
      const how = terminal.reason === 'error' ? terminal.error.code : terminal.reason
      const isDone = cut >= body.length - (ended === 'end' ? 1 : 0)
      expect({ cut, content: run.log.partial().content, how }).toEqual({
        cut,
        content: contentOf(usable),
        how: isDone ? 'length' : broken,
      })
    }
  })
}

test('ollama: nothing after its last line counts', async () => {
  const body = Buffer.from(line('a') + lastLine + line('b') + '{"error":"late"}\n')
  const { terminal, run } = await ranOf(ollama({ model: 'nano', transport: bytesTransport(body, 'end') }))
  expect([terminal.reason, run.log.partial().content]).toEqual(['stop', 'a'])
})

test('ollama: a line that repeats the one before it to the byte is a token said again', async () => {
  const once = line('ha')
  const body = Buffer.from(once + once + line('ha') + lastLine)
  expect(
    (await ranOf(ollama({ model: 'nano', transport: bytesTransport(body, 'end') }))).run.log.partial().content,
  ).toBe('hahaha')
})

// What goes up

const note = '[interrupted by the user]'

test('ollama: the whole history goes up, the partial to the character, with the note behind it', async () => {
  const partial = '  The fox 🌸 said:\n\n"春光'
  const server = await replayServer(handmade([line(`${partial}明媚" and went on`), lastLine]), { holdAt: 1 })
  const { ask, interrupt } = await bench(server.url)
  const first = await ask()
  await first.frames.until(isText)
  expect(await interrupt(first.runId, partial.length)).toMatchObject({ partial: { content: partial } })
  const messages = [
    ...hello.messages,
    { role: 'assistant', content: partial },
    { role: 'user', content: 'No, about a cat.' },
  ]
  await server.next()
  await ask({ messages, session_id: first.sessionId })
  const request = await server.next()
  expect([request.method, request.path]).toEqual(['POST', '/api/chat'])
  expect(JSON.parse(request.body)).toEqual({
    model: 'nano',
    messages: [messages[0], { role: 'assistant', content: `${partial}\n\n${note}` }, messages[2]],
    stream: true,
  })
})

test('ollama: without an interrupt the history goes up as it came', async () => {
  const server = await replayServer(handmade([lastLine]))
  const { ask } = await bench(server.url)
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hi. \n' },
    { role: 'user', content: '春光🌸\u0000"\\' },
  ]
  await ask({ messages })
  expect(JSON.parse((await server.next()).body)).toEqual({ model: 'nano', messages, stream: true })
})

test('ollama: tools, their calls and their results go up as Ollama words them', async () => {
  const server = await replayServer(handmade([lastLine]))
  const { ask } = await bench(server.url, { requestTools: true })
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const call = { id: 'call_1', name: 'weather', arguments: { city: 'Köln' } }
  await ask({
    messages: [
      { role: 'user', content: 'And the weather?' },
      { role: 'assistant', content: '', thinking: 'secret', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"c":21}' },
    ],
    tools: [{ name: 'weather', description: 'Weather of a city.', parameters }, { name: 'time' }],
  })
  expect(JSON.parse((await server.next()).body)).toEqual({
    model: 'nano',
    messages: [
      { role: 'user', content: 'And the weather?' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call_1', function: { name: 'weather', arguments: { city: 'Köln' } } }],
      },
      { role: 'tool', content: '{"c":21}', tool_name: 'weather', tool_call_id: 'call_1' },
    ],
    stream: true,
    tools: [
      { type: 'function', function: { name: 'weather', description: 'Weather of a city.', parameters } },
      { type: 'function', function: { name: 'time', description: '', parameters: { type: 'object', properties: {} } } },
    ],
  })
})

test('ollama: model, options and think go up', async () => {
  const server = await replayServer(handmade([lastLine]))
  const { ask } = await bench(server.url, { models: ['nano', 'other:1b'], requestThink: true })
  const options = { temperature: 0, seed: 7, stop: ['\n'] }
  await ask({ ...hello, model: 'other:1b', options, think: false })
  expect(JSON.parse((await server.next()).body)).toEqual({
    ...hello,
    model: 'other:1b',
    stream: true,
    options,
    think: false,
  })
})

test('ollama: of the headers of a client none goes up, those of the options do', async () => {
  const server = await replayServer(handmade([lastLine]))
  const { ask } = await bench(server.url, { upstreamOptions: { headers: { authorization: 'Bearer of-the-gateway' } } })
  const headers = {
    authorization: 'Bearer of-the-page',
    cookie: 'a=b',
    'x-conversation-id': '1',
    'accept-language': 'de',
  }
  await ask(hello, { headers })
  const { host, ...up } = (await server.next()).headers
  expect(`http://${String(host)}`).toBe(server.url)
  expect(up).toEqual({
    authorization: 'Bearer of-the-gateway',
    'content-type': 'application/json',
    accept: 'application/x-ndjson',
    'accept-encoding': 'identity',
    'content-length': expect.any(String),
    connection: expect.any(String),
  })
})

test('ollama: a base URL with a path and a slash is kept', async () => {
  const server = await replayServer(handmade([lastLine]))
  await (await bench(`${server.url}/behind/proxy/`)).ask()
  expect((await server.next()).path).toBe('/behind/proxy/api/chat')
})

test('ollama: thinking, text, tool calls and usage come down', async () => {
  const calls = [{ function: { index: 0, name: 'weather', arguments: { city: 'Köln' } } }]
  const server = await replayServer(
    handmade([
      line('', { message: { role: 'assistant', content: '', thinking: '开始' } }),
      line('both', { message: { role: 'assistant', content: 'Hi', thinking: '!' } }),
      line('', { message: { role: 'assistant', content: '', tool_calls: calls } }),
      lastLine,
    ]),
  )
  const { frames } = await (await bench(server.url)).ask()
  const events = (await frames.rest()).map(({ event }) => event)
  expect(events.map(({ thinking }) => thinking ?? '').join('')).toBe('开始!')
  expect(events.map(({ message }) => message ?? '').join('')).toBe('Hi')
  expect(events.slice(-2)).toEqual([
    { tool_call: { id: expect.stringMatching(/^call_[0-9a-f]{32}$/), name: 'weather', arguments: { city: 'Köln' } } },
    { done: true, reason: 'tool_calls', usage: { prompt_tokens: 7, completion_tokens: 2 } },
  ])
})

// Interrupt, in each phase

const phases = [
  ['before the head', 'head', 0],
  ['before the first token', 0, 0],
  ['in mid text', 3, 3],
] as const
const spoken = handmade([line('a'), line('b'), line('c'), line('d'), lastLine])

for (const [phase, holdAt, position] of phases) {
  test(`ollama: an interrupt ${phase} aborts the request before it answers, and closes the server's socket`, async () => {
    const server = await replayServer(spoken, { holdAt })
    const { ask, interrupt, signals, clock } = await bench(server.url)
    const { frames, runId } = await ask()
    const request = await server.next()
    await request.holding
    if (position > 0) await untilText(frames, 'abc')
    const outcome = await interrupt(runId)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(outcome).toMatchObject({ outcome: 'interrupted', position, partial: { content: 'abc'.slice(0, position) } })
    expect((await frames.rest()).at(-1)?.event).toMatchObject({
      done: true,
      reason: 'interrupted',
      by: 'person',
      position,
    })
    expect(await request.closed).toBe(false)
    await server.allClosed()
    expect(clock.timers).toBe(0)
  })

  test(`ollama: a client that is gone ${phase} closes the server's socket`, async () => {
    const server = await replayServer(spoken, { holdAt })
    const { ask, ends } = await bench(server.url)
    const abort = new AbortController()
    const { frames } = await ask(hello, { signal: abort.signal })
    const request = await server.next()
    await request.holding
    if (position > 0) await untilText(frames, 'abc')
    abort.abort()
    expect(await request.closed).toBe(false)
    await server.allClosed()
    expect(ends.map(({ state }) => state)).toMatchObject([
      { terminal: { reason: 'interrupted', by: 'orphan', position } },
    ])
  })

  test(`ollama: an upstream that is told to stop ${phase} throws the reason it was given`, async () => {
    const server = await replayServer(spoken, { holdAt })
    const abort = new AbortController()
    const messages = [{ role: 'user', content: 'Hello' }] as const
    const request = { model: 'nano', messages, prefill: '', interruptedNote: null }
    const events = eventsOf(ollama({ url: server.url, model: 'nano' }), request, abort.signal)[Symbol.asyncIterator]()
    let text = ''
    const read = async (): Promise<void> => {
      for (let next = await events.next(); !next.done; next = await events.next()) {
        for (const event of next.value) if ('message' in event) text += event.message
      }
    }
    const reason = new DOMException('Told to stop.', 'AbortError')
    const thrown = read().catch((error: unknown) => error)
    await (
      await server.next()
    ).holding
    while (text.length < position) await new Promise((resolve) => setImmediate(resolve))
    abort.abort(reason)
    expect(await thrown).toBe(reason)
    await server.allClosed()
  })
}

test('ollama: the next question closes the socket of the answer that it cuts off, and is answered', async () => {
  let plays = 0
  const server = await replayServer(() => (plays++ === 0 ? spoken : handmade([line('fine'), lastLine])), { holdAt: 3 })
  const { ask } = await bench(server.url)
  const first = await ask()
  const cut = await server.next()
  await untilText(first.frames, 'abc')
  const messages = [...hello.messages, { role: 'assistant', content: 'ab' }, { role: 'user', content: 'Stop' }]
  const second = await ask({ messages, session_id: first.sessionId, interrupts: { run_id: first.runId, position: 2 } })
  expect(await cut.closed).toBe(false)
  expect((await first.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded', position: 2 })
  expect(textOf(await second.frames.rest())).toBe('fine')
  expect(JSON.parse((await server.next()).body)).toMatchObject({ messages: [{}, { content: `ab\n\n${note}` }, {}] })
})

// How it is

for (const [what, ps, tags, model, state] of [
  ['a loaded model', 'ps', 'tags', 'nano', 'ready'],
  ['a loaded model by its tag', 'ps', 'tags', 'nano:latest', 'ready'],
  ['a model that has to be loaded', 'ps-empty', 'tags', 'nano', 'idle'],
  ['a model that is not there', 'ps-empty', 'tags', 'qwen3:32b', 'model_missing'],
] as const) {
  test(`ollama: the status of ${what} is ${state}`, async () => {
    const plays: Readonly<Record<string, Recording>> = {
      '/api/version': handmade(['{"version":"0.12.3"}']),
      '/api/ps': recording(`ollama-get-${ps}`),
      '/api/tags': recording(`ollama-get-${tags}`),
    }
    const server = await replayServer(({ path }) => plays[path] ?? handmade([], { status: 404 }))
    const { base } = await bench(server.url, { upstreamOptions: { model } })
    expect(await (await fetch(base)).json()).toMatchObject({
      model,
      upstream: { name: 'ollama', state, version: '0.12.3' },
    })
  })
}

test('ollama: the status of a server that is not there is unreachable, as is one that answers nonsense', async () => {
  const server = await replayServer(handmade(['<html>']))
  for (const url of [`http://127.0.0.1:${await closedPort()}`, server.url]) {
    expect(await (await fetch((await bench(url)).base)).json()).toMatchObject({ upstream: { state: 'unreachable' } })
  }
})

test('ollama: the status of a server that answers, and not as Ollama does, tells how', async () => {
  const server = await replayServer(handmade([], { status: 404 }))
  expect(await (await fetch((await bench(server.url)).base)).json()).toMatchObject({
    upstream: { state: 'unreachable', status: 404 },
  })
})

test.for([
  [401, 'unauthorized'],
  [403, 'unauthorized'],
  [404, 'unreachable'],
  [500, 'unreachable'],
] as const)('ollama: the status of a server that answers by %i is %s', async ([status, state]) => {
  const server = await replayServer(handmade(['{"error":"no"}'], { status }))
  expect(await (await fetch((await bench(server.url)).base)).json()).toMatchObject({ upstream: { state } })
})

test('ollama: the status of a server that does not answer is unreachable after 2 s, and its sockets close', async () => {
  const server = await replayServer(handmade(['{}']), { holdAt: 'head' })
  const { base, clock } = await bench(server.url)
  const answer = fetch(base)
  for (const request of [await server.next(), await server.next(), await server.next()]) await request.holding
  clock.advance(2_000)
  expect(await (await answer).json()).toMatchObject({ upstream: { state: 'unreachable' } })
  await server.allClosed()
  expect(clock.timers).toBe(0)
})

for (const options of [
  { model: '' },
  { model: 'x', url: 'ftp://x' },
  { model: 'x', url: 'localhost:11434' },
  { model: 'x', url: '' },
]) {
  test(`ollama: throws a TypeError for ${JSON.stringify(options)}`, () => {
    expect(() => ollama(options)).toThrow(TypeError)
  })
}
