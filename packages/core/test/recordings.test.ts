import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutAt, cuts, eachByte } from './support/bytes.ts'
import {
  answering,
  expected,
  listener,
  recorded,
  recordedNames,
  sample,
  sampleNames,
  upstreamOf,
  type Answer,
  type Expected,
  type Server,
} from './support/expected.ts'
import { framesOf, shortened, type Frame } from './support/recorded-frames.ts'
import { bodyOf, bytesOf } from './support/replay-server.ts'

// Every recording of a real server and every byte sample, against one table: fixtures/expected.json

const tableOf = (name: string): Expected => expected.recordings[name]!
const replies = recordedNames().filter(([name]) => tableOf(name)?.ask === undefined)
const states = recordedNames().filter(([name]) => tableOf(name)?.ask === 'status')
const streamOf = { ollama: 'application/x-ndjson', openai: 'text/event-stream' } as const
/** Those whose body is read as it comes: a cut in any other changes only what is logged. */
const streams = replies.filter(([name, server]) => {
  const { response } = recorded(name, server)
  return response?.status === 200 && (server === 'ollama' || response.headers['Content-Type'] === streamOf.openai)
})
const isDone = (end: string): boolean => end === 'stop' || end === 'length' || end === 'tool_calls'

/** As it was recorded: a client that left then, leaves now. */
function answerOf(name: string, server: Server): Answer {
  const { response } = recorded(name, server)
  const wasLeft = tableOf(name).end === 'interrupted'
  if (!response) return { status: 0, pieces: [], ended: wasLeft ? 'held' : 'reset' }
  const { status, headers, reads, ended } = response
  const how = wasLeft ? 'held' : ended === 'end' ? 'end' : 'reset'
  return { status, type: headers['Content-Type'], pieces: reads.map(bytesOf), ended: how }
}

test('recordings: the table has every one of the 128, and every sample', () => {
  const names = recordedNames().map(([name]) => name)
  expect(names).toHaveLength(128)
  expect(Object.keys(expected.recordings).sort()).toEqual(names.sort())
  expect(Object.keys(expected.samples).sort()).toEqual(sampleNames().sort())
  expect(streams.length).toBe(90)
})

test.for(replies)('recordings: %s gives its deltas, its usage and its end, in its reads', async ([name, server]) => {
  expect(await listener(server)(answerOf(name, server))).toEqual({ malformed: 0, ...tableOf(name) })
})

test.for(streams)('recordings: %s gives the same byte by byte, and no end before its last frame', async (one) => {
  const [name, server] = one
  const body = bodyOf(recorded(name, server))
  const { end } = tableOf(name)
  let given = 0
  const bytes = function* (): Generator<Uint8Array> {
    for (; given < body.length; given++) yield body.subarray(given, given + 1)
  }
  const heard = await listener(server)({ ...answerOf(name, server), pieces: bytes() })
  expect(heard).toEqual({ malformed: 0, ...tableOf(name) })
  if (isDone(end))
    expect(given + 1).toBeGreaterThanOrEqual(framesOf(body, server).find(({ isLast }) => isLast)!.cleanEnd)
})

/** A status asks several paths: what was not recorded together is answered by these. */
const beside: Readonly<Record<string, string>> = { '/api/tags': 'ollama-get-tags', '/api/ps': 'ollama-get-ps-empty' }

test.for(states)('recordings: %s is what the status tells', async ([name, server]) => {
  const { end, dialect } = tableOf(name)
  const { path } = recorded(name, server).request
  const transport = answering((url) => {
    const { pathname } = new URL(url)
    return answerOf(pathname === path ? name : (beside[pathname] ?? name), server)
  })
  const status = await upstreamOf(server, transport, dialect).status?.(new AbortController().signal)
  expect(status?.state).toBe(end)
})

test.for(Object.entries(expected.refusals))('recordings: the refusal "%s" is an error before the head', async (one) => {
  const [, { server, status, body, end }] = one
  const answer: Answer = { status, type: 'application/json', pieces: [Buffer.from(body)], ended: 'end' }
  expect(await listener(server)(answer)).toEqual({ malformed: 0, end })
})

// Cuts

