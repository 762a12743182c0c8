import { eventsOf } from '../src/upstream/events-of.ts'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGateway } from '../src/gateway/gateway.ts'
import { toNodeListener } from '../src/node/listener.ts'
import { faultyFetch, type FaultyRequest, type FetchFault } from '../src/testing/faulty-fetch.ts'
import { faultyUpstream, type UpstreamFault } from '../src/testing/faulty-upstream.ts'
import { gatewayFetch } from '../src/testing/gateway-fetch.ts'
import { manualClock } from '../src/testing/manual-clock.ts'
import { randomFetchFaults, randomUpstreamFaults } from '../src/testing/random-faults.ts'
import { scriptedUpstream } from '../src/testing/scripted-upstream.ts'
import { seededRandom } from '../src/testing/seeded-random.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import { eachByte, utf8 } from './support/bytes.ts'
import { turn } from './support/event-loop.ts'
import { frameReader } from './support/frames.ts'
import { listen } from './support/listen.ts'

const url = 'http://gateway.test/api/chat'
const log = ['id: 1\ndata: {"message":"a"}\n\n', 'id: 2\ndata: {"message":"b"}\n\n', 'id: 3\ndata: {"message":"c"}\n\n']
const done = 'data: {"done":true,"reason":"stop"}\n\n'

interface Served {
  readonly fetch: typeof globalThis.fetch
  /** Requests that arrived. */
  readonly requests: Request[]
  /** Bodies that nobody has given up or read to their end. */
  readonly open: () => number
}

/** A server that answers every request with these bytes, over a bad network. */
function serve(fault: FetchFault | undefined, chunks: readonly Uint8Array[]): Served {
  const requests: Request[] = []
  let open = 0
  const fetch = faultyFetch(
    async (input, init) => {
      requests.push(new Request(input, init))
      const rest = [...chunks]
      open += 1
      const body = new ReadableStream<Uint8Array>(
        {
          pull(out) {
            const chunk = rest.shift()
            if (chunk) return out.enqueue(chunk)
            open -= 1
            out.close()
          },
          cancel: () => void (open -= 1),
        },
        { highWaterMark: 0 },
      )
      return new Response(body, { status: 201, headers: { 'run-id': 'r' } })
    },
    () => fault,
  )
  return { fetch, requests, open: () => open }
}

interface Read {
  readonly pieces: string[]
  /** Settles with what broke the body off, or undefined at its end. */
  readonly over: Promise<unknown>
}
function read(response: Response): Read {
  const pieces: string[] = []
  const reader = response.body!.getReader()
  const go = async (): Promise<unknown> => {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        pieces.push(Array.from(next.value, (byte) => String.fromCodePoint(byte)).join(''))
      }
      return undefined
    } catch (error) {
      return error
    }
  }
  return { pieces, over: go() }
}

async function textOf(fault: FetchFault, chunks: readonly Uint8Array[]): Promise<string> {
  const { pieces, over } = read(await serve(fault, chunks).fetch(url))
  await over
  return pieces.join('')
}

test('faulty fetch: without a fault it is the fetch that it was given', async () => {
  const answer = new Response('x')
  const asked: unknown[] = []
  const seen: [number, FaultyRequest][] = []
  const fetch = faultyFetch(
    (input, init) => (asked.push(input, init), Promise.resolve(answer)),
    (index, request) => void seen.push([index, request]),
  )
  const request = new Request(url, { method: 'DELETE' })
  expect(await fetch('/api/chat', { method: 'POST' })).toBe(answer)
  expect(await fetch(request)).toBe(answer)
  expect(asked).toEqual(['/api/chat', { method: 'POST' }, request, undefined])
  expect(seen).toEqual([
    [0, { method: 'POST', url: '/api/chat' }],
    [1, { method: 'DELETE', url }],
  ])
})

test('faulty fetch: cuts a body at any byte, as a broken connection or as its end, and gives the rest up', async () => {
  const bytes = utf8(log.join('') + done)
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: bytes.length - 1 }),
      fc.constantFrom('error' as const, 'close' as const, undefined),
      async (cutAt, ending) => {
        const { fetch, open } = serve({ cutAt, ending }, [bytes.subarray(0, 40), bytes.subarray(40)])
        const response = await fetch(url)
        expect([response.status, response.headers.get('run-id')]).toEqual([201, 'r'])
        const { pieces, over } = read(response)
        expect(await over).toEqual(ending === 'close' ? undefined : new TypeError('terminated'))
        expect(pieces.join('')).toBe((log.join('') + done).slice(0, cutAt))
        expect(open()).toBe(0)
      },
    ),
  )
})

test('faulty fetch: a body that is shorter than its cut ends as it is', async () => {
  const { pieces, over } = read(await serve({ cutAt: 100, ending: 'stall' }, [utf8('short')]).fetch(url))
  expect(await over).toBeUndefined()
  expect(pieces).toEqual(['short'])
})

