import { eventsOf } from '../src/upstream/events-of.ts'
import { expect, test } from 'vitest'
import { nodeTransport } from '../src/node/index.ts'
import { continueInstruction, ollama, type Upstream, type UpstreamRequest } from '../src/upstream/index.ts'
import { handmade, replayServer, type Recording, type ReplayServer } from './support/replay-server.ts'

const prefill = 'There was once a fox called Eva'
const request: UpstreamRequest = {
  model: 'nano',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill,
  interruptedNote: null,
}
const json = (body: unknown, status = 200): Recording =>
  handmade([JSON.stringify(body)], { status, headers: { 'Content-Type': 'application/json' } })
const rendered = (rendered_template: string): Recording => json({ model: 'nano', _debug_info: { rendered_template } })
const said = (...texts: string[]): Recording =>
  handmade([
    ...texts.map((content) => `${JSON.stringify({ message: { content } })}\n`),
    '{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
  ])

interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  readonly think?: unknown
  readonly stream: boolean
  readonly options?: unknown
  readonly _debug_render_only?: boolean
}
const bodies = ({ requests }: ReplayServer): Body[] => requests.map(({ body }) => JSON.parse(body) as Body)
/** A server that renders prompts like this, and answers all other requests like that. */
const serve = (look: Recording, answer: Recording | ((body: string) => Recording)): Promise<ReplayServer> =>
  replayServer(({ body }) => {
    if (body.includes('_debug_render_only')) return look
    return typeof answer === 'function' ? answer(body) : answer
  })
const upstreamOf = ({ url }: ReplayServer): Upstream => ollama({ url, model: 'nano', transport: nodeTransport() })

async function ran(upstream: Upstream, more: Partial<UpstreamRequest> = {}): Promise<string> {
  let text = ''
  for await (const events of eventsOf(upstream, { ...request, ...more }, new AbortController().signal))
    for (const event of events) {
      if ('error' in event) throw event.error
      if ('message' in event) text += event.message
    }
  return text
}
const continuationOf = async (upstream: Upstream) =>
  (await upstream.status?.(new AbortController().signal))?.continuation

test('ollama: a template that leaves the reply open continues it, looked at once', async () => {
  const server = await serve(rendered(`<user>Hello<assistant>${prefill}`), said(', who'))
  const upstream = upstreamOf(server)
  expect(await ran(upstream, { prefill: `${prefill} `, think: true, options: { num_ctx: 9 } })).toBe(', who')
  expect(await ran(upstream)).toBe(', who')
  const [look, ...asked] = bodies(server)
  const partial = { role: 'assistant', content: prefill }
  expect(look).toMatchObject({
    _debug_render_only: true,
    stream: false,
    think: false,
    options: { num_ctx: 9, num_predict: 1 },
  })
  expect(look?.messages.at(-1)).toEqual(partial)
  expect(asked).toHaveLength(2)
  expect(asked[0]).toMatchObject({ stream: true, think: false, options: { num_ctx: 9 } })
  expect(asked.map(({ messages }) => messages.at(-1))).toEqual([partial, partial])
  expect(await continuationOf(upstream)).toEqual({ plain: 'native', thinking: 'native' })
})

test('ollama: a template that closes the turn is asked in words, and what the model says again is removed', async () => {
  const server = await serve(
    rendered(`<user>Hello<assistant>${prefill}<end><assistant>`),
    said('once a fox', ' called Eva', ', who'),
  )
  const upstream = upstreamOf(server)
  expect(await ran(upstream, { think: true })).toBe(', who')
  expect(await ran(upstream)).toBe(', who')
  const [look, ...asked] = bodies(server)
  expect(look?._debug_render_only).toBe(true)
  expect(asked.map(({ messages, think }) => ({ messages: messages.slice(-2), think }))).toEqual([
    {
      messages: [
        { role: 'assistant', content: prefill },
        { role: 'user', content: continueInstruction },
      ],
      think: true,
    },
    {
      messages: [
        { role: 'assistant', content: prefill },
        { role: 'user', content: continueInstruction },
      ],
      think: undefined,
    },
  ])
  expect(await continuationOf(upstream)).toEqual({ plain: 'instruction', thinking: 'instruction' })
})

test.for<[string, Recording]>([
  ['does not know the question', json({ model: 'nano', message: { content: 'Hi' }, done: true })],
  ['refuses the question', json({ error: 'unknown field' }, 400)],
  ['says what is no JSON', handmade(['<html>'])],
])('ollama: a server that %s is asked natively', async ([, look]) => {
  const server = await serve(look, said(', who'))
  expect(await ran(upstreamOf(server))).toBe(', who')
  expect(bodies(server).at(-1)?.messages.at(-1)).toEqual({ role: 'assistant', content: prefill })
})

test('ollama: a reply from the start is not looked at', async () => {
  const server = await serve(json({}), said('Hi'))
  expect(await ran(upstreamOf(server), { prefill: '' })).toBe('Hi')
  expect(server.requests).toHaveLength(1)
})

test('ollama: a template of llama-server that refuses is learnt, and asked in words', async () => {
  const refusal = json({ error: 'Assistant response prefill is incompatible with enable_thinking.' }, 400)
  const server = await serve(json({}), (body) => (body.includes(continueInstruction) ? said(', who') : refusal))
  const upstream = upstreamOf(server)
  expect(await ran(upstream)).toBe(', who')
  expect(await continuationOf(upstream)).toEqual({ plain: 'instruction', thinking: 'native' })
  expect(await ran(upstream)).toBe(', who')
  expect(server.requests.filter(({ path }) => path === '/api/chat')).toHaveLength(4)
})

test('ollama: a build that says the partial again, over several lines, is not seen to', async () => {
  const server = await serve(json({}), said('There was', ' once a fox called', ' Eva, who'))
  expect(await ran(upstreamOf(server))).toBe(', who')
})

test('ollama: a socket that breaks in mid copy gives out what was held back', async () => {
  const broken = handmade(['{"message":{"content":"There was"}}\n'], { ended: 'reset', socket: 'fin' })
  const server = await serve(json({}), broken)
  const events = eventsOf(upstreamOf(server), request, new AbortController().signal)
  let text = ''
  await expect(
    (async () => {
      for await (const some of events) for (const event of some) text += 'message' in event ? event.message : ''
    })(),
  ).rejects.toMatchObject({ code: 'upstream_unreachable' })
  expect(text).toBe('There was')
})

test('ollama: a key in the headers is in no error', async () => {
  const server = await replayServer(json({ error: 'unknown key sk-secret' }, 401))
  const upstream = ollama({ url: server.url, model: 'nano', headers: { authorization: 'Bearer sk-secret' } })
  await expect(ran(upstream, { prefill: '' })).rejects.toMatchObject({
    cause: 'HTTP 401: {"error":"unknown key [key]"}',
  })
})

test('ollama: an abort while the template is looked at ends the run', async () => {
  const server = await replayServer(said('Hi'), { holdAt: 'head' })
  const abort = new AbortController()
  const next = eventsOf(upstreamOf(server), request, abort.signal)[Symbol.asyncIterator]().next()
  const look = await server.next()
  await look.holding
  abort.abort(new DOMException('enough', 'AbortError'))
  await expect(next).rejects.toThrow('enough')
  expect(await look.closed).toBe(false)
  expect(server.requests).toHaveLength(1)
})
