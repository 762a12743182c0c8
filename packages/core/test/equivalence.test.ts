import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../src/testing/manual-clock.ts'
import { anthropic } from '../src/upstream/anthropic/anthropic.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import { fromIterable } from '../src/upstream/from-iterable.ts'
import type { Transport } from '../src/upstream/http/transport.ts'
import type { DialectName } from '../src/upstream/openai/dialect.ts'
import type { Upstream } from '../src/upstream/upstream.ts'
import type { RandomBytes } from '../src/wire/ids.ts'
import { anthropicSample, anthropicSamples } from './support/anthropic-samples.ts'
import { cutAt, cuts } from './support/bytes.ts'
import { startReply } from './support/start-reply.ts'
import { answering, sample, sampleNames, upstreamOf } from './support/expected.ts'

/** The same bytes, pushed in the call in which they are read or pulled through iterators, make the same run. */

const dialects: readonly DialectName[] = [
  'openai',
  'llamacpp',
  'vllm',
  'sglang',
  'lmstudio',
  'deepseek',
  'dashscope',
  'mistral',
  'openrouter',
  'ollama',
]
const random: RandomBytes = (bytes) => bytes.fill(7)

/** Everything in the very call, without a promise. */
const pushed =
  (type: string, pieces: readonly Uint8Array[], ended: 'end' | 'reset'): Transport =>
  (_request, sink) => {
    sink.head({ status: 200, header: (name) => (name === 'content-type' ? type : undefined) })
    for (const piece of pieces) void sink.data(piece)
    if (ended === 'end') sink.end()
    else sink.error(new Error('reset'))
  }

async function played(upstream: Upstream): Promise<unknown> {
  const run = startReply(upstream, manualClock())
  const terminal = await run.ended
  return { log: run.log.read(0), ends: run.log.deltaEnds(), terminal, usage: run.usage }
}

interface Kind {
  readonly name: string
  readonly type: string
  readonly body: Uint8Array
  make(transport: Transport): Upstream
}
const ofServers = (['ollama', 'openai'] as const).flatMap((server) =>
  sampleNames()
    .filter((name) => name.startsWith(`${server}/`))
    .flatMap((name): Kind[] =>
      (server === 'ollama' ? [undefined] : dialects).map((dialect) => ({
        name: `${dialect ?? ''} ${name}`,
        type: server === 'ollama' ? 'application/x-ndjson' : 'text/event-stream',
        body: sample(name),
        make: (transport) => upstreamOf(server, transport, dialect),
      })),
    ),
)
const kinds: readonly Kind[] = [
  ...ofServers,
  ...anthropicSamples().map((name) => ({
    name: `anthropic ${name}`,
    type: 'text/event-stream',
    body: anthropicSample(name),
    make: (transport: Transport) => anthropic({ model: 'm', apiKey: 'k', transport, random }),
  })),
]

test('equivalence: the samples are those of every dialect, of Ollama and of Anthropic', () => {
  const few = [...dialects, 'anthropic', ' ollama/'].filter(
    (dialect) => kinds.filter(({ name }) => name.startsWith(dialect)).length <= 2,
  )
  expect(few).toEqual([])
})

const ends = fc.constantFrom('end' as const, 'reset' as const)

test('equivalence: the same bytes, however they are cut and however they end, give the same log pushed and pulled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), cuts, ends, async ({ type, body, make }, at, ended) => {
      const pieces = cutAt(body, at)
      const pulled = make(answering(() => ({ status: 200, type, pieces, ended })))
      const iterated = fromIterable({
        name: pulled.name,
        model: pulled.model,
        generate: (request, signal) => eventsOf(pulled, request, signal),
      })
      expect(await played(iterated)).toEqual(await played(make(pushed(type, pieces, ended))))
    }),
    { numRuns: 600 },
  )
})
