import { checkLinear, createCounter } from '@midstream/test-support/operations'
import { test } from 'vitest'
import type { ChatTurn } from '../src/wire/messages.ts'

/** As `linear-upstream.test.ts`: what comes from clients, the lines of bodies, and what a run holds. */
const counter = createCounter()
const { createLineDecoder } = await import('../src/wire/ndjson.ts')
const { createSseDecoder } = await import('../src/wire/sse.ts')
const { createSseFrames } = await import('../src/upstream/reply/sse-frames.ts')
const { parseChatRequest, parseInterrupt } = await import('../src/wire/messages.ts')
const { isId } = await import('../src/wire/ids.ts')
const { digestOf } = await import('../src/session/digest.ts')
const { hash64 } = await import('../src/wire/hash64.ts')
const { createRunLog } = await import('../src/run/run-log.ts')
const { createUsageMeter } = await import('../src/run/usage.ts')
const { fuseDefaults, fuseInput, startFuse, stepFuse } = await import('../src/run/fuse.ts')
const { createRedaction } = await import('../src/upstream/reply/redaction.ts')
const { meaningOf } = await import('../src/upstream/http/error-meaning.ts')
const { dialects } = await import('../src/upstream/openai/dialects.ts')
const { continuationPoint } = await import('../src/upstream/history/continuation.ts')
const { createRefusal } = await import('../src/upstream/openai/refusal.ts')
const { retryAfter } = await import('../src/upstream/http/retry-after.ts')
const { ChatError } = await import('../src/wire/errors.ts')

const areRefusals = Object.values(dialects).map(createRefusal)
const mib = 1_048_576
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: Math.floor(count) }, (_, i) => make(i))
const linear = (name: string, largest: number, make: (size: number) => () => unknown): void =>
  test(`linear: ${name}`, { timeout: 60_000 }, () => checkLinear(counter, largest, make))

const bodies: readonly (readonly [string, (size: number) => string])[] = [
  ['a line of a MiB', (n) => `data: ${'x'.repeat(n - 8)}\n\n`],
  ['empty lines', (n) => '\n'.repeat(n)],
  ['lines that end in CR', (n) => 'data: x\r\r'.repeat(n / 9)],
  ['lines that end in CRLF, and some that do not', (n) => 'data: x\r\n\r\ndata: y\n\n'.repeat(n / 21)],
  ['one frame of many lines', (n) => 'data: x\n'.repeat(n / 8)],
  ['comments', (n) => ': x\n'.repeat(n / 4)],
  ['fields that nobody knows', (n) => 'field: x\n'.repeat(n / 9)],
  ['frames', (n) => 'id: 7\nevent: e\ndata: x\n\n'.repeat(n / 24)],
]
for (const [name, make] of bodies) {
  // A line of up to 16 KiB is held whole: an input is some times longer than that.
  for (const read of [7, 65_536]) {
    linear(`bodies: ${name}, in reads of ${read} bytes`, read === 7 ? mib / 2 : mib, (size) => {
      const body = new TextEncoder().encode(make(size))
      const reads = times(body.length / read + 1, (i) => body.subarray(i * read, i * read + read))
      return () => {
        const decoders = [createLineDecoder(), createSseDecoder({ comments: true }), createSseFrames()]
        return reads.map((bytes) => decoders.map((decoder) => decoder.push(bytes)))
      }
    })
  }
}

