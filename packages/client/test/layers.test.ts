import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream, seededRandom } from '@midstream/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { streamChat } from '../src/stream-chat.ts'
import { gets, turn, whole, world, type World } from './world.ts'

/** What proxies, workers and gateways of others do to a stream on its way. */

type Layer = (body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array> | string | Promise<string>

/** A fetch into a gateway through a layer that changes the bodies of streams, and may lose a request's header and query. */
function through(
  world: () => World,
  change: Layer,
  lose: { readonly header?: boolean; readonly query?: boolean; readonly type?: string } = {},
  into?: typeof globalThis.fetch,
): typeof globalThis.fetch {
  let own: typeof globalThis.fetch | undefined
  return async (input, init) => {
    own ??=
      into ?? gatewayFetch(createGateway({ upstream: world().upstream, clock: world().clock, orphanMs: 3_600_000 }))
    const headers = new Headers(init?.headers)
    if (lose.header) headers.delete('last-event-id')
    const url = lose.query ? (input as string).replace(/\?.*/, '') : (input as string)
    const response = await own(url, { ...init, headers })
    if (!response.headers.get('content-type')?.includes('event-stream')) return response
    const type = lose.type ?? 'text/event-stream'
    return new Response(await change(response.body!), { headers: type ? { 'content-type': type } : {} })
  }
}

/** A layer that changes the text, piece by piece. */
const each =
  (change: (text: string) => string): Layer =>
  (body) =>
    body
      .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
      .pipeThrough(
        new TransformStream<string, string>({
          transform: (text, out) => out.enqueue(change(text)),
        }),
      )
      .pipeThrough(new TextEncoderStream())

const names =
  'session_id run_id model heartbeat_ms position continues message thinking tool_call data reset status attempt progress ping done reason by error usage'
const nulls = Object.fromEntries(names.split(' ').map((name) => [name, null]))
const unnumbered = each((text) => text.replace(/^id:.*\n/gm, ''))
const layers: Readonly<Record<string, Layer>> = {
  'nothing at all': each((text) => text),
  'lines end with CRLF': each((text) => text.replaceAll('\n', '\r\n')),
  'lines end with CR': each((text) => text.replaceAll('\n', '\r')),
  'comments come between': each((text) => `: hello\n\n${text}:\n\n`),
  'text that is no JSON comes between, as data': each((text) => `data: keep-alive\n\n${text}`),
  'data: [DONE] comes at the end': each((text) => (text.includes('"done":true') ? `${text}data: [DONE]\n\n` : text)),
  'frames get a name and a retry': each((text) => text.replaceAll('data:', 'event: message\nretry: 10\ndata:')),
  'the space after the colon is lost': each((text) => text.replaceAll('data: ', 'data:').replaceAll('id: ', 'id:')),
  'id lines are lost': unnumbered,
  'ids are replaced': each((text) => text.replace(/^id:.*/gm, 'id: 7f3a-01')),
  'every frame gets an id of the layer': each((text) =>
    text.replace(/^id:.*\n/gm, '').replaceAll('data:', 'id: x\ndata:'),
  ),
  'the id comes after the data': each((text) => text.replace(/^(id:.*)\n(data:.*)/gm, '$2\n$1')),
  'blank lines are filtered out': each((text) => text.replace(/\n+/g, '\n')),
  'blank lines are filtered out, and lines end with CRLF': each((text) => text.replace(/\n+/g, '\r\n')),
  'blank lines are filtered out, and id lines are lost': each((text) =>
    text.replace(/^id:.*\n/gm, '').replace(/\n+/g, '\n'),
  ),
  'frames are framed once more': each((text) => text.replaceAll('data: ', 'data: data: ')),
  'and again, without spaces': each((text) => text.replaceAll('data: ', 'data:data:data:')),
  'JSON is spread over lines': each((text) =>
    text.replace(/^data: (.*)$/gm, (_, json: string) =>
      JSON.stringify(JSON.parse(json), null, 2).replace(/^/gm, 'data: '),
    ),
  ),
  'null fields are added to every frame': each((text) =>
    text.replace(/^data: (.*)$/gm, (_, json: string) => `data: ${JSON.stringify({ ...nulls, ...JSON.parse(json) })}`),
  ),
  'blank lines at the end are lost': async (body) => (await new Response(body).text()).trimEnd(),
  'the whole body comes at its end, behind a BOM': async (body) => `\uFEFF${await new Response(body).text()}`,
}

for (const [name, layer] of Object.entries(layers)) {
  test(`layer: ${name}; the answer is whole`, async () => {
    const w: World = world({ fetch: through(() => w, layer), text: whole.slice(0, 500) })
    expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole.slice(0, 500), state: 'done' })
    expect(w.upstream.replies).toHaveLength(1)
  })

  test(`layer: ${name}, and the connection is lost; the answer is whole, from one generation`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 900 }), { maxLength: 3 }), async (cuts) => {
        const w: World = world({
          fetch: through(() => w, layer),
          plan: (index) => (index < cuts.length ? { cutAt: cuts[index], ending: 'error' } : undefined),
          text: whole.slice(0, 300),
        })
        expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole.slice(0, 300), state: 'done' })
        expect(w.upstream.replies).toHaveLength(1)
      }),
      { numRuns: 10 },
    )
  })
}

