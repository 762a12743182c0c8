import { pushing } from './support/answers.ts'
import { readdirSync } from 'node:fs'
import {
  conformanceCases,
  createReferenceReader,
  type ConformanceCase,
  type ConformanceEvent,
  type ConformanceReader,
  type ConformanceStep,
} from '@midstream/test-support/conformance'
import { expect, test } from 'vitest'
import { createGateway, type Gateway } from '../src/gateway/index.ts'
import { pullFrames } from '../src/read/pull-frames.ts'
import { createReader } from '../src/read/reader.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import { scriptedUpstream } from '../src/testing/scripted-upstream.ts'
import { coalesceDefaults } from '../src/read/coalesce.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { heartbeatDefaults } from '../src/read/heartbeat.ts'
import { ollama } from '../src/upstream/ollama/ollama.ts'
import type { Transport } from '../src/upstream/http/transport.ts'
import type { Upstream, UpstreamEvent } from '../src/upstream/upstream.ts'
import { ChatError, type ChatErrorCode } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'
import { createSseDecoder } from '../src/wire/sse.ts'
import { eachByte, utf8 } from './support/bytes.ts'
import { turn } from './support/event-loop.ts'

/** Runs every case against the run and its log, and against the gateway; the client has the same cases in its own tests. */

type UpstreamStep = Exclude<ConformanceStep, { readonly interrupt: unknown }>

/** A model server that does what the steps of a case say. */
interface CaseUpstream {
  readonly upstream: Upstream
  play(step: UpstreamStep): Promise<void>
}

const failure = (code: string): ChatError => new ChatError(code as ChatErrorCode, 'The case says so.')
const eventOf = (event: ConformanceEvent): UpstreamEvent => ('error' in event ? { error: failure(event.error) } : event)

function eventUpstream(): CaseUpstream {
  const upstream = scriptedUpstream()
  return {
    upstream,
    async play(step) {
      const reply = upstream.replies[0] ?? (await upstream.next())
      if ('send' in step) reply.send(...step.send.map(eventOf))
      else if ('fail' in step) reply.fail(failure(step.fail))
      else if ('end' in step) reply.end()
    },
  }
}

/** An Ollama of which the case is the bytes. */
function ollamaUpstream(readsOf: (bytes: Uint8Array) => readonly Uint8Array[]): CaseUpstream {
  const reads: (Uint8Array | 'end')[] = []
  let more = (): void => {}
  async function* body(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    signal.addEventListener('abort', () => more())
    for (;;) {
      if (signal.aborted) throw signal.reason
      const next = reads.shift()
      if (next === 'end') return
      if (next) yield next
      else await new Promise<void>((resolve) => (more = resolve))
    }
  }
  const transport: Transport = pushing(async ({ signal }) => ({
    status: 200,
    header: () => undefined,
    body: body(signal),
  }))
  return {
    upstream: ollama({ model: 'scripted', transport }),
    async play(step) {
      if ('bytes' in step) reads.push(...readsOf(utf8(step.bytes)))
      else if ('end' in step) reads.push('end')
      more()
    },
  }
}

/** What a case is run against: something that has a run, readers of it, and an interrupt. */
interface Subject {
  interrupt(position: number | undefined): Promise<void>
  /** The log's length; undefined when it cannot be known from outside. */
  length(): number | undefined
  /** Reads on after a position, as fast as it gets frames. */
  follow(from: number): Promise<Follower>
  /** The same, but nothing is read before `read()`. */
  later(): Promise<Follower>
}
interface Follower {
  read(): void
  /** What it has; undefined until the terminal event came. */
  result(): ConformanceReader | undefined
}

function follower(from: number, next: () => Promise<Uint8Array | null>): Follower {
  const sse = createSseDecoder()
  const reader = createReferenceReader(from)
  const go = async (): Promise<void> => {
    for (let bytes = await next(); bytes !== null; bytes = await next()) {
      for (const { id, data } of sse.push(bytes))
        reader.push(id === undefined ? undefined : Number(id), JSON.parse(data))
    }
  }
  return { read: () => void go(), result: () => reader.result() }
}

function runSubject(clock: ManualClock, upstream: Upstream): Subject {
  const request = { model: 'scripted', messages: [], prefill: '', interruptedNote: null }
  const run = startRun({
    runId: createId('run'),
    sessionId: createId('sess'),
    model: 'scripted',
    open: (_question, sink, signal) => upstream.open(request, sink, signal),
    clock,
    fuse: fuseDefaults,
    orphanMs: 60_000,
  })
  const follow = (position: number): Follower => {
    const reader = pullFrames(
      createReader(run, { clock, coalesce: coalesceDefaults, heartbeat: heartbeatDefaults, position }),
    )
    return follower(position, async () => {
      const text = await reader.next()
      return text === null ? null : utf8(text)
    })
  }
  return {
    interrupt: async (position) => void run.interrupt('person', position),
    length: () => run.log.length,
    later: async () => follow(0),
    async follow(from) {
      const one = follow(from)
      one.read()
      return one
    },
  }
}

