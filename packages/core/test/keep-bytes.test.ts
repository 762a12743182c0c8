import { fromIterable } from '../src/upstream/from-iterable.ts'
import { heapBytes } from '@midstream/test-support/heap'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { keptBytes } from '../src/gateway/directory.ts'
import type { Run } from '../src/run/run.ts'
import { manualClock } from '../src/testing/index.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { turn } from './support/event-loop.ts'

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const word = (i: number): string => String(i % 10_000).padStart(4, '0')

const shapes: readonly (readonly [what: string, runs: number, events: () => UpstreamEvent[]])[] = [
  ['a word', 500, () => [{ message: 'Hello' }]],
  ['64 KiB in deltas of four letters', 20, () => times(16_384, (i) => ({ message: word(i) }))],
  ['64 KiB in deltas of one letter', 20, () => times(65_536, (i) => ({ message: word(i)[3]! }))],
  [
    '64 Ki Chinese characters in deltas of two',
    20,
    () => times(32_768, (i) => ({ message: `春${String.fromCharCode(0x4e00 + (i % 9_000))}` })),
  ],
  ['64 KiB at once', 20, () => [{ message: times(16_384, word).join('') }]],
  ['thinking and text in turns', 20, () => times(4_096, (i) => (i % 2 ? { message: word(i) } : { thinking: word(i) }))],
  [
    '1 000 events of the app',
    50,
    () => times(1_000, (i) => ({ data: { type: 'step', [`name${i}`]: i, done: i % 2 === 0 } })),
  ],
  [
    'an event of a thousand names',
    100,
    () => [{ data: { type: 'x', ...Object.fromEntries(times(1_000, (i) => [`k${i}${word(i)}`, i])) } }],
  ],
  [
    'a call with a list of 10 000 numbers',
    50,
    () => [{ tool_call: { id: 'c', name: 'f', arguments: { list: times(10_000, (i) => i + 0.5) } } }],
  ],
]

for (const [what, count, events] of shapes) {
  test(`keep: runs of ${what} weigh what they take on the heap, within half as much again`, async () => {
    const weigh = (run: Run): number => keptBytes({ run, owner: undefined, body: '0123456789abcdef' })
    let counted = 0
    let ends = 0
    const gateway = createGateway({
      upstream: fromIterable({
        name: 'saying',
        model: 'm',
        async *generate() {
          yield events()
          yield [{ finish: 'stop' }]
        },
      }),
      clock: manualClock(),
      keep: { maxRuns: Infinity, maxBytes: Infinity },
      sessions: { maxIdle: 0 },
      onRunEnd({ run }) {
        ends += 1
        counted += weigh(run)
      },
    })
    onTestFinished(() => gateway.close())
    const body = JSON.stringify({ reconnect: true, messages: [{ role: 'user', content: 'Hello' }] })
    const runs = async (wanted: number): Promise<void> => {
      ends = 0
      counted = 0
      for (let i = 0; i < wanted; i++) {
        const response = await gateway(new Request('http://gateway.test/api/chat', { method: 'POST', body }))
        await response.body?.cancel()
      }
      while (ends < wanted) await turn()
    }
    // What is paid once: code, and the platform's streams.
    await runs(3)
    const before = heapBytes()
    await runs(count)
    const taken = heapBytes() - before
    expect(counted / taken).toBeGreaterThan(1 / 1.5)
    expect(counted / taken).toBeLessThan(1.5)
  })
}