test.for([
  ['the header Last-Event-ID', { header: true }],
  ['the query', { query: true }],
  ['both', { header: true, query: true }],
] as const)('layer: a reconnect loses %s; what is here already is not shown twice', async ([, lose]) => {
  for (const layer of [each((text) => text), unnumbered]) {
    const w: World = world({
      fetch: through(() => w, layer, lose),
      plan: (index) => (index === 0 ? { cutAt: 900 } : undefined),
    })
    const seen: string[] = []
    w.session.subscribe(() => seen.push(w.session.getSnapshot().messages.at(-1)!.content))
    expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: whole, state: 'done' })
    expect(seen.filter((text) => !whole.startsWith(text))).toEqual([])
    expect(gets(w)).toHaveLength(1)
    expect(w.upstream.replies).toHaveLength(1)
  }
})

test.for(['', 'text/plain', 'application/octet-stream', 'application/json'])(
  'layer: the content type becomes %j; a stream is still one',
  async (type) => {
    const w: World = world({
      fetch: through(
        () => w,
        each((text) => text),
        { type },
      ),
      text: 'Yes.',
    })
    expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Yes.', state: 'done' })
  },
)

/** Ids by a layer, for frames that come one after the other; undefined leaves a frame without. */
type Numbering = (index: number, own: number | undefined) => number | undefined
/** Every body is numbered anew. */
const numbered =
  (numbering: () => Numbering): Layer =>
  (body) => {
    const number = numbering()
    let index = 0
    return each((text) =>
      text.replace(/^(?:id: (\d+)\n)?data:/gm, (_, own: string | undefined) => {
        const id = number(index++, own === undefined ? undefined : Number(own))
        return id === undefined ? 'data:' : `id: ${id}\ndata:`
      }),
    )(body)
  }
const numberings = fc.oneof(
  fc.nat({ max: 4_711 }).map(
    (id): (() => Numbering) =>
      () =>
      () =>
        id,
  ),
  fc.constantFrom(0, 1, 5).map(
    (id): (() => Numbering) =>
      () =>
      () =>
        id,
  ),
  fc.tuple(fc.nat({ max: 5 }), fc.integer({ min: 1, max: 3 })).map(([from, step]) => {
    return (): Numbering => (index) => from + index * step
  }),
  fc.nat({ max: 9 }).map(
    (step): (() => Numbering) =>
      () =>
      (index) =>
        1_764_500_000_000 + index * step,
  ),
  // One count over all connections.
  fc.nat({ max: 9 }).map((from): (() => Numbering) => {
    let next = from
    return () => () => next++
  }),
  fc.integer({ min: 0 }).map((seed): (() => Numbering) => {
    const random = seededRandom(seed)
    return () => () => random.below(1_000_000)
  }),
  fc.integer({ min: 1, max: 50 }).map(
    (by): (() => Numbering) =>
      () =>
      (_, own) =>
        own === undefined ? own : own + by,
  ),
)

test('layer: blank lines are filtered out; each event is shown when the next one comes', async () => {
  const w: World = world({
    fetch: through(
      () => w,
      each((text) => text.replace(/\n+/g, '\n')),
    ),
    text: null,
  })
  const sent = w.session.send('Tell me')
  const run = await w.upstream.next()
  const shown: string[] = []
  w.session.subscribe(() => shown.push(w.session.getSnapshot().messages.at(-1)!.content))
  for (const delta of ['One ', 'two ', 'three']) {
    run.send(delta)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await turn()
    w.clock.advance(100)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await turn()
  }
  await w.until(() => shown.includes('One two '))
  run.finish()
  expect(await w.ended(sent)).toMatchObject({ content: 'One two three', state: 'done' })
  expect(w.requests).toHaveLength(1)
})

test('numbered: whatever ids a layer gives to frames, and wherever connections are lost, the answer is whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      numberings,
      fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 4 })),
      fc.array(fc.nat({ max: 900 }), { maxLength: 3 }),
      async (numbering, strippedEvery, cuts) => {
        const some = (): Numbering => {
          const own = numbering()
          return (index, id) => (strippedEvery > 0 && index % strippedEvery === 0 ? undefined : own(index, id))
        }
        const answer = whole.slice(0, 300)
        const w: World = world({
          fetch: through(() => w, numbered(some)),
          plan: (index) => (index < cuts.length ? { cutAt: cuts[index], ending: 'error' } : undefined),
          text: answer,
        })
        const wrong: string[] = []
        w.session.subscribe(() => {
          const { content, role } = w.session.getSnapshot().messages.at(-1)!
          if (role === 'assistant' && !answer.startsWith(content)) wrong.push(content)
        })
        expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: answer, state: 'done' })
        expect(wrong).toEqual([])
        expect(w.upstream.replies).toHaveLength(1)
        // What it cost to find out, and each loss.
        expect(w.requests.length).toBeLessThan(12 + cuts.length)
      },
    ),
    { numRuns: 40 },
  )
})

