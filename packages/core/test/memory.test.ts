import { fromIterable } from '../src/upstream/from-iterable.ts'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../src/gateway/index.ts'
import { manualClock } from '../src/testing/index.ts'
import type { Upstream, UpstreamEvent } from '../src/upstream/upstream.ts'
import { createId } from '../src/wire/ids.ts'
import { turn } from './support/event-loop.ts'
import { createLineDecoder } from '../src/wire/ndjson.ts'
import { createSseDecoder } from '../src/wire/sse.ts'
import { collectYoung, heapBytes, oldBytes } from '@midstream/test-support/heap'

const kib = 1_024
const mib = 1_024 * kib

/** A model server that says the same to everybody, a read at a time. It remembers nothing. */
function saying(reads: () => Iterable<readonly UpstreamEvent[]>): Upstream {
  return fromIterable({
    name: 'saying',
    model: 'm',
    async *generate() {
      yield* reads()
      yield [{ finish: 'stop' }]
    },
  })
}
/** So much text in deltas of four characters, fifty a read. */
function* text(chars: number): Generator<UpstreamEvent[]> {
  for (let at = 0; at < chars; at += 200) {
    yield Array.from({ length: 50 }, (_, i) => ({ message: String((at + i * 4) % 10_000).padStart(4, '0') }))
  }
}

interface Bed {
  readonly gateway: Gateway
  call(path: string, init?: RequestInit): Promise<Response>
  /** Starts a run; its body is not read. */
  post(content: string, more?: object): Promise<Response>
  /** Settles when so many runs have ended. */
  ended(runs: number): Promise<void>
}
function bench(upstream: Upstream, options: Partial<GatewayOptions> = {}): Bed {
  let ends = 0
  const onRunEnd = (): void => void (ends += 1)
  const gateway = createGateway({ upstream, clock: manualClock(), onRunEnd, ...options })
  onTestFinished(() => gateway.close())
  const call: Bed['call'] = (path, init) => gateway(new Request(`http://gateway.test/api/chat${path}`, init))
  return {
    gateway,
    call,
    post: (content, more) =>
      call('', { method: 'POST', body: JSON.stringify({ messages: [{ role: 'user', content }], ...more }) }),
    async ended(runs) {
      while (ends < runs) await turn()
    },
  }
}

test('memory: a run of 1 MiB whose reader never reads costs less than 6 bytes a character, and is read whole later', async () => {
  const bed = bench(saying(() => text(mib)))
  // What the first run costs once: code, and the platform's streams.
  await (await bed.post('Hello')).text()
  const before = heapBytes()
  const response = await bed.post('Hello', { reconnect: true })
  await bed.ended(2)
  expect(heapBytes() - before).toBeLessThan(6 * mib)
  const frames = await response.text()
  // Merged into as few frames as a reader can bear.
  expect(frames.match(/"message"/g)!.length).toBeLessThanOrEqual(5)
  expect(frames.length).toBeGreaterThan(mib)
})

test('memory: 64 readers of a run that never read cost no more than one', async () => {
  const bed = bench(saying(() => text(mib)))
  const runId = createId('run')
  const before = heapBytes()
  const responses = [await bed.post('Hello', { run_id: runId })]
  while (responses.length < 64) responses.push(await bed.call(`/runs/${runId}`))
  await bed.ended(1)
  expect(heapBytes() - before).toBeLessThan(6 * mib)
  for (const response of responses) await response.body?.cancel()
})

test('memory: 200 runs that are ended and kept cost their own text, and nothing of what they were asked', async () => {
  const bed = bench(saying(() => text(8 * kib)))
  const history = 'x'.repeat(256 * kib)
  const before = heapBytes()
  for (let i = 0; i < 200; i++) void (await bed.post(`${i}${history}`, { reconnect: true })).body?.cancel()
  await bed.ended(200)
  // 8 KiB of text, 2 Ki ends of deltas, and what a run and its session are: 50 MiB of history are not there.
  expect(heapBytes() - before).toBeLessThan(200 * 64 * kib)
})

test('memory: of runs that are kept no more stays than keep.maxBytes, with what a continuation grows', async () => {
  const bed = bench(
    saying(() => text(kib)),
    { keep: { maxBytes: 4 * mib } },
  )
  const partial = `${'word '.repeat(50 * kib)}end.`
  const before = heapBytes()
  const runIds = Array.from({ length: 40 }, () => createId('run'))
  for (const [i, runId] of runIds.entries()) {
    const messages = [
      { role: 'user', content: `${i}` },
      { role: 'assistant', content: `${i} ${partial}` },
    ]
    const response = await bed.post('', { messages, resume: 'continue', run_id: runId, reconnect: true })
    await response.body?.cancel()
  }
  await bed.ended(40)
  expect(heapBytes() - before).toBeLessThan(5 * mib)
  expect((await bed.call(`/runs/${runIds[0]}`)).status).toBe(410)
  expect((await bed.call(`/runs/${runIds[39]}`)).status).toBe(200)
})

test(
  'memory: 10 000 sessions touched leave 100 of them, 1 000 runs, and less than 8 MiB',
  { timeout: 90_000 },
  async () => {
    const bed = bench(saying(() => [[{ message: 'Hello there' }]]))
    const sessionIds = Array.from({ length: 10_000 }, () => createId('sess'))
    const before = heapBytes()
    for (const session_id of sessionIds) await (await bed.post('Hello', { session_id })).text()
    await bed.ended(10_000)
    expect(heapBytes() - before).toBeLessThan(8 * mib)
    const known = await Promise.all(sessionIds.map(async (id) => (await bed.call(`/sessions/${id}`)).status === 200))
    expect(known.filter(Boolean)).toHaveLength(100)
    expect(known.slice(-100).every(Boolean)).toBe(true)
  },
)

for (const [what, decoder, line] of [
  ['an SSE decoder', createSseDecoder, (text: string) => `data: ${text}\n\n`],
  ['a line decoder', createLineDecoder, (text: string) => `${text}\n`],
] as const) {
  test(`memory: what ${what} has given out is collected young, however long its stream was silent before`, () => {
    const { push } = decoder({})
    const read = new TextEncoder().encode(
      Array.from({ length: 2_000 }, (_, i) => line(`春 ${i} ${'x'.repeat(100)}`)).join(''),
    )
    // What else happens now and then, as when code is compiled, is none of a read's.
    let least = Infinity
    for (let i = 0; i < 20; i++) {
      collectYoung()
      const before = oldBytes()
      // Not to be held by whoever compares it.
      const { length } = push(read)
      expect(length).toBe(2_000)
      collectYoung()
      if (i > 4) least = Math.min(least, oldBytes() - before)
    }
    expect(least).toBeLessThan(20 * kib)
  })
}