test('faulty fetch: a stalled body gives nothing more until it is aborted; so long the sender has its reader', async () => {
  const { fetch, open } = serve({ cutAt: 3, ending: 'stall' }, [utf8('abc'), utf8('def')])
  const abort = new AbortController()
  const { pieces, over } = read(await fetch(url, { signal: abort.signal }))
  let isOver = false
  void over.then(() => (isOver = true))
  await turn()
  expect([pieces, isOver, open()]).toEqual([['abc'], false, 1])
  const reason = new DOMException('x', 'AbortError')
  abort.abort(reason)
  expect(await over).toBe(reason)
  expect(open()).toBe(0)
})

test('faulty fetch: a stalled body can be cancelled', async () => {
  const { fetch, open } = serve({ cutAt: 0, ending: 'stall' }, [utf8('abc')])
  const reader = (await fetch(url)).body!.getReader()
  const next = reader.read()
  await reader.cancel()
  expect((await next).done).toBe(true)
  expect(open()).toBe(0)
})

test('faulty fetch: without a cut, the ending is that of the whole body: it closes late, or breaks in its last moment', async () => {
  const late = await serve({ ending: 'stall' }, [utf8('abc')]).fetch(url)
  const { pieces } = read(late)
  await turn()
  expect(pieces).toEqual(['abc'])
  const broken = read(await serve({ ending: 'error' }, [utf8('abc')]).fetch(url))
  expect(await broken.over).toBeInstanceOf(TypeError)
  expect(broken.pieces).toEqual(['abc'])
})

test('faulty fetch: splits the bytes in pieces of the sizes it is given, over and over', async () => {
  const { pieces, over } = read(await serve({ split: [1, 3] }, [utf8('abcdefgh'), utf8('ij')]).fetch(url))
  await over
  expect(pieces).toEqual(['a', 'bcd', 'e', 'fgh', 'i', 'j'])
})

test('faulty fetch: repeats and swaps frames, however their bytes come', async () => {
  const [a, b, c] = log as [string, string, string]
  const whole = [utf8(log.join('') + done)]
  for (const chunks of [whole, eachByte(whole[0]!)]) {
    expect(await textOf({ repeat: [1] }, chunks)).toBe(a + b + b + c + done)
    expect(await textOf({ swap: [0] }, chunks)).toBe(b + a + c + done)
    expect(await textOf({ repeat: [0], swap: [0] }, chunks)).toBe(b + a + a + c + done)
    // Nothing is there to come before the last one, and nothing overtakes the end.
    expect(await textOf({ swap: [2] }, chunks)).toBe(a + b + c + done)
  }
  expect(await textOf({ swap: [0] }, [utf8(a + b.slice(0, 9))])).toBe(a + b.slice(0, 9))
})

test('faulty fetch: a refused request never arrives', async () => {
  const { fetch, requests } = serve({ answer: 'refused' }, [])
  await expect(fetch(url)).rejects.toThrow(TypeError)
  expect(requests).toEqual([])
})

test('faulty fetch: a lost answer is to a request that was handled, and its reader has left', async () => {
  const { fetch, requests, open } = serve({ answer: 'lost' }, [utf8('abc')])
  await expect(fetch(url, { method: 'POST', body: '{}' })).rejects.toThrow(TypeError)
  expect(requests).toHaveLength(1)
  expect(open()).toBe(0)
})

test('faulty fetch: an answer that never comes ends with an abort', async () => {
  const { fetch, requests, open } = serve({ answer: 'never' }, [utf8('abc')])
  const abort = new AbortController()
  const asked = fetch(new Request(url, { signal: abort.signal }))
  await turn()
  expect([requests.length, open()]).toEqual([1, 1])
  const reason = new DOMException('x', 'AbortError')
  abort.abort(reason)
  await expect(asked).rejects.toBe(reason)
  expect(open()).toBe(0)
})

test('faulty fetch: asks a reconnect from an earlier position, and nothing else', async () => {
  const { fetch, requests } = serve({ rewind: 5 }, [])
  await fetch(url, { headers: { 'last-event-id': '12', authorization: 'x' } })
  await fetch(new Request(url, { headers: { 'last-event-id': '3' } }))
  await fetch(url)
  expect(requests.map(({ headers }) => headers.get('last-event-id'))).toEqual(['7', '0', null])
  expect(requests[0]!.headers.get('authorization')).toBe('x')
})

test('faulty fetch: a fault that makes no sense is refused', async () => {
  await expect(serve({ cutAt: -1 }, [utf8('a')]).fetch(url)).rejects.toThrow(RangeError)
  await expect(serve({ split: [0] }, [utf8('a')]).fetch(url)).rejects.toThrow(RangeError)
})

