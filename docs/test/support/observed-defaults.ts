import { eventsOf } from '@midstream/core/upstream'
import {
  createChatClient,
  streamChat,
  type ChatSession,
  type ReconnectOptions,
  type SessionExtension,
} from '@midstream/client'
import { ChatError, createLineDecoder, createSseDecoder, type Clock } from '@midstream/core'
import { persist, type ChatStorage } from '@midstream/client/persist'
import { createGateway } from '@midstream/core/gateway'
import { nodeTransport } from '@midstream/core/node'
import {
  gatewayFetch,
  manualClock,
  randomFetchFaults,
  scriptedUpstream,
  seededRandom,
  type ScriptedUpstream,
} from '@midstream/core/testing'
import {
  anthropic,
  dialects,
  normaliseHistory,
  ollama,
  openaiCompatible,
  type Transport,
  type TransportRequest,
  type Upstream,
} from '@midstream/core/upstream'

/** Defaults that stand in no exported table, by what happens without the option. */
export const observed: Readonly<Record<string, () => unknown>> = {
  'GatewayOptions.allowedOrigins': async () => {
    const gateway = createGateway({ upstream: scriptedUpstream() })
    const headers = { origin: 'https://app.example' }
    const { status } = await gateway(new Request('http://gateway.test/api/chat', { headers }))
    return status === 403 ? [] : ['*']
  },
  'GatewayOptions.requestTools': async () => (await refused({ tools: [{ name: 'f' }] })) !== 'option_not_allowed',
  'GatewayOptions.requestThink': async () => (await refused({ think: true })) !== 'option_not_allowed',
  'OllamaOptions.url': () =>
    asked((transport) => ollama({ model: 'm', transport })).then(({ url }) => new URL(url).origin),
  'OllamaOptions.maxLineChars': () =>
    longest(
      (transport) => ollama({ model: 'm', transport }),
      (text) => `{"message":{"content":"${text}"}}\n`,
    ),
  'OpenAiCompatibleOptions.maxLineChars': () =>
    longest(
      (transport) => openaiCompatible({ model: 'm', transport }),
      (text) => `data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`,
    ),
  'AnthropicOptions.url': () =>
    asked((transport) => anthropic({ model: 'm', transport })).then(({ url }) => new URL(url).origin),
  'AnthropicOptions.maxTokens': () =>
    asked((transport) => anthropic({ model: 'm', transport })).then(
      ({ body }) => (JSON.parse(body ?? '{}') as { max_tokens: number }).max_tokens,
    ),
  'AnthropicOptions.maxLineChars': () =>
    longest(
      (transport) => anthropic({ model: 'm', transport }),
      (text) => `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}\n\n`,
    ),
  'NodeTransportOptions.connectMs': async () => {
    let waited: number | undefined
    const after: Clock['after'] = (ms) => {
      waited = ms
      return () => undefined
    }
    const { signal } = new AbortController()
    // Nobody listens at the port of `discard`.
    const asked = { method: 'GET', url: 'http://127.0.0.1:9', headers: {}, signal } as const
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const sink = { head: () => undefined, data: () => undefined, end, error: end }
    nodeTransport({ clock: { now: () => 0, after } })(asked, sink)
    await ended
    return waited
  },
  'ChatClientOptions.credentials': () =>
    credentialsOf((fetch) => createChatClient({ url: '/api/chat', fetch }).status()),
  'StreamChatOptions.credentials': () =>
    credentialsOf((fetch) => streamChat({ url: '/api/chat', fetch, messages: question.messages }).next()),
  'ChatClientOptions.whenBusy': async () => {
    const { chat } = newChat()
    void chat.send('one')
    void chat.send('two')
    return chat.getSnapshot().messages[1]?.state === 'interrupted' ? 'interrupt' : 'something else'
  },
  'ChatClientOptions.whenTooLong': async () => {
    const upstream = scriptedUpstream({ script: ({ finish }) => finish() })
    const fetch = gatewayFetch(createGateway({ upstream, limits: { messages: 1 } }))
    const client = createChatClient({ url: '/api/chat', fetch })
    await client.status()
    const chat = client.session()
    await chat.send('one')
    await chat.send('two')
    return chat.getSnapshot().omitted > 0 ? 'omit' : chat.getSnapshot().error?.code
  },
  'ChatClientOptions.gcMs': () => {
    const clock = manualClock()
    let letGoAt: number | undefined
    const extension: SessionExtension = () => () => (letGoAt = clock.now())
    createChatClient({ url: '/api/chat', clock, extensions: [extension] }).session('one of many')
    while (letGoAt === undefined && clock.dueAt < Infinity) clock.advance(clock.dueAt - clock.now())
    return letGoAt
  },
  'Arguments.SessionHandle.report(isShown)': () => {
    const error = new ChatError('storage_failed', 'It is full.')
    const { chat } = newChat([({ report }) => report(error)])
    return chat.getSnapshot().notice !== null
  },
  'ChatClientOptions.autoContinue': async () => {
    const { chat, upstream, restart } = newChat()
    const sent = chat.send('one')
    const first = await upstream.next()
    first.send('Once upon')
    await new Promise<void>((resolve) => chat.subscribe(() => chat.getSnapshot().messages[1]?.content && resolve()))
    await restart()
    const second = await upstream.next()
    second.finish()
    await sent
    return second.request.prefill !== ''
  },
  'ReconnectOptions.maxMs': async () => {
    const gaveUp = await gaveUpAfter({})
    const isThat = gaveUp === (await gaveUpAfter({ maxMs: 120_000 }))
    return isThat && gaveUp > 120_000 && gaveUp !== (await gaveUpAfter({ maxMs: 100_000 })) ? 120_000 : gaveUp
  },
  'PersistOptions.prefix': async () => {
    const keys: string[] = []
    const storage = storageOf((key) => keys.push(key))
    const { chat, upstream } = newChat([persist(storage)])
    await new Promise((resolve) => setImmediate(resolve))
    const sent = chat.send('one')
    ;(await upstream.next()).finish()
    await sent
    return keys[0]?.split(' ')[0]
  },
  'PersistOptions.intervalMs': async () => {
    const clock = manualClock()
    const writes: number[] = []
    const storage = storageOf(() => writes.push(clock.now()))
    const { chat, upstream } = newChat([persist(storage)], clock)
    await new Promise((resolve) => setImmediate(resolve))
    void chat.send('one')
    ;(await upstream.next()).send('Once')
    await new Promise<void>((resolve) => chat.subscribe(() => chat.getSnapshot().messages[1]?.content && resolve()))
    clock.advance(10_000)
    await chat.clear()
    return writes[1]
  },
  'CloseOptions.drainMs': async () => {
    const clock = manualClock()
    const upstream = scriptedUpstream()
    const gateway = createGateway({ upstream, clock })
    const answer = gatewayFetch(gateway)('/api/chat', {
      method: 'POST',
      body: JSON.stringify({ messages: question.messages }),
    })
    const reply = await upstream.next()
    // No time passes: a run that might go on would hold it for ever.
    await gateway.close()
    await reply.left
    await (await answer).body?.cancel()
    return clock.now()
  },
  'CloseOptions.saveMs': async () => {
    const clock = manualClock()
    const upstream = scriptedUpstream({ script: ({ finish }) => finish() })
    const never = new Promise<never>(() => undefined)
    const gateway = createGateway({ upstream, clock, onRunEnd: () => never, onError: () => undefined })
    await createChatClient({ url: '/api/chat', fetch: gatewayFetch(gateway) })
      .session()
      .send('one')
    let isClosed = false
    void gateway.close().then(() => (isClosed = true))
    while (!isClosed) {
      await new Promise((resolve) => setImmediate(resolve))
      if (!isClosed && clock.dueAt < Infinity) clock.advance(clock.dueAt - clock.now())
    }
    return clock.now()
  },
  'Dialect.proof': async () => {
    const { proof: _proof, ...dialect } = { ...dialects.openai, proof: undefined }
    const events = await answered(
      (transport) => openaiCompatible({ model: 'm', dialect, transport }),
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
    )
    return events.some((event) => 'finish' in event) ? '[DONE]' : 'finish_reason'
  },
  'HistoryOptions.thinking': () => {
    const history = normaliseHistory([{ role: 'assistant', content: 'Hi', thinking: 'hm' }], null)
    return history.some(({ thinking }) => thinking) ? 'keep' : 'drop'
  },
  'ChatErrorOptions.retryable': () => new ChatError('internal', 'It failed.').retryable,
  'LineDecoderOptions.maxChars': () =>
    longestOf(1_048_576, (text) => createLineDecoder().push(new TextEncoder().encode(`${text}\n`))),
  'SseDecoderOptions.maxChars': () =>
    longestOf(4_194_304, (text) => createSseDecoder().push(new TextEncoder().encode(`data: ${text}`))),
  'SseDecoderOptions.comments': () =>
    createSseDecoder()
      .push(new TextEncoder().encode(': hi\n\n'))
      .some(({ event }) => event === 'comment'),
  'ScriptedUpstreamOptions.model': () => scriptedUpstream().model,
  'Arguments.manualClock(startAt)': () => manualClock().now(),
  'Arguments.ScriptedReply.finish(reason)': async () => {
    const upstream = scriptedUpstream({ script: ({ finish }) => finish() })
    for await (const event of drained(upstream)) if ('finish' in event) return event.finish
    return undefined
  },
  'RandomFaultOptions.percent': () => {
    const plan = randomFetchFaults(1)
    const requests = Array.from({ length: 2_000 }, (_, index) => plan(index, { method: 'GET', url: '/' }))
    return Math.round(requests.filter(Boolean).length / 100) * 5
  },
  'RandomFaultOptions.stalls': () => {
    const plan = randomFetchFaults(1)
    return Array.from({ length: 200 }, (_, index) => plan(index, { method: 'GET', url: '/' })).some(
      (fault) => fault?.ending === 'stall' || fault?.answer === 'never',
    )
  },
}