async function gatewaySubject(clock: ManualClock, upstream: Upstream): Promise<Subject> {
  const gateway: Gateway = createGateway({ upstream, clock, recovery: false, limits: { unreadMs: Infinity } })
  const at = 'http://gateway.test/api/chat'
  const runId = createId('run')
  const bodyOf = (response: Response, from: number): Follower => {
    const reader = response.body?.getReader()
    return follower(from, async () => (await reader?.read())?.value ?? null)
  }
  const start = await gateway(
    new Request(at, {
      method: 'POST',
      body: JSON.stringify({ run_id: runId, messages: [{ role: 'user', content: 'Hello' }], reconnect: true }),
    }),
  )
  const first = bodyOf(start, 0)
  let isTaken = false
  const later = async (from: number): Promise<Follower> => {
    if (from === 0 && !isTaken) {
      isTaken = true
      return first
    }
    const headers = { 'last-event-id': String(from) }
    return bodyOf(await gateway(new Request(`${at}/runs/${runId}`, { headers })), from)
  }
  return {
    async interrupt(position) {
      const body = position === undefined ? '' : JSON.stringify({ position })
      const response = await gateway(new Request(`${at}/runs/${runId}/interrupt`, { method: 'POST', body }))
      expect(response.status).toBe(200)
    },
    length: () => undefined,
    later: () => later(0),
    async follow(from) {
      const one = await later(from)
      one.read()
      return one
    },
  }
}

/** Plays a case, and looks at readers of every kind: live, slow, and late. */
async function conforms(
  one: ConformanceCase,
  subject: Subject,
  server: CaseUpstream,
  clock: ManualClock,
): Promise<void> {
  const live = await subject.follow(0)
  const slow = await subject.later()
  const joined = new Map<ConformanceReader, Follower>()
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 4; i++) await turn()
  }
  await settle()
  for (const step of one.steps) {
    if ('interrupt' in step) await subject.interrupt(step.interrupt.position)
    else await server.play(step)
    await settle()
    clock.advance(60)
    await settle()
    for (const wanted of one.readers) {
      const length = subject.length()
      if (wanted.from > 0 && !joined.has(wanted) && length !== undefined && length >= wanted.from) {
        joined.set(wanted, await subject.follow(wanted.from))
      }
    }
  }
  slow.read()
  await settle()
  for (const wanted of one.readers) {
    if (wanted.from === 0) {
      expect(live.result(), 'live').toEqual(wanted)
      expect(slow.result(), 'slow').toEqual(wanted)
    }
    const late = await subject.follow(wanted.from)
    await settle()
    expect(late.result(), `late, from ${wanted.from}`).toEqual(wanted)
    const early = joined.get(wanted)
    if (early) expect(early.result(), `live, from ${wanted.from}`).toEqual(wanted)
  }
  expect(clock.timers).toBe(0)
}

const byUpstream = (kind: ConformanceCase['upstream']): readonly (readonly [name: string, one: ConformanceCase])[] =>
  conformanceCases.filter(({ upstream }) => upstream === kind).map((one) => [one.name, one])

test.for(byUpstream('events'))('conformance: run, %s', async ([, one]) => {
  const clock = manualClock()
  const server = eventUpstream()
  await conforms(one, runSubject(clock, server.upstream), server, clock)
})

test.for(byUpstream('events'))('conformance: gateway, %s', async ([, one]) => {
  const clock = manualClock()
  const server = eventUpstream()
  await conforms(one, await gatewaySubject(clock, server.upstream), server, clock)
})

test.for(byUpstream('ollama'))('conformance: run, %s', async ([, one]) => {
  for (const readsOf of [(bytes: Uint8Array) => [bytes], eachByte]) {
    const clock = manualClock()
    const server = ollamaUpstream(readsOf)
    await conforms(one, runSubject(clock, server.upstream), server, clock)
  }
})

test.for(byUpstream('ollama'))('conformance: gateway, %s', async ([, one]) => {
  for (const readsOf of [(bytes: Uint8Array) => [bytes], eachByte]) {
    const clock = manualClock()
    const server = ollamaUpstream(readsOf)
    await conforms(one, await gatewaySubject(clock, server.upstream), server, clock)
  }
})

test('conformance: every JSON file is a case, and names are those of the files', () => {
  const folder = new URL('../../../test-support/conformance/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  expect(conformanceCases.map(({ name }) => `${name}.json`).sort()).toEqual(files.sort())
})

test('conformance: every case has a reader from the start, and its steps fit its upstream', () => {
  const isFit = ({ upstream, steps, readers }: ConformanceCase): boolean =>
    readers.some(({ from }) => from === 0) &&
    !steps.some((step) => (upstream === 'ollama' ? 'send' in step || 'fail' in step : 'bytes' in step))
  expect(conformanceCases.filter((one) => !isFit(one))).toEqual([])
})

test('reference reader: text without a position, positions that go back and frames after the end are faults', () => {
  const reader = createReferenceReader(0)
  expect(() => reader.push(undefined, { message: 'a' })).toThrow('without a position')
  reader.push(3, { message: 'abc' })
  expect(() => reader.push(2, { message: 'b' })).toThrow('go back')
  expect(reader.result()).toBeUndefined()
  reader.push(undefined, { done: true, reason: 'stop' })
  expect(() => reader.push(4, { message: 'd' })).toThrow('after the terminal')
})
