import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/index.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { createWays, type ContinuationWay, type Ways, type WaysOptions } from '../src/upstream/reply/ways.ts'
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
function bench(answer: (way: ContinuationWay) => Answer, more: Partial<WaysOptions> = {}): Bench {
  const asked: ContinuationWay[] = []
  const options: WaysOptions = {
    model: 'm',
    fields: [],
    clock: manualClock(),
    isNative: () => true,
    isRefusal: (said) => said.includes('no prefill'),
    ...more,
  }
  const ways = createWays(options, async function* (_request, way) {
    asked.push(way)
    const said = answer(way)
    if (said instanceof Error) throw said
    for (const events of said) yield [...events]
  })
  const ran = async (changed: Partial<UpstreamRequest> = {}): Promise<UpstreamEvent[]> => {
    const events: UpstreamEvent[] = []
    for await (const some of ways.generate({ ...request, ...changed }, never)) events.push(...some)
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
