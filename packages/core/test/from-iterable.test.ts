import { expect, test } from 'vitest'
import { fromIterable } from '../src/upstream/from-iterable.ts'
import type { UpstreamEvent, UpstreamSink } from '../src/upstream/upstream.ts'
import { turn } from './support/event-loop.ts'

interface Opened {
  readonly pushed: string[]
  /** How often the iterator was asked for more. */
  readonly asked: () => number
  /** Settles when the iterator is left. */
  readonly left: Promise<void>
  /** Gives the iterator its next batch. */
  give(...events: UpstreamEvent[]): Promise<void>
  readonly ended: unknown[]
}

/** An iterator that does not look at its signal. */
function open(signal: AbortSignal, push: UpstreamSink['push'] = () => undefined): Opened {
  const pushed: string[] = []
  const ended: unknown[] = []
  const left = Promise.withResolvers<void>()
  let asked = 0
  let settle: (batch: readonly UpstreamEvent[]) => void = () => undefined
  const upstream = fromIterable({
    name: 'deaf',
    model: 'm',
    async *generate() {
      try {
        for (;;) {
          asked += 1
          yield await new Promise<readonly UpstreamEvent[]>((resolve) => (settle = resolve))
        }
      } finally {
        left.resolve()
      }
    },
  })
  upstream.open(
    { model: 'm', messages: [], prefill: '', interruptedNote: null },
    {
      push(events) {
        pushed.push(JSON.stringify(events))
        return push(events)
      },
      end: (error) => void ended.push(error),
    },
    signal,
  )
  const give = async (...events: UpstreamEvent[]): Promise<void> => {
    settle(events)
    await turn()
  }
  return { pushed, asked: () => asked, left: left.promise, give, ended }
}

test('fromIterable: once it is aborted nothing is pushed, and an iterator that goes on all the same is left at its next batch', async () => {
  const abort = new AbortController()
  const { pushed, give, left } = open(abort.signal)
  await give({ message: 'a' })
  abort.abort()
  await give({ message: 'late' })
  await left
  expect(pushed).toEqual(['[{"message":"a"}]'])
})

test('fromIterable: a sink that is full is waited for, and an abort meanwhile leaves the iterator, which is asked for nothing more', async () => {
  const abort = new AbortController()
  const room = Promise.withResolvers<void>()
  const { pushed, asked, give, left } = open(abort.signal, () => room.promise)
  await give({ message: 'a' })
  expect(asked()).toBe(1)
  abort.abort()
  room.resolve()
  await left
  expect([pushed, asked()]).toEqual([['[{"message":"a"}]'], 1])
})

test.for([{ finish: 'stop' }, { error: new Error('no') }] as unknown as UpstreamEvent[])(
  'fromIterable: an iterator is left behind %o, and its sink is ended without an error',
  async (last) => {
    const { asked, give, left, ended } = open(new AbortController().signal)
    await give({ message: 'a' }, last)
    await left
    expect([asked(), ended]).toEqual([1, [undefined]])
  },
)