test('faulty fetch: around a gateway, a cut body is a reader that has left, and a stalled one is not', async () => {
  const clock = manualClock()
  const upstream = scriptedUpstream()
  const faults: FetchFault[] = [
    { cutAt: 200, ending: 'error' },
    { cutAt: 200, ending: 'stall' },
  ]
  const gateway = createGateway({ upstream, clock, orphanMs: 1_000 })
  const fetch = faultyFetch(gatewayFetch(gateway), (index) => faults[index])
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], reconnect: true })
  const start = async (signal?: AbortSignal): Promise<Read> =>
    read(await fetch(url, { method: 'POST', body, signal: signal ?? null }))

  const cut = await start()
  const abort = new AbortController()
  const stalled = await start(abort.signal)
  for (const reply of [await upstream.next(), await upstream.next()]) reply.send('x'.repeat(100))
  expect(await cut.over).toBeInstanceOf(TypeError)
  await turn()
  clock.advance(1_000)
  await upstream.replies[0]!.left
  expect(upstream.openReplies).toBe(1)
  abort.abort()
  await stalled.over
  clock.advance(1_000)
  await upstream.replies[1]!.left
})

test('faulty fetch: around the platform’s fetch, a cut closes the connection', async () => {
  const upstream = scriptedUpstream({ script: (reply) => reply.send('x'.repeat(200)) })
  const { url: origin, connections } = await listen(toNodeListener(createGateway({ upstream })))
  const fetch = faultyFetch(globalThis.fetch, () => ({ cutAt: 300, split: [7] }))
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] })
  const { pieces, over } = read(await fetch(`${origin}/api/chat`, { method: 'POST', body }))
  expect(await over).toBeInstanceOf(TypeError)
  expect(pieces.join('')).toHaveLength(300)
  expect(pieces.every((piece) => piece.length <= 7)).toBe(true)
  await connections[0]!.closed
  // Nobody promised to come back.
  await upstream.replies[0]!.left
})

const request: UpstreamRequest = { model: 'm', messages: [], prefill: '', interruptedNote: null }

interface Generated {
  readonly batches: string[][]
  readonly over: Promise<unknown>
  readonly abort: AbortController
  readonly open: () => number
  readonly asked: () => number
}

/** A model that says `abcde`, in batches of two and three, under a fault. */
function generate(fault: UpstreamFault | undefined): Generated {
  const inner = scriptedUpstream({
    script: (reply) => (reply.send('a', 'b'), reply.send('c', 'd', 'e'), reply.finish(), reply.end()),
  })
  const upstream = faultyUpstream(inner, () => fault)
  const abort = new AbortController()
  const batches: string[][] = []
  const nameOf = (event: UpstreamEvent): string => ('message' in event ? event.message : Object.keys(event)[0]!)
  const go = async (): Promise<unknown> => {
    try {
      for await (const events of eventsOf(upstream, request, abort.signal)) batches.push(events.map(nameOf))
      return undefined
    } catch (error) {
      return error
    }
  }
  return { batches, over: go(), abort, open: () => inner.openReplies, asked: () => inner.replies.length }
}

test('faulty upstream: without a fault a reply is what it was; name, model and status are those of the server', async () => {
  const { batches, over } = generate(undefined)
  expect(await over).toBeUndefined()
  expect(batches).toEqual([['a', 'b'], ['c', 'd', 'e'], ['finish']])
  const inner = scriptedUpstream({ model: 'm' })
  const upstream = faultyUpstream(inner, () => undefined)
  expect(upstream).toMatchObject({ name: inner.name, model: 'm' })
  expect(await upstream.status?.(new AbortController().signal)).toMatchObject({ state: 'ready' })
  expect(faultyUpstream({ name: 'n', model: 'm', open: upstream.open }, () => undefined).status).toBeUndefined()
})

test('faulty upstream: dies after so many events, and the server is told', async () => {
  const { batches, over, open } = generate({ cutAt: 3 })
  expect(await over).toMatchObject({ code: 'upstream_crashed', retryable: true })
  expect(batches).toEqual([['a', 'b'], ['c']])
  expect(open()).toBe(0)
})

test('faulty upstream: fails with the error that it is given, or ends without evidence', async () => {
  const error = new ChatError('upstream_busy', 'Busy.')
  expect(await generate({ cutAt: 1, error }).over).toBe(error)
  const { batches, over } = generate({ cutAt: 1, ending: 'close' })
  expect(await over).toBeUndefined()
  expect(batches).toEqual([['a']])
})

test('faulty upstream: refuses the first requests by a plan; the server is not asked', async () => {
  const { over, asked } = generate({ cutAt: 0 })
  expect(await over).toMatchObject({ code: 'upstream_unreachable', retryable: true })
  expect(asked()).toBe(0)
})

