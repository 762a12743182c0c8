import { eventsOf } from '../src/upstream/events-of.ts'
import { expect, test } from 'vitest'
import { createGateway } from '../src/gateway/index.ts'
import { gatewayFetch, manualClock, type SeededRandom } from '../src/testing/index.ts'
import { anthropic, ollama, openaiCompatible, type Transport, type Upstream } from '../src/upstream/index.ts'
import type { DialectName } from '../src/upstream/openai/dialect.ts'
import { dialects } from '../src/upstream/openai/dialects.ts'
import { openAiQuestion } from '../src/upstream/openai/body.ts'
import { withToldNames } from '../src/upstream/history/call-names.ts'
import { ollamaQuestion } from '../src/upstream/ollama/body.ts'
import { anthropicQuestion } from '../src/upstream/anthropic/body.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'
import { isChatError } from '../src/wire/errors.ts'
import { createLineDecoder } from '../src/wire/ndjson.ts'
import { parseChatRequest, parseInterrupt, type ChatRequest } from '../src/wire/messages.ts'
import { createSseDecoder } from '../src/wire/sse.ts'
import { anthropicBreaches } from './support/anthropic-rules.ts'
import { breaches, type Body } from './support/dialect-rules.ts'
import { answering } from './support/expected.ts'
import { frameReader, type WireFrame } from './support/frames.ts'
import { corpus, fuzz, mutated, split, type Kind } from './support/mutations.ts'

// Any bytes at all. How many: `fuzz` in support/mutations.ts.

const kinds = ['ollama', 'openai', 'anthropic'] as const
const names = Object.keys(dialects) as [DialectName, ...DialectName[]]
const statuses = [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 400, 404, 429, 503] as const
const types = { ollama: 'application/x-ndjson', openai: 'text/event-stream', anthropic: 'text/event-stream' } as const

function upstreamOf(kind: Kind, transport: Transport, dialect: DialectName): Upstream {
  const options = { model: 'm', transport, random: (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(7) }
  if (kind === 'ollama') return ollama(options)
  return kind === 'anthropic'
    ? anthropic({ ...options, apiKey: 'k' })
    : openaiCompatible({ ...options, dialect, apiKey: 'k' })
}

interface Heard {
  text: string
  thinking: string
  calls: unknown[]
  end: string
}
async function hear(events: AsyncIterable<readonly UpstreamEvent[]>): Promise<Heard> {
  const heard: Heard = { text: '', thinking: '', calls: [], end: '' }
  try {
    for await (const event of (async function* () {
      for await (const batch of events) yield* batch
    })()) {
      if (heard.end) throw new Error(`after the end: ${JSON.stringify(event)}`)
      if ('message' in event) heard.text += event.message
      else if ('thinking' in event) heard.thinking += event.thinking
      else if ('tool_call' in event) heard.calls.push(event.tool_call)
      else if ('error' in event) heard.end = `error ${event.error.code}`
      else if ('finish' in event) heard.end = event.finish
      for (const value of Object.values(event)) if (value === '') throw new Error('an empty event')
    }
  } catch (error) {
    if (!isChatError(error)) throw error
    expect(error.code).toMatch(/^(upstream_\w+|overflow)$/)
    expect(error.message).toMatch(/^(The model server|Tool calls|A line|An SSE frame)/)
    if (heard.end) throw new Error('thrown after the end', { cause: error })
    heard.end = `thrown ${error.code}`
  }
  for (const call of heard.calls as { id: unknown; name: unknown; arguments: unknown }[]) {
    expect(call).toMatchObject({ id: expect.stringMatching(/./s), name: expect.stringMatching(/./s) })
    expect(typeof call.arguments).toBe('object')
  }
  return heard
}

test(
  'fuzz: any answer, in any reads, is the same events with one end, or a ChatError',
  { timeout: 600_000 },
  async () => {
    const ends = new Map<string, number>()
    await fuzz(2_500, async (random) => {
      const kind = random.pick(kinds)
      const dialect = random.pick(names)
      const prefill = random.pick(['', '', 'There was once a fox', 'x '])
      const body = mutated(random, corpus[kind])
      const status = random.pick(statuses)
      const said: Heard[] = []
      for (const pieces of [[body], split(body, random), split(body, random)]) {
        const transport = answering(() => ({ status, type: types[kind], pieces, ended: 'end' }))
        const request = {
          model: 'm',
          messages: [{ role: 'user', content: 'Hello' } as const],
          prefill,
          interruptedNote: null,
        }
        said.push(await hear(eventsOf(upstreamOf(kind, transport, dialect), request, new AbortController().signal)))
      }
      expect(said[1]).toEqual(said[0])
      expect(said[2]).toEqual(said[0])
      ends.set(said[0]!.end, (ends.get(said[0]!.end) ?? 0) + 1)
    })
    if (process.env['FUZZ_SEED']) return
    // Bytes of which nothing comes prove nothing.
    for (const end of ['stop', 'length', 'tool_calls', 'error upstream_malformed', 'thrown upstream_busy'])
      expect([end, (ends.get(end) ?? 0) > 5]).toEqual([end, true])
  },
)

test('fuzz: any bytes are the same lines and frames in any reads', { timeout: 600_000 }, () =>
  fuzz(2_000, (random) => {
    const body = mutated(random, corpus[random.pick(kinds)])
    const maxChars = random.pick([1_048_576, 1_048_576, 300])
    for (const decoder of [
      () => createLineDecoder({ maxChars }),
      () => createSseDecoder({ maxChars, comments: true }),
      () => createSseDecoder({ maxChars }),
    ]) {
      const decode = (pieces: readonly Buffer[]): unknown[] => {
        const { push } = decoder()
        const found: unknown[] = []
        try {
          for (const piece of pieces) for (const one of push(piece)) found.push(one)
          for (const one of push(Buffer.from('\n\n'))) found.push(one)
        } catch (error) {
          if (!isChatError(error) || error.code !== 'overflow') throw error
          return maxChars === 300 ? [] : [error.code]
        }
        // What is too long may be found out a little earlier or later.
        return maxChars === 300 ? [] : found
      }
      const pieces = split(body, random)
      // A line of an error has to come in one piece.
      if (body.includes('error')) decode(pieces)
      else expect(decode(pieces)).toEqual(decode([body]))
    }
  }),
)

const history = {
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    { role: 'assistant', content: null, tool_calls: [{ id: 'a', name: 'now', arguments: {} }] },
    { role: 'tool', content: '12:00', tool_call_id: 'a' },
    { role: 'assistant', content: 'It is noon', interrupted: true, thinking: 'Hm' },
    { role: 'user', content: 'Go on' },
  ],
}
const requests = [
  history,
  { ...history, resume: 'continue', messages: history.messages.slice(0, -1) },
  { ...history, tools: [{ name: 'now', parameters: {} }], think: 'high', when_busy: 'reject', reconnect: true },
  { ...history, run_id: `run_${'a'.repeat(22)}`, session_id: `sess_${'b'.repeat(22)}`, options: { temperature: 0 } },
  { ...history, interrupts: { run_id: `run_${'c'.repeat(22)}`, position: 3 }, stream: false },
].map((body) => Buffer.from(JSON.stringify(body)))