test.for([
  ['one frame', ['Hello world, this is it']],
  ['letters', ['H', 'e', 'l', 'l', 'o']],
  ['letters, and longer', ['H', 'e', 'l', 'lo', ' world', '!']],
  ['words', ['one ', 'two ', 'three ', 'four ', 'five ']],
] as const)('numbered: a reply of %s is whole, and the next one is read at once', async ([, deltas]) => {
  const counters = [0, 1, 4711, 3, 2].map(
    (from, i): (() => Numbering) =>
      () =>
      (index) =>
        from + (i < 3 ? 0 : index),
  )
  for (const numbering of counters) {
    const w: World = world({ fetch: through(() => w, numbered(numbering)), text: null })
    const content = deltas.join('')
    for (let round = 0; round < 2; round++) {
      const sent = w.session.send('Tell me')
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const run = await w.upstream.next()
      for (const delta of deltas) run.send(delta)
      run.finish()
      const before = w.requests.length
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await w.ended(sent)).toMatchObject({ content, state: 'done' })
      if (round > 0) expect(w.requests.length).toBe(before)
    }
    expect(w.upstream.replies).toHaveLength(2)
  }
})

const first = 'data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":5000}\n\n'
const events = async (body: string): Promise<unknown[]> => {
  const seen: unknown[] = []
  const fetch = (): Promise<Response> => Promise.resolve(new Response(body))
  for await (const event of streamChat({ url: '/api/chat', fetch, messages: [] })) seen.push(event)
  return seen
}

test('layer: a frame without its blank line counts at a clean end; one that is cut anywhere does not', async () => {
  const done = 'data: {"done":true,"reason":"stop"}'
  expect(await events(first + done)).toHaveLength(2)
  expect(await events(`${first}${done}\n`)).toHaveLength(2)
  for (let at = 0; at < done.length; at++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that a failure names its cut
    await expect(events(first + done.slice(0, at))).rejects.toMatchObject({ code: 'dropped' })
  }
})

test.for([
  ['text in the terminal frame', '{"message":"Hi","done":true,"reason":"stop"}'],
  ['text and thinking in the terminal frame', '{"done":true,"thinking":"Hm","reason":"stop","message":"Hi"}'],
  ['the first frame and the terminal one', `{${first.slice(7, -3)},"message":"Hi","done":true,"reason":"stop"}`],
  ['a status in the terminal frame', '{"message":"Hi","status":"generating","done":true,"reason":"stop"}'],
  ['a ping in the terminal frame', '{"message":"Hi","ping":"keepalive","done":true,"reason":"stop"}'],
] as const)('merged: %s; the text is shown and the session is free', async ([, frame]) => {
  const w = world({
    fetch: () => Promise.resolve(new Response(`${first}id: ${frame.includes('Hm') ? 4 : 2}\ndata: ${frame}\n\n`)),
  })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hi', state: 'done' })
  expect(w.session.getSnapshot().status).toBe('idle')
  expect(w.requests).toHaveLength(1)
})

test.for([
  'null',
  '7',
  '[]',
  '{"message":7}',
  '{"message":null,"thinking":{}}',
  '{"message":{"role":"assistant","content":"Hi"},"done":false}',
  '{"done":"true"}',
  '{"tool_call":null}',
  '{"data":1}',
  '{"status":null}',
  '{"session_id":7}',
  '{}',
])('decode: a frame %s is none of the gateway’s and changes nothing', async (frame) => {
  const body = `${first}data: ${frame}\n\nid: 2\ndata: {"message":"Hi"}\n\ndata: {"done":true,"reason":"stop"}\n\n`
  const w = world({ fetch: () => Promise.resolve(new Response(body)) })
  expect(await w.ended(w.session.send('Tell me'))).toMatchObject({ content: 'Hi', state: 'done' })
  expect(w.requests).toHaveLength(1)
})

test('scripted: a gateway says where a reader begins', async () => {
  const upstream = scriptedUpstream({ script: (reply) => (reply.send('Hello you'), reply.finish()) })
  const fetch = gatewayFetch(createGateway({ upstream, clock: manualClock() }))
  const run_id = `run_${'1'.repeat(32)}`
  const json = { run_id, messages: [{ role: 'user', content: 'Hi' }] }
  await (await fetch('/api/chat', { method: 'POST', body: JSON.stringify(json) })).text()
  const starts = await Promise.all(
    ['', '?after=5', '?after=900'].map(async (query) => {
      const text = await (await fetch(`/api/chat/runs/${run_id}${query}`)).text()
      return (JSON.parse(text.slice(6, text.indexOf('\n'))) as { position?: number }).position
    }),
  )
  expect(starts).toEqual([undefined, 5, 9])
})