const requests: readonly (readonly [string, (size: number) => object])[] = [
  ['a long message', (n) => ({ messages: [{ role: 'user', content: 'x'.repeat(n) }] })],
  ['messages', (n) => ({ messages: times(n / 32, () => ({ role: 'user', content: 'x' })) })],
  ['parts', (n) => ({ messages: [{ role: 'user', content: times(n / 25, () => ({ type: 'text', text: 'x' })) }] })],
  [
    'calls, and a result',
    (n) => ({
      messages: [
        { role: 'assistant', tool_calls: times(n / 40, (i) => ({ id: `c${i}`, name: 'f', arguments: {} })) },
        { role: 'tool', content: '', tool_call_id: `c${Math.floor(n / 40) - 1}` },
      ],
    }),
  ],
  ['tools', (n) => ({ messages: [{ role: 'user', content: 'x' }], tools: times(n / 12, () => ({ name: 'f' })) })],
  [
    'options',
    (n) => ({ messages: [{ role: 'user', content: 'x' }], options: Object.fromEntries(times(n / 12, (i) => [i, 1])) }),
  ],
]
for (const [name, make] of requests) {
  linear(`request: ${name}`, mib / 4, (size) => {
    const body = JSON.stringify(make(size))
    return () => {
      try {
        const { messages } = parseChatRequest(body, { maxMessages: 1_000_000 })
        return [digestOf(messages), hash64(body)]
      } catch (error) {
        // Refused is as good.
        return error
      }
    }
  })
}
linear('request: an interrupt, ids and a history of users', mib, (size) => {
  const long = `run_${'a'.repeat(size)}`
  const users = times<ChatTurn>(size / 64, () => ({ role: 'user', content: 'x' }))
  return () => [isId('run', long), parseInterrupt(' '.repeat(size)), digestOf(users)]
})

linear('run log: single letters, each read, placed and looked at by a reader of the tail', mib / 8, (size) => () => {
  const log = createRunLog()
  for (let i = 0; i < size; i++) {
    log.append({ message: 'x' })
    log.read(log.length - 1)
    log.place(log.length - 1)
    log.boundary(log.length - 1)
  }
  return [log.deltaEnds(), log.partial(), log.read(0)]
})
linear('run log: text, thinking and events in turn', mib / 16, (size) => () => {
  const log = createRunLog()
  for (let i = 0; i < size; i++) {
    log.append({ message: 'x' })
    log.append({ thinking: 'y' })
    log.append({ data: { type: 'n' } })
    log.read(log.length - 3)
  }
  log.partial()
  for (let at = log.length; at > 0; at -= 64) log.cut(at)
})
linear('run log: a long one, cut back', 4 * mib, (size) => () => {
  const log = createRunLog()
  for (let i = 0; i < 16; i++) log.append({ message: 'x'.repeat(size / 16) })
  for (let at = log.length; at > size / 2; at -= size / 1_024) log.cut(Math.floor(at))
  return log.partial()
})

linear('fuse and meter: single letters', mib / 4, (size) => () => {
  const meter = createUsageMeter()
  let state = startFuse(0)
  for (let i = 0; i < size; i++) {
    const input = fuseInput({ message: '春' }, i)
    state = stepFuse(state, input, fuseDefaults)
    if (input.type === 'delta') meter.delta(input.bytes)
  }
  return [state, meter.total]
})

linear('errors: words, a key that is said again, and when to come back', 8_192, (size) => {
  const said = 'engine enable_thinking prefill badrequest unsupported sk-secret '.repeat(size / 64)
  const error = new ChatError('upstream_failed', 'x', { cause: said })
  const redact = createRedaction([['authorization', 'Bearer sk-secret']])
  return () => {
    redact(error)
    for (const status of ['', 200, 400, 403, 500]) meaningOf(status, said)
    for (const isRefusal of areRefusals) isRefusal(said, true)
    return retryAfter({ header: () => `${' '.repeat(size)}1${' '.repeat(size)}x` }, 0)
  }
})

linear('where a hostile partial goes on', 131_072, (size) => {
  const partials = [`${'a'.repeat(size)}.`, ' '.repeat(size), 'a '.repeat(size / 2), 'ກ'.repeat(size)]
  const ends = Array.from({ length: size }, (_, i) => i + 1)
  return () => partials.map((partial) => [continuationPoint(partial, undefined), continuationPoint(partial, ends)])
})