test(
  'fuzz: any body is a request or a ChatError, and what is let in is valid for every server',
  { timeout: 600_000 },
  () =>
    fuzz(5_000, (random) => {
      const body = mutated(random, requests).toString()
      let chat: ChatRequest
      try {
        parseInterrupt(body)
      } catch (error) {
        if (!isChatError(error)) throw error
      }
      try {
        chat = parseChatRequest(body, { maxMessages: 1_000 })
      } catch (error) {
        if (!isChatError(error)) throw error
        expect(error.code).toMatch(/^(bad_request|unsupported_content)$/)
        return
      }
      const prefill = chat.resume ? chat.messages.at(-1)!.content : ''
      const messages = chat.resume ? chat.messages.slice(0, -1) : chat.messages
      const request = {
        ...chat,
        model: 'm',
        messages,
        prefill,
        interruptedNote: 'cut',
        tools: undefined,
        options: undefined,
      }
      const named = withToldNames(request)
      const sent = (question: { readonly body: object }): string => JSON.stringify(question.body)
      const isContinuation = prefill.trim() !== ''
      for (const way of ['native', 'instruction'] as const) {
        const isNative = isContinuation && way === 'native'
        for (const name of names) {
          const { continuation } = dialects[name]
          if (isNative && !continuation) continue
          const asked = sent(openAiQuestion(named, dialects[name], { way, instruction: 'Go on', extra: {} }))
          if (name !== 'openrouter')
            expect([name, ...breaches(name, JSON.parse(asked) as Body, isNative)]).toEqual([name])
        }
        const asked = sent(ollamaQuestion(request, way, 'Go on'))
        expect(breaches('ollama /api/chat', JSON.parse(asked) as Body, isNative)).toEqual([])
        const options = { way, instruction: 'Go on', extra: {}, maxTokens: 4_096 }
        expect(anthropicBreaches(sent(anthropicQuestion(named, options)))).toEqual([])
      }
    }),
)

const unitsOf = ({ message, thinking }: WireFrame['event']): number => (message ?? thinking)?.length ?? 1
/** What a page shows of it: neighbours of one kind are one. */
function shown(frames: readonly WireFrame[], after = 0): unknown[] {
  const all: unknown[] = []
  for (const { id, event } of frames) {
    if (id === undefined || id <= after) continue
    const said = event.message ?? event.thinking
    const kind = event.message === undefined ? 'thinking' : 'message'
    const last = all.at(-1) as [string, string] | undefined
    if (said === undefined) all.push(JSON.stringify(event))
    else if (Array.isArray(last) && last[0] === kind) last[1] += said
    else all.push([kind, said])
  }
  return all
}

test(
  'fuzz: any run has one end, positions that grow by its units, and replays as what was live',
  { timeout: 600_000 },
  () =>
    fuzz(400, async (random: SeededRandom) => {
      const kind = random.pick(kinds)
      const body = mutated(random, corpus[kind])
      const transport = answering(() => ({ status: 200, type: types[kind], pieces: split(body, random), ended: 'end' }))
      const gateway = createGateway({
        upstream: upstreamOf(kind, transport, random.pick(names)),
        clock: manualClock(),
        recovery: { maxAttempts: 1, maxWaitMs: 0 },
      })
      const ask = gatewayFetch(gateway)
      const post = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })
      const frames = await frameReader((await ask('/api/chat', { method: 'POST', body: post })).body).rest()
      const ends = frames.filter(({ event }) => event.done)
      expect(ends).toEqual([frames.at(-1)])
      let position = 0
      for (const { id, event } of frames) {
        if (id === undefined) continue
        expect(id).toBe(position + unitsOf(event))
        position = id
      }
      const runId = frames[0]!.event.run_id!
      for (const after of [0, random.below(position + 1)]) {
        const again = await ask(`/api/chat/runs/${runId}`, { headers: { 'last-event-id': String(after) } })
        const replay = await frameReader(again.body).rest()
        expect(replay.at(-1)).toEqual(frames.at(-1))
        if (after === 0) expect(shown(replay)).toEqual(shown(frames))
        else expect(replay.find(({ id }) => id !== undefined)?.id ?? position).toBeLessThanOrEqual(position)
      }
      await gateway.close()
    }),
)
