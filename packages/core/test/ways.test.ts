import { pump } from '../src/upstream/from-iterable.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/index.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { wantsThinking } from '../src/upstream/history/thinking-wanted.ts'
import {
  createWays,
  type AskedRequest,
  type AskOneWay,
  type ContinuationWay,
  type Ways,
  type WaysOptions,
} from '../src/upstream/reply/ways.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'

const request: UpstreamRequest = { model: 'm', messages: [], prefill: 'Once', interruptedNote: null }
const never = new AbortController().signal
const refusal = new ChatError('upstream_rejected', 'Refused.', { cause: 'no prefill here', retryAfterMs: 5 })

type Answer = readonly (readonly UpstreamEvent[])[] | Error
interface Bench {
  readonly ways: Ways
  readonly asked: ContinuationWay[]
  ran(more?: Partial<UpstreamRequest>): Promise<UpstreamEvent[]>
}
/** A server that is asked by an async generator. */
const iterating =
  (generate: (request: AskedRequest, way: ContinuationWay) => AsyncIterable<UpstreamEvent[]>): AskOneWay =>
  (request, way, sink, signal) =>
    pump(() => generate(request, way), sink, signal)

function bench(
  answer: (way: ContinuationWay, request: AskedRequest) => Answer,
  more: Partial<WaysOptions> = {},
): Bench {
  const asked: ContinuationWay[] = []
  const options: WaysOptions = {
    model: 'm',
    fields: [],
    clock: manualClock(),
    isNative: () => true,
    isRefusal: (said) => said.includes('no prefill'),
    ...more,
  }
  const ways = createWays(
    options,
    iterating(async function* (asking, way) {
      asked.push(way)
      const said = answer(way, asking)
      if (said instanceof Error) throw said
      for (const events of said) yield [...events]
    }),
  )
  const ran = async (changed: Partial<UpstreamRequest> = {}): Promise<UpstreamEvent[]> => {
    const events: UpstreamEvent[] = []
    for await (const some of eventsOf({ name: 'x', model: 'x', ...ways }, { ...request, ...changed }, never))
      events.push(...some)
    return events
  }
  return { ways, asked, ran }
}
const fine: Answer = [[{ message: ' upon' }], [{ finish: 'stop' }]]
const refusing = (way: ContinuationWay): Answer => (way === 'native' ? refusal : fine)

test('ways: what is refused is asked for in words, and learnt per model and thinking', async () => {
  const { ways, asked, ran } = bench(refusing)
  expect(ways.continuation()).toEqual({ plain: 'native', thinking: 'native' })
  expect(await ran({ think: true })).toEqual(fine.flat())
  expect(asked).toEqual(['native', 'instruction'])
  expect(ways.continuation()).toEqual({ plain: 'native', thinking: 'instruction' })
  await ran({ model: 'other' })
  expect(ways.continuation()).toEqual({ plain: 'native', thinking: 'instruction' })
  await ran()
  await ran()
  expect(asked.slice(2)).toEqual(['native', 'instruction', 'native', 'instruction', 'instruction'])
  expect(ways.continuation()).toEqual({ plain: 'instruction', thinking: 'instruction' })
})

test('ways: what is known of a model beforehand is not tried', async () => {
  const { ways, asked, ran } = bench(refusing, { isNative: (model, thinking) => model === 'm' && !thinking })
  expect(ways.continuation()).toEqual({ plain: 'native', thinking: 'instruction' })
  await ran({ think: true })
  await ran({ model: 'other' })
  expect(asked).toEqual(['instruction', 'instruction'])
})

test.for<[string, UpstreamEvent]>([
  ['text', { message: ' upon' }],
  ['thinking', { thinking: 'Hm' }],
  ['a tool call', { tool_call: { id: 'a', name: 'now', arguments: {} } }],
])('ways: a refusal behind %s is a failure, and teaches nothing', async ([, grown]) => {
  const { ways, asked, ran } = bench(() => [[grown], [{ error: refusal }]])
  expect(await ran()).toEqual([grown, { error: refusal }])
  expect(asked).toEqual(['native'])
  expect(ways.continuation().plain).toBe('native')
})