test('faulty upstream: stalls until it is aborted, before, amid and after its events', async () => {
  for (const [cutAt, events] of [
    [0, 0],
    [4, 4],
    [undefined, 6],
  ] as const) {
    const { batches, over, abort, open } = generate({ cutAt, ending: 'stall' })
    await turn()
    expect(batches.flat()).toHaveLength(events)
    const reason = new DOMException('x', 'AbortError')
    abort.abort(reason)
    // What comes behind a finish, nobody waits for.
    expect(await over).toBe(cutAt === undefined ? undefined : reason)
    await turn()
    expect(open()).toBe(0)
  }
})

test('faulty upstream: splits its batches', async () => {
  const { batches, over } = generate({ split: [1, 2], cutAt: 5, ending: 'close' })
  await over
  expect(batches).toEqual([['a'], ['b'], ['c'], ['d', 'e']])
})

test('faulty upstream: a reply that is shorter than its cut ends as it is', async () => {
  expect(await generate({ cutAt: 100 }).over).toBeUndefined()
})

test('seeded random: the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return [...random(new Uint8Array(8)), random.below(1_000), random.pick([1, 2, 3])]
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

test('seeded random: fills the array that it is given, and chooses evenly within the limit', () => {
  const random = seededRandom(1)
  const bytes = new Uint8Array(4)
  expect(random(bytes)).toBe(bytes)
  const counts = [0, 0, 0, 0, 0]
  for (let i = 0; i < 10_000; i++) counts[random.below(5)]! += 1
  for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(200)
})

test('random faults: depend on the seed and the number of the request alone', () => {
  for (const plans of [randomFetchFaults, randomUpstreamFaults]) {
    const draw = (seed: number, order: readonly number[]): unknown[] => {
      const plan = plans(seed) as (index: number) => unknown
      const drawn = new Map(order.map((index) => [index, plan(index)]))
      return [0, 1, 2, 3, 4, 5, 6, 7].map((index) => drawn.get(index))
    }
    const inOrder = draw(3, [0, 1, 2, 3, 4, 5, 6, 7])
    expect(draw(3, [7, 3, 0, 5, 1, 6, 2, 4])).toEqual(inOrder)
    expect(draw(4, [0, 1, 2, 3, 4, 5, 6, 7])).not.toEqual(inOrder)
  }
})

test('random faults: all kinds come up, and stalls only where they are wanted', () => {
  const drawn = (stalls: boolean): FetchFault[] =>
    Array.from({ length: 500 }, (_, i) => randomFetchFaults(1, { stalls })(i, { method: 'GET', url }) ?? {})
  const kinds = (faults: FetchFault[]): Set<unknown> =>
    new Set(faults.flatMap(({ answer, ending }) => [answer, ending]))
  expect(kinds(drawn(true))).toEqual(new Set([undefined, 'refused', 'lost', 'never', 'error', 'close', 'stall']))
  expect(kinds(drawn(false))).toEqual(new Set([undefined, 'refused', 'lost', 'error', 'close']))
  expect(randomFetchFaults(1, { percent: 0 })(0, { method: 'GET', url })).toBeUndefined()
})

test('random faults: a reader that comes back after each of them has the whole text in the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const text = 'Es war einmal ein 猫 🐈, '.repeat(20)
      const upstream = scriptedUpstream({ script: (reply) => (reply.send(...text.split('')), reply.finish()) })
      const gateway = gatewayFetch(createGateway({ upstream, clock: manualClock() }))
      const plan = randomFetchFaults(seed, { stalls: false })
      const fetch = faultyFetch(gateway, (index, asked) => (index === 0 ? undefined : plan(index, asked)))
      const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], reconnect: true })
      const first = frameReader((await fetch(url, { method: 'POST', body })).body)
      const { run_id: runId } = (await first.next())!.event
      await first.cancel()
      let position = 0
      let seen = ''
      for (let isDone = false; !isDone;) {
        try {
          const response = await fetch(`${url}/runs/${runId}`, { headers: { 'last-event-id': String(position) } })
          const reader = frameReader(response.body)
          for (let frame = await reader.next(); frame && !isDone; frame = await reader.next()) {
            const { id = position, event } = frame
            if (id - (event.message?.length ?? 0) > position) break
            if (id > position) seen += event.message!.slice(position - id)
            position = Math.max(position, id)
            isDone = event.done === true
          }
          await reader.cancel()
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      }
      expect(seen).toBe(text)
      expect(upstream.replies).toHaveLength(1)
    }),
    { numRuns: 50 },
  )
})

test('manual clock: says when its first timer is due', () => {
  const clock = manualClock(100)
  expect(clock.dueAt).toBe(Infinity)
  clock.after(20, () => undefined)
  const disarm = clock.after(10, () => undefined)
  expect(clock.dueAt).toBe(110)
  disarm()
  expect(clock.dueAt).toBe(120)
})
