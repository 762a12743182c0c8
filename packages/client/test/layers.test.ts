import { createGateway } from '@midstream/core/gateway'
import { gatewayFetch, manualClock, scriptedUpstream } from '@midstream/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { streamChat } from '../src/stream-chat.ts'
import { gets, whole, world, type World } from './world.ts'

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