test('ways: progress in front of a refusal does not keep it from being asked in words', async () => {
  const progress: UpstreamEvent = { progress: { stage: 'prompt' } }
  const { ran } = bench((way) => (way === 'native' ? [[progress], [{ error: refusal }]] : fine))
  expect(await ran()).toEqual([progress, ...fine.flat()])
})

test('ways: a reply from the start, and a blank partial, are never asked for twice', async () => {
  const { asked, ran } = bench(() => refusal)
  await expect(ran({ prefill: ' \n' })).rejects.toThrow('Refused.')
  await expect(ran({ prefill: '' })).rejects.toThrow('Refused.')
  expect(asked).toEqual(['instruction', 'instruction'])
})

test('ways: a model is looked at before its first native continuation, once, with and without thinking', async () => {
  const probed: string[] = []
  const { ways, asked, ran } = bench(() => fine, {
    probe: async ({ model }) => {
      probed.push(model)
      return model === 'open'
    },
  })
  await ran({ prefill: '' })
  expect(probed).toEqual([])
  await ran()
  await ran({ think: true })
  await ran({ model: 'open' })
  await ran({ model: 'open' })
  expect(probed).toEqual(['m', 'open'])
  expect(asked).toEqual(['instruction', 'instruction', 'instruction', 'native', 'native'])
  expect(ways.continuation()).toEqual({ plain: 'instruction', thinking: 'instruction' })
})

test.for<ChatErrorCode>(['upstream_busy', 'upstream_unreachable', 'upstream_crashed'])(
  'ways: words of a refusal in an error %s are none: it is asked the same way again',
  async (code) => {
    const error = new ChatError(code, 'Busy.', { cause: 'no prefill here', retryAfterMs: 5 })
    const { ways, asked, ran } = bench(() => error)
    await expect(ran()).rejects.toMatchObject({ code, retryAfterMs: 5 })
    expect(asked).toEqual(['native'])
    expect(ways.continuation().plain).toBe('native')
  },
)

test('ways: whether the server refused the request, or failed, is told to who reads its words', async () => {
  const told: boolean[] = []
  for (const code of ['upstream_rejected', 'upstream_failed'] as const) {
    const { ran } = bench(() => new ChatError(code, 'No.', { cause: 'no' }), {
      isRefusal: (_said, isRejected) => told.push(isRejected) === 0,
    })
    await expect(ran()).rejects.toMatchObject({ code })
  }
  expect(told).toEqual([true, false])
})

test('ways: what is refused in words, too, teaches nothing', async () => {
  const { ways, asked, ran } = bench(() => [[{ alive: true }], [{ error: refusal }]])
  await ran()
  await ran()
  expect(asked).toEqual(['native', 'instruction', 'native', 'instruction'])
  expect(ways.continuation().plain).toBe('native')
})

test('ways: what was learnt holds for an hour', async () => {
  const clock = manualClock()
  const looks: string[] = []
  const { ways, asked, ran } = bench(refusing, { clock })
  const closed = bench(() => fine, { clock, probe: async ({ model }) => looks.push(model) === 0 })
  await ran()
  await closed.ran()
  clock.advance(3_600_000 - 1)
  await ran()
  await closed.ran()
  expect(asked).toEqual(['native', 'instruction', 'instruction'])
  expect(looks).toEqual(['m'])
  clock.advance(1)
  expect(ways.continuation().plain).toBe('native')
  expect(closed.ways.continuation().plain).toBe('native')
  await ran()
  await closed.ran()
  expect(asked.slice(3)).toEqual(['native', 'instruction'])
  expect(looks).toEqual(['m', 'm'])
})

test('ways: a look that told nothing is taken again', async () => {
  let looks = 0
  const { asked, ran } = bench(() => fine, { probe: async () => (looks++ === 0 ? undefined : false) })
  await ran()
  await ran()
  expect(asked).toEqual(['native', 'instruction'])
})

