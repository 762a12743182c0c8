import { systemClock, systemRandom, type ChatEvent } from '@midstream/core'
import { checkLinearAsync, createCounter } from '@midstream/test-support/operations'
import { expect, test } from 'vitest'

/** Twice as long a body costs twice as much to read, in whatever chunks it comes. Sources are imported once the counter counts. */
const counter = createCounter()
const { readRun } = await import('../src/connection/read-run.ts')
const { streamChat } = await import('../src/stream-chat.ts')

const utf8 = new TextEncoder()
const first = 'data: {"session_id":"sess_1","run_id":"run_1","model":"m","heartbeat_ms":5000}\n\n'
/** Frames of about so many bytes in all, the position after each as its id; the terminal one is the last. */
function bodyOf(bytes: number, frame: (n: number) => { readonly json: object; readonly units: number }): Uint8Array {
  const frames = [first]
  let position = 0
  for (let length = 0, n = 0; length < bytes; n++) {
    const { json, units } = frame(n)
    position += units
    frames.push(`id: ${position}\ndata: ${JSON.stringify(json)}\n\n`)
    length += frames.at(-1)!.length
  }
  frames.push(`data: {"done":true,"reason":"stop","position":${position}}\n\n`)
  return utf8.encode(frames.join(''))
}
function streamOf(body: Uint8Array, chunk: number): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    pull(out) {
      if (at >= body.length) return out.close()
      out.enqueue(body.subarray(at, (at += chunk)))
    },
  })
}
const options = (body: Uint8Array, chunk: number) => ({
  url: '/api/chat',
  fetch: () =>
    Promise.resolve(new Response(streamOf(body, chunk), { headers: { 'content-type': 'text/event-stream' } })),
})
async function read(body: Uint8Array, chunk: number): Promise<void> {
  const { signal } = new AbortController()
  const link = { runId: 'run_1', json: {}, signal, clock: systemClock, maxMs: 0, random: systemRandom }
  let last: ChatEvent | undefined
  for await (const reading of readRun({ ...link, options: options(body, chunk), tries: 0 })) {
    last = reading.type === 'event' ? reading.event : undefined
  }
  expect(last).toMatchObject({ done: true })
}
async function iterate(body: Uint8Array, chunk: number): Promise<void> {
  let last: ChatEvent | undefined
  for await (const event of streamChat({ ...options(body, chunk), messages: [] })) last = event
  expect(last).toMatchObject({ done: true })
}

const mib = 1_048_576
const frames = {
  'one delta of all the text': (size: number) => ({ json: { message: 'x'.repeat(size) }, units: size }),
  'deltas of one character': () => ({ json: { message: 'x' }, units: 1 }),
  'data and thinking in turn': (_: number, n: number) =>
    n % 2 ? { json: { data: { type: 'n', n } }, units: 1 } : { json: { thinking: 'y' }, units: 1 },
} as const
const chunks = [
  ['byte by byte', 1, 65_536],
  ['in chunks of 1 MiB', mib, 2 * mib],
] as const

for (const [shape, frame] of Object.entries(frames)) {
  for (const [how, chunk, largest] of chunks) {
    test(`linear: a run of ${shape} is read ${how}`, { timeout: 60_000 }, () =>
      checkLinearAsync(counter, largest, (size) => {
        const body = bodyOf(size, (n) => frame(size, n))
        return () => read(body, chunk)
      }),
    )
  }
}

test('linear: streamChat reads one event of 1 MiB in pieces of one byte', { timeout: 60_000 }, () =>
  checkLinearAsync(counter, mib / 4, (size) => {
    const body = bodyOf(size, () => ({ json: { message: 'x'.repeat(size) }, units: size }))
    return () => iterate(body, 1)
  }),
)

test.for([
  ['comments', ': \n'],
  ['blank lines', '\n'],
  ['fields of nobody', 'x: y\n'],
  ['ids', 'id: 1\n'],
  ['data lines of nothing', 'data\n'],
  ['carriage returns', '\r'],
] as const)('linear: %s without number before the first event are read byte by byte', { timeout: 60_000 }, ([, line]) =>
  checkLinearAsync(counter, 65_536, (size) => {
    const body = utf8.encode(`: ok\n${line.repeat(size / line.length)}\n\n`)
    const whole = new Uint8Array([...body, ...bodyOf(1, () => ({ json: { message: 'x' }, units: 1 }))])
    return () => read(whole, 1)
  }),
)