/** A storage that keeps what it is given. @param onWrite - Called for each item. */
function storageOf(onWrite: (key: string) => void): ChatStorage {
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem(key, value) {
      items.set(key, value)
      onWrite(key)
    },
    removeItem: (key) => items.delete(key),
  }
}

/** A chat over a gateway that can be restarted. */
function newChat(
  extensions: readonly SessionExtension[] = [],
  clock?: Clock,
): {
  readonly upstream: ScriptedUpstream
  readonly chat: ChatSession
  restart(): Promise<void>
} {
  const upstream = scriptedUpstream()
  let gateway = createGateway({ upstream })
  const fetch: typeof globalThis.fetch = (input, init) => gatewayFetch(gateway)(input, init)
  return {
    upstream,
    chat: createChatClient({ url: '/api/chat', fetch, extensions, clock }).session(),
    async restart() {
      const old = gateway
      gateway = createGateway({ upstream })
      await old.close()
    },
  }
}

const question = {
  model: 'm',
  messages: [{ role: 'user' as const, content: 'Hello' }],
  prefill: '',
  interruptedNote: null,
}

/** When a client without a network gives a message up, ms. */
/** The code with which a request is refused that has these fields. */
async function refused(fields: object): Promise<string | undefined> {
  const gateway = createGateway({ upstream: scriptedUpstream({ script: (reply) => reply.finish() }) })
  const body = JSON.stringify({ stream: false, messages: [{ role: 'user', content: 'Hello' }], ...fields })
  const answer = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
  const { error } = (await answer.json()) as { error?: { code: string } }
  return error?.code
}
async function gaveUpAfter(reconnect: ReconnectOptions): Promise<number> {
  const clock = manualClock()
  const fetch = async (): Promise<Response> => Promise.reject(new TypeError('fetch failed'))
  const client = createChatClient({ url: '/api/chat', fetch, clock, random: seededRandom(1), reconnect })
  let endedAt: number | undefined
  void client
    .session()
    .send('one')
    .then(() => (endedAt = clock.now()))
  while (endedAt === undefined) {
    await new Promise((resolve) => setImmediate(resolve))
    // As far as the next timer, so that none is passed over.
    if (clock.dueAt < Infinity) clock.advance(clock.dueAt - clock.now())
  }
  return endedAt
}