test('ways: keys in headers are taken out of every error, thrown or said, and nothing else of it changes', async () => {
  const said = new ChatError('upstream_busy', 'Busy.', {
    cause: 'Bearer sk-secret and Basic dXNlcjpw and key-1 are wrong, org-1 is not',
    retryable: true,
    retryAfterMs: 7,
  })
  const headers = { authorization: 'Bearer sk-secret', 'x-api-key': 'key-1', 'proxy-authorization': 'Basic dXNlcjpw' }
  const all = { fields: Object.entries({ ...headers, 'openai-organization': 'org-1' }) }
  const cause = 'Bearer [key] and Basic [key] and [key] are wrong, org-1 is not'
  const safe = { code: 'upstream_busy', message: 'Busy.', cause, retryable: true, retryAfterMs: 7 }
  await expect(bench(() => said, all).ran()).rejects.toMatchObject(safe)
  await expect(bench(() => said, all).ran({ prefill: '' })).rejects.toMatchObject(safe)
  expect(await bench(() => [[{ message: 'a' }, { error: said }]], all).ran()).toMatchObject([
    { message: 'a' },
    { error: safe },
  ])
})

test('ways: keys are taken out of the errors of the request in words, too', async () => {
  const said = new ChatError('upstream_rejected', 'Refused.', { cause: 'Bearer sk-secret is wrong' })
  const fields = [['authorization', 'Bearer sk-secret']] as const
  const safe = { code: 'upstream_rejected', cause: 'Bearer [key] is wrong' }
  const thrown = bench((way) => (way === 'native' ? refusal : said), { fields })
  await expect(thrown.ran()).rejects.toMatchObject(safe)
  const yielded = bench((way) => (way === 'native' ? refusal : [[{ error: said }]]), { fields })
  expect(await yielded.ran()).toMatchObject([{ error: safe }])
  expect([thrown.asked, yielded.asked]).toEqual([
    ['native', 'instruction'],
    ['native', 'instruction'],
  ])
})

// Histories that a template refuses

const noSystem = new ChatError('upstream_rejected', 'Refused.', { cause: 'HTTP 400: System role not supported' })
const withSystem = [{ role: 'system', content: 'Be brief' } as const, { role: 'user', content: 'q' } as const]

test('ways: a system message that is refused goes up in front of the first question, and that is learnt for an hour', async () => {
  const clock = manualClock()
  const roles: string[] = []
  const ways = createWays(
    { model: 'm', fields: [], clock, isNative: () => true, isRefusal: () => false },
    iterating(async function* ({ messages }) {
      roles.push(messages.map(({ role, content }) => `${role}: ${content}`).join())
      if (messages.some(({ role }) => role === 'system')) throw noSystem
      yield fine.flat()
    }),
  )
  const ran = async (model: string): Promise<UpstreamEvent[]> => {
    const events: UpstreamEvent[] = []
    for await (const some of eventsOf(
      { name: 'x', model: 'x', ...ways },
      { ...request, model, prefill: '', messages: withSystem },
      never,
    ))
      events.push(...some)
    return events
  }
  expect(await ran('m')).toEqual(fine.flat())
  await ran('m')
  await ran('other')
  clock.advance(3_600_000)
  await ran('m')
  const [asked, plain] = ['system: Be brief,user: q', 'user: Be brief\n\nq']
  expect(roles).toEqual([asked, plain, plain, asked, plain, asked, plain])
})

test('ways: a native continuation and a system message may both be refused, one after the other', async () => {
  const { asked, ran } = bench((way) => (way === 'native' ? refusal : fine))
  expect(await ran({ messages: withSystem })).toEqual(fine.flat())
  const both = bench((way) => (way === 'native' ? refusal : noSystem))
  await expect(both.ran({ messages: withSystem })).rejects.toMatchObject({ code: 'upstream_rejected' })
  expect([asked, both.asked]).toEqual([
    ['native', 'instruction'],
    ['native', 'instruction', 'instruction'],
  ])
})

test('ways: words about roles are an error where there is no system message to move', async () => {
  const { asked, ran } = bench(() => noSystem)
  await expect(ran({ messages: [{ role: 'user', content: 'q' }] })).rejects.toThrow('Refused.')
  expect(asked).toEqual(['native'])
})