/** What must be heard of a body that breaks off there. */
function brokenOff(frames: readonly Frame[], cut: number, ended: 'end' | 'reset', end: string): Expected {
  const whole = frames.filter((frame) => (ended === 'end' ? frame.cleanEnd : frame.end) <= cut)
  const broken = ended === 'end' ? 'upstream_incomplete' : 'upstream_unreachable'
  return { text: whole.map(({ text }) => text).join(''), end: whole.some(({ isLast }) => isLast) ? end : broken }
}

async function sweep(body: Buffer, server: Server, end: string, cuts: Iterable<number>): Promise<void> {
  const frames = framesOf(body, server)
  const hear = listener(server)
  for (const cut of cuts) {
    for (const ended of ['end', 'reset'] as const) {
      const must = brokenOff(frames, cut, ended, end)
      const is = await hear({ status: 200, type: streamOf[server], pieces: [body.subarray(0, cut)], ended })
      // Looked at first: an `expect` for each byte would take longer than all the rest.
      if (is.text !== (must.text || undefined) || is.end !== must.end)
        expect({ cut, ended, text: '', ...is }).toMatchObject({ cut, ended, ...must })
    }
  }
}

test.for(streams)('recordings: %s, cut behind every frame, keeps what came', async ([name, server]) => {
  const body = bodyOf(recorded(name, server))
  const { end, text = '' } = tableOf(name)
  const frames = framesOf(body, server)
  expect(frames.map((frame) => frame.text).join('')).toBe(text)
  await sweep(body, server, end, [0, ...frames.map((frame) => Math.min(frame.end, body.length))])
})

// Shortened: of frames of one shape in a row, the first and the last. The whole is cut behind every frame above.
test.for(streams)(
  'recordings: %s, shortened and cut at every byte, is done only with its finish',
  async ([name, server]) => {
    const body = shortened(bodyOf(recorded(name, server)), server)
    await sweep(body, server, tableOf(name).end, Array(body.length + 1).keys())
  },
)

// Byte samples

const serverOf = (name: string): Server => (name.startsWith('ollama/') ? 'ollama' : 'openai')
const samples = Object.entries(expected.samples)

test.for(samples)('samples: %s, whole, byte by byte and in any pieces', async ([name, must]) => {
  const body = sample(name)
  const hear = listener(serverOf(name))
  const hearIn = (pieces: readonly Uint8Array[]): Promise<unknown> =>
    hear({ status: 200, type: streamOf[serverOf(name)], pieces, ended: 'end' })
  expect(await hearIn([body])).toEqual({ malformed: 0, ...must })
  expect(await hearIn(eachByte(body))).toEqual({ malformed: 0, ...must })
  const anyPieces = fc.asyncProperty(cuts, async (at) => {
    expect(await hearIn(cutAt(body, at))).toEqual({ malformed: 0, ...must })
  })
  await fc.assert(anyPieces, { numRuns: 30 })
})

const long = { timeout: 90_000 }
test.for(samples)(
  'samples: %s, cut at every byte, is done only with its finish, and keeps what came',
  long,
  async (one) => {
    const [name, { end, text = '', thinking = '' }] = one
    const body = sample(name)
    const hear = listener(serverOf(name))
    const finish = body.toString('latin1').search(/"(finish_reason|done_reason)": ?"/)
    let last = 0
    for (let cut = 0; cut <= body.length; cut++) {
      for (const ended of ['end', 'reset'] as const) {
        const is = await hear({ status: 200, type: streamOf[serverOf(name)], pieces: [body.subarray(0, cut)], ended })
        const broken = ended === 'end' ? 'upstream_incomplete' : 'upstream_unreachable'
        const mayEnd = is.end === broken || (is.end === end && (!isDone(end) || cut > finish))
        if (!mayEnd || !text.startsWith(is.text ?? '') || !thinking.startsWith(is.thinking ?? ''))
          expect.fail(`cut at ${cut} by ${ended}: ${JSON.stringify(is)}`)
        if (isDone(is.end) && (is.text ?? '') !== text) expect.fail(`cut at ${cut}: done, and not whole`)
        const length = (is.text ?? '').length + (is.thinking ?? '').length
        if (ended === 'reset' && length < last) expect.fail(`cut at ${cut}: less than before`)
        if (ended === 'reset') last = length
      }
    }
  },
)