/** How a request carries cookies. */
async function credentialsOf(ask: (fetch: typeof globalThis.fetch) => Promise<unknown>): Promise<string | undefined> {
  let used: string | undefined
  await ask(async (url, init) => {
    used = new Request(new URL(url as string, 'http://gateway.test'), init).credentials
    return Response.json({}, { status: 400 })
  }).catch(() => undefined)
  return used
}

/** What goes up when an upstream is asked. */
async function asked(make: (transport: Transport) => Upstream): Promise<TransportRequest> {
  let seen: TransportRequest | undefined
  const upstream = make((request) => {
    seen = request
    throw new TypeError('enough')
  })
  for await (const _ of drained(upstream)) void _
  return seen!
}

/** The longest line or frame that an upstream reads, to within what stands around its text. */
async function longest(make: (transport: Transport) => Upstream, line: (text: string) => string): Promise<number> {
  const reads = async (chars: number): Promise<boolean> => {
    const text = line('a'.repeat(chars))
    const upstream = make(saying(text))
    let length = 0
    for await (const event of drained(upstream)) if ('message' in event) length += String(event.message).length
    return length === chars
  }
  const limit = 1_048_576
  return (await reads(limit - 100)) && !(await reads(limit + 1)) ? limit : NaN
}

/** What an upstream makes of a body. */
async function answered(make: (transport: Transport) => Upstream, text: string): Promise<object[]> {
  const events: object[] = []
  const upstream = make(saying(text))
  for await (const event of drained(upstream)) events.push(event)
  return events
}

/** The limit, if what is as long can be read, but for what stands around it, and one character more cannot. */
function longestOf(limit: number, read: (text: string) => unknown): number {
  read('a'.repeat(limit - 100))
  try {
    read('a'.repeat(limit + 1))
    return NaN
  } catch {
    return limit
  }
}

/** A server that says the same to everybody. */
function saying(text: string): Transport {
  return (_request, sink) => {
    sink.head({ status: 200, header: () => 'text/event-stream' })
    void sink.data(new TextEncoder().encode(text))
    sink.end()
  }
}

/** Its events, up to whatever it fails with. */
async function* drained(upstream: Upstream): AsyncGenerator<object, void, undefined> {
  try {
    for await (const events of eventsOf(upstream, question, new AbortController().signal)) yield* events
  } catch {
    // What it fails with is not asked for here.
  }
}