const text: UpstreamEvent = { message: 'Hello world.' }

test('ways: a reply that failed, or broke off, is judged by its error alone', async () => {
  const busy = new ChatError('upstream_busy', 'Busy.', { retryable: true })
  expect(await bench(() => [[text, { error: busy }]]).ran()).toEqual([text, { error: busy }])
  await expect(bench(() => busy).ran()).rejects.toBe(busy)
})

test.for<[string, boolean]>([
  ['thinking is enabled but reasoning_content is missing in assistant tool call message at index 1', true],
  ['The `reasoning_content` in the thinking mode must be passed back to the API.', true],
  ['messages.2: missing field `reasoning_content`', true],
  ['An assistant message with tool_calls must include reasoning_content', true],
  ['{"error":{"message":"reasoning_content is required"}}', true],
  ['Unknown field reasoning_content', false],
  ['reasoning_content is not supported', false],
  ['{"detail":"Field required","input":{"reasoning_content": "must be here"}}', false],
  ['Reasoning is required by this model', false],
])('ways: "%s" asks for thinking: %s', ([said, isWanted]) => expect(wantsThinking(said)).toBe(isWanted))

test('ways: thinking that is wanted back goes up with tool calls, learnt per model for an hour', async () => {
  const clock = manualClock()
  const refused = new ChatError('upstream_rejected', 'Refused.', { cause: 'reasoning_content is missing' })
  const asked: (true | undefined)[] = []
  const answer = (_way: ContinuationWay, asking: AskedRequest): Answer => {
    asked.push(asking.wantsThinking)
    return asking.wantsThinking ? fine : refused
  }
  const { ran } = bench(answer, { clock, canReturnThinking: true })
  const calling = { tool_calls: [{ id: 'a', name: 'now', arguments: {} }] }
  const turn = { messages: [{ role: 'assistant', content: '', thinking: 'Hm', ...calling } as const], prefill: '' }
  expect(await ran(turn)).toEqual(fine.flat())
  expect(await ran(turn)).toEqual(fine.flat())
  expect(asked.splice(0)).toEqual([undefined, true, true])
  clock.advance(3_600_001)
  expect(await ran(turn)).toEqual(fine.flat())
  expect(asked.splice(0)).toEqual([undefined, true])
  await expect(ran({ model: 'other', prefill: '' })).rejects.toMatchObject({ code: 'upstream_rejected' })
  expect(asked.splice(0)).toEqual([undefined])
})

test('ways: thinking is not sent back a second time, nor where the server has no field for it', async () => {
  const refused = new ChatError('upstream_rejected', 'Refused.', { cause: 'reasoning_content is missing' })
  const calling = { tool_calls: [{ id: 'a', name: 'now', arguments: {} }] }
  const turn = { messages: [{ role: 'assistant', content: '', ...calling } as const], prefill: '' }
  for (const [canReturnThinking, times] of [
    [true, 2],
    [false, 1],
  ] as const) {
    const { asked, ran } = bench(() => refused, { canReturnThinking })
    await expect(ran(turn)).rejects.toMatchObject({ code: 'upstream_rejected' })
    expect(asked).toHaveLength(times)
  }
})

test('ways: our own code that throws while a request is prepared, or looked at, is no fault of the server', async () => {
  const oops = (): never => {
    throw new RangeError('Maximum call stack size exceeded')
  }
  const internal = { code: 'internal', retryable: false }
  const prepared = bench(() => fine, { isNative: oops })
  await expect(prepared.ran()).rejects.toMatchObject(internal)
  const looked = bench(() => fine, { probe: async () => oops() })
  await expect(looked.ran()).rejects.toMatchObject(internal)
  expect([prepared.asked, looked.asked]).toEqual([[], []])
  const ways = createWays(
    { model: 'm', fields: [], clock: manualClock(), isNative: () => true, isRefusal: () => false },
    oops,
  )
  const asked = (async () => {
    for await (const _ of eventsOf({ name: 'x', model: 'x', ...ways }, request, never));
  })()
  await expect(asked).rejects.toMatchObject(internal)
})
