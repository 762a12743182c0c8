import { expect, onTestFinished, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { withEvidence } from '../src/pool/evidence.ts'
import { manualClock, scriptedUpstream } from '../src/testing/index.ts'
import { fromIterable, route } from '../src/upstream/index.ts'
import { createLearnt } from '../src/upstream/learnt.ts'
import type { Upstream, UpstreamEvent, UpstreamSink } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'

interface Reply {
  readonly model?: string
  readonly prefill?: string
  readonly events?: readonly UpstreamEvent[]
  readonly error?: unknown
}

/** One model server. @returns Says a reply, and gives what it ended with. */
function server(): { readonly clock: ReturnType<typeof manualClock>; readonly reply: (reply: Reply) => unknown } {
  const clock = manualClock()
  const learnt = createLearnt(clock)
  return {
    clock,
    reply({ model = 'm', prefill = '', events = [], error }) {
      let ended: unknown = 'not'
      const sink = withEvidence(
        { push: () => undefined, end: (why) => void (ended = why) },
        { model, prefill, messages: [], interruptedNote: null },
        learnt,
      )
      void sink.push(events)
      sink.end(error)
      return ended
    },
  }
}

const text: UpstreamEvent = { message: 'Hello world.' }
const finish: UpstreamEvent = { finish: 'stop' }
const unproven = { code: 'upstream_incomplete', retryable: false }

test.for<[string, UpstreamEvent]>([
  ['text', text],
  ['thinking alone', { thinking: 'Hm' }],
  ['a call in the making', { progress: { stage: 'tool_call', done: 9 } }],
])('evidence: %s that ends without a finish, of a model that never gave one, is not asked for again', ([, event]) => {
  const { reply } = server()
  expect(reply({ events: [event] })).toMatchObject(unproven)
  expect(reply({ events: [event], prefill: 'Once' })).toMatchObject(unproven)
})

test('evidence: of a model that has given a finish it is a cut, unless the continuation ends so, too', () => {
  const { reply } = server()
  reply({ events: [text, finish] })
  // Of several runs that are cut at once, none teaches anything.
  for (let i = 0; i < 3; i++) expect(reply({ events: [text] })).toBeUndefined()
  expect(reply({ events: [text], model: 'other' })).toMatchObject(unproven)
  expect(reply({ events: [text], prefill: 'Once' })).toBeUndefined()
  expect(reply({ events: [text], prefill: 'Once' })).toMatchObject(unproven)
})

test('evidence: what a model has shown holds for an hour', () => {
  const { clock, reply } = server()
  reply({ events: [finish] })
  clock.advance(3_599_999)
  expect(reply({ events: [text] })).toBeUndefined()
  clock.advance(1)
  expect(reply({ events: [text] })).toMatchObject(unproven)
})

test('evidence: a reply that did not grow is a cut', () => {
  const { reply } = server()
  for (const events of [[], [{ alive: true }], [{ progress: { stage: 'prompt', done: 1 } }], [{ data: 1 }]])
    expect(reply({ events: events as UpstreamEvent[] })).toBeUndefined()
})

test('evidence: a reply that failed is judged by its error alone', () => {
  const busy = new ChatError('upstream_busy', 'Busy.', { retryable: true })
  expect(server().reply({ events: [text], error: busy })).toBe(busy)
})

// For every kind of upstream

const said = [text]
const own = (open: (sink: UpstreamSink) => unknown): Upstream => ({
  name: 'own',
  model: 'm',
  open: (_request, sink) => open(sink),
})
const kinds: Readonly<Record<string, (events: readonly UpstreamEvent[]) => Upstream>> = {
  'of callbacks': (events) =>
    own((sink) => {
      void sink.push(events)
      sink.end()
    }),
  'of callbacks that come later': (events) =>
    own((sink) => {
      queueMicrotask(() => {
        void sink.push(events)
        sink.end()
      })
    }),
  'of an async function': (events) =>
    own(async (sink) => {
      await sink.push(events)
      sink.end()
    }),
  'of an iterable': (events) =>
    fromIterable({
      name: 'own',
      model: 'm',
      async *generate() {
        yield events
      },
    }),
  'of a test': (events) =>
    scriptedUpstream({
      model: 'm',
      script(reply) {
        reply.send(...events)
        reply.end()
      },
    }),
}
const answers = async (upstream: Upstream): Promise<{ asked: number; body: unknown }> => {
  let asked = 0
  const counted: Upstream = {
    ...upstream,
    open(request, sink, signal) {
      asked += 1
      return upstream.open(request, sink, signal)
    },
  }
  const gateway = createGateway({ upstream: route({ models: { m: counted } }), clock: manualClock() })
  onTestFinished(() => gateway.close())
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], stream: false })
  const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
  return { asked, body: await response.json() }
}

for (const [kind, upstream] of Object.entries(kinds)) {
  test(`evidence: an upstream ${kind} that never says how it ends is asked once, and its text is there once`, async () => {
    const { asked, body } = await answers(upstream(said))
    expect(asked).toBe(1)
    expect(body).toMatchObject({
      message: { content: 'Hello world.' },
      error: { code: 'upstream_incomplete', retryable: false },
    })
  })

  test(`evidence: an upstream ${kind} whose reply is thinking alone is asked once`, async () => {
    const { asked, body } = await answers(upstream([{ thinking: 'Hm' }]))
    expect(asked).toBe(1)
    expect(body).toMatchObject({ error: { code: 'upstream_incomplete', retryable: false } })
  })
}
