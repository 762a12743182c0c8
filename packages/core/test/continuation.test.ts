import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { GatewayOptions } from '../src/gateway/index.ts'
import { createRunLog } from '../src/run/run-log.ts'
import type { ScriptedReply } from '../src/testing/index.ts'
import { continuationPoint } from '../src/upstream/history/continuation.ts'
import { ollamaQuestion } from '../src/upstream/ollama/body.ts'
import type { UpstreamEvent, UpstreamRequest } from '../src/upstream/upstream.ts'
import { ChatError } from '../src/wire/errors.ts'
import type { LogEvent } from '../src/wire/events.ts'
import { createId } from '../src/wire/ids.ts'
import { turn } from './support/event-loop.ts'
import { frameReader, textOf } from './support/frames.ts'
import { bench as gatewayBench, type Bench, type Started } from './support/gateway-bench.ts'

// Where a continuation begins

const isPairCut = (text: string, at: number): boolean => /[\uD800-\uDBFF]$/.test(text.slice(0, at))
const pieces = fc.constantFrom(
  'a',
  'word',
  ' the',
  "'s",
  '春',
  '春光',
  '🌸',
  '👩‍🚀',
  '.',
  '**',
  '`x`',
  '- ',
  '\n',
  '\n\n',
  '.\n\n',
  ' ',
  '\u3000',
)

test('continuation point: it is the last end of a delta before trailing white space, wherever the partial was cut', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), fc.double({ min: 0, max: 1, noNaN: true }), (deltas, at) => {
      let whole = ''
      const ends = deltas.map((delta) => (whole += delta).length)
      const content = whole.slice(0, Math.round(at * whole.length))
      const point = continuationPoint(content, ends)
      const may = [0, ...ends].filter((end) => end <= content.length && !/\s$/.test(content.slice(0, end)))
      expect(point).toBe(Math.max(...may))
    }),
  )
})

test('continuation point: known ends or not, it is in the partial, never after white space, never inside a surrogate pair', () => {
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
      fc.nat({ max: 200 }),
      fc.option(
        fc.array(fc.nat({ max: 200 }), { maxLength: 30 }).map((ends) => ends.toSorted((a, b) => a - b)),
        { nil: undefined },
      ),
      (text, length, ends) => {
        const content = text.slice(0, length)
        const point = continuationPoint(content, ends)
        expect(point).toBeGreaterThanOrEqual(0)
        expect(point).toBeLessThanOrEqual(content.length)
        expect(content.slice(0, point)).toBe(content.slice(0, point).trimEnd())
        expect(isPairCut(content, point)).toBe(false)
      },
    ),
  )
})

test.for<[what: string, content: string, stays: string]>([
  ['an empty partial', '', ''],
  ['white space alone', ' \n\n', ''],
  ['one word, which may be the beginning of one', 'Hel', ''],
  ['a word at the end', 'There was once a fo', 'There was once a'],
  ['a whole sentence', 'There was a fox.', 'There was a fox.'],
  ['white space at the end, and the word before it', 'There was a fox \n', 'There was a'],
  ['a word with an apostrophe', "It's the fox's", "It's the"],
  ['a number', 'It costs 12', 'It costs'],
  ['Chinese, a token a character', '北京有很多著名景', '北京有很多著名景'],
  ['a Latin word in Chinese', '我用 Rea', '我用'],
  ['Chinese with a Latin word before it', '我用 React 写', '我用 React 写'],
  ['Korean and Thai', '안녕하세 สวัส', '안녕하세 สวัส'],
  ['a list item that has only begun', '- one\n- tw', '- one\n-'],
  ['markup that has only begun', 'This is **bo', 'This is **'],
  ['code', 'const a = fetch(', 'const a = fetch('],
  ['emoji', 'Well done 🌸', 'Well done 🌸'],
  ['half an emoji', 'Well done \uD83C', 'Well done'.slice(0, -5)],
])('continuation point: without known ends, of %s', ([, content, stays]) => {
  expect(content.slice(0, continuationPoint(content, undefined))).toBe(stays.trimEnd())
})

test('continuation point: at most 64 units are written again, where deltas are whole sentences or end in white space', () => {
  const long = 'There was once a fox called Eva, who lived in a house by the old lighthouse and had no fear of the sea'
  expect(long.slice(0, continuationPoint(long, [1_000]))).toBe(long.slice(0, -4))
  const words = 'one two three four five six seven eight nine ten '.repeat(3)
  const ends = Array.from(words.matchAll(/ /g), ({ index }) => index + 1)
  expect(words.slice(continuationPoint(words, ends))).toBe(' ten ')
  expect(continuationPoint(long, [20, 64])).toBe(64)
})

test('continuation point: what no language writes as one word stays whole', () => {
  for (const text of ['x'.repeat(100), 'ພາສາລາວ'.repeat(20)])
    expect(continuationPoint(text, undefined)).toBe(text.length)
})

test('continuation point: one long word is kept whole, and white space without end is taken back', () => {
  const text = `${'a'.repeat(100_000)}.`
  expect(continuationPoint(text, undefined)).toBe(text.length)
  expect(continuationPoint(' '.repeat(100_000), [5])).toBe(0)
})

test('delta ends: they are those of the text, whatever thinking, calls and resets stand between, and none is inside a pair', () => {
  const events: fc.Arbitrary<readonly LogEvent[]> = fc.oneof(
    pieces.map((message) => [{ message }]),
    fc.constant([{ message: '\uD83C' }, { message: '\uDF38' }]),
    pieces.map((thinking) => [{ thinking }]),
    fc.constant([{ reset: 'thinking' as const }]),
    fc.constant([{ data: { type: 'x' } }]),
  )
  fc.assert(
    fc.property(fc.array(events, { maxLength: 30 }), fc.nat({ max: 60 }), (all, at) => {
      const log = createRunLog()
      const expected = new Set<number>()
      for (const event of all.flat()) {
        const before = log.partial().content.length
        log.append(event)
        const { length } = log.partial().content
        if (length > before) expected.add(length)
      }
      log.cut(log.place(at))
      const { content } = log.partial()
      expect(log.deltaEnds()).toEqual([...expected].filter((end) => end <= content.length))
      for (const end of log.deltaEnds()) expect(isPairCut(content, end)).toBe(false)
    }),
  )
})

// Through the gateway

interface Bed extends Omit<Bench, 'interrupt'> {
  /** Starts a run, lets it say these deltas, and interrupts it at a position. */
  interrupted(
    deltas: readonly (UpstreamEvent | string)[],
    position?: number,
    body?: Record<string, unknown>,
  ): Promise<Started>
  interrupt(runId: string, position?: number): Promise<void>
}

function bench(options: Partial<GatewayOptions> = {}): Bed {
  const bed = gatewayBench({ coalesce: { windowMs: 0 }, recovery: undefined, ...options })
  const interrupt: Bed['interrupt'] = async (runId, position) => {
    await bed.interrupt(runId, JSON.stringify({ position }))
  }
  return {
    ...bed,
    interrupt,
    async interrupted(deltas, position, body = { messages: [question] }) {
      const started = await bed.start(body)
      started.reply.send(...deltas)
      await turn()
      await interrupt(started.runId, position)
      return started
    },
  }
}

const question = { role: 'user', content: 'Tell me a story' }
const partial = (content: string, more: object = {}): object => ({ role: 'assistant', content, ...more })
const growing = (content: string, sessionId?: string): Record<string, unknown> => ({
  messages: [question, partial(content, { interrupted: true })],
  resume: 'continue',
  ...(sessionId && { session_id: sessionId }),
})

test('continue: the model is asked from the last delta of the kept run, and the first frame says so', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was', ' once', ' a', ' f', 'ox'], 19)
  const { first, frames, reply, runId } = await bed.start(growing('There was once a fo', before.sessionId))
  expect(first).toMatchObject({ session_id: before.sessionId, continues: { run_id: before.runId, position: 18 } })
  expect(first.run_id).not.toBe(before.runId)
  expect(reply.request).toMatchObject({ prefill: 'There was once a f', messages: [question] })
  reply.send('ox', ' called Eva')
  reply.finish()
  expect(await frames.rest()).toContainEqual({ id: 13, event: { message: 'ox called Eva' } })
  // Its log holds the new text only.
  expect(textOf(await frameReader((await bed.call(`/runs/${runId}`)).body).rest())).toBe('ox called Eva')
})

test('continue: white space at the end of the partial does not go up, and the model writes it again', async () => {
  const bed = bench()
  const before = await bed.interrupted(['One', '.', '\n\n', 'Two'], 6)
  const { first, reply } = await bed.start(growing('One.\n\n', before.sessionId))
  expect(first.continues).toEqual({ run_id: before.runId, position: 4 })
  expect(reply.request.prefill).toBe('One.')
})

test('continue: a partial that was cut in its first delta is written again from the start', async () => {
  const bed = bench()
  const before = await bed.interrupted(['Hello', ' there'], 3)
  const { first, reply } = await bed.start(growing('Hel', before.sessionId))
  expect(first.continues).toEqual({ run_id: before.runId, position: 0 })
  expect(reply.request).toMatchObject({ prefill: '', messages: [question] })
})

test('continue: thinking before the text is not counted', async () => {
  const bed = bench()
  const before = await bed.interrupted([{ thinking: 'Hm, a' }, { thinking: ' story' }, 'There', ' was', ' o'])
  const { first, reply } = await bed.start(growing('There was o', before.sessionId))
  expect(first.continues).toEqual({ run_id: before.runId, position: 11 })
  expect(reply.request.prefill).toBe('There was o')
})

test('continue: after a run that failed, was dropped or ran out of tokens, it is the same', async () => {
  const ends: ((bed: Bed, run: Started) => unknown)[] = [
    (_bed, { reply }) => reply.fail(new ChatError('upstream_failed', 'No.')),
    (_bed, { frames }) => frames.cancel(),
    (_bed, { reply }) => reply.finish('length'),
    (_bed, { reply }) => reply.send({ malformed: 'a' }, { malformed: 'b' }, { malformed: 'c' }),
  ]
  for (const end of ends) {
    const bed = bench()
    const before = await bed.start({ messages: [question] })
    before.reply.send('There', ' wa')
    await before.frames.until((event) => event.message !== undefined)
    await end(bed, before)
    await before.reply.left
    const { first, reply } = await bed.start(growing('There wa', before.sessionId))
    expect(first.continues).toEqual({ run_id: before.runId, position: 8 })
    expect(reply.request.prefill).toBe('There wa')
  }
})

test('continue: of a run that still goes on, interrupts ends it and the same request grows it', async () => {
  const bed = bench()
  const before = await bed.start({ messages: [question] })
  before.reply.send('There', ' was', ' once')
  await turn()
  const { first, reply } = await bed.start({
    ...growing('There was o', before.sessionId),
    interrupts: { run_id: before.runId, position: 11 },
  })
  expect(first.continues).toEqual({ run_id: before.runId, position: 9 })
  expect(reply.request.prefill).toBe('There was')
  expect((await before.frames.rest()).at(-1)?.event).toMatchObject({ by: 'superseded', position: 11 })
})

test('continue: after a restart of the gateway the last word is written again', async () => {
  const { start } = bench()
  const sessionId = createId('sess')
  const { first, reply } = await start(growing('There was once a fo', sessionId))
  expect(first).toMatchObject({ session_id: sessionId, continues: { position: 16 } })
  expect(first.continues).not.toHaveProperty('run_id')
  expect(reply.request.prefill).toBe('There was once a')
})

test('continue: of a run that is no longer kept, the last word is written again', async () => {
  const bed = bench({ keep: { keepRunMs: 1_000 } })
  const before = await bed.interrupted(['There', ' was', ' on'])
  bed.clock.advance(1_000)
  const { first } = await bed.start(growing('There was on', before.sessionId))
  expect(first.continues).toEqual({ position: 9 })
})

test('continue: without a session the last word is written again', async () => {
  const bed = bench()
  await bed.interrupted(['There', ' was', ' on'])
  expect((await bed.start(growing('There was on'))).first.continues).toEqual({ position: 9 })
})

test('continue: of a partial that the app has edited, the deltas are not known', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was', ' on'])
  const { first, reply } = await bed.start(growing('Here was on', before.sessionId))
  expect(first.continues?.position).toBe(8)
  expect(reply.request.prefill).toBe('Here was')
})

test('continue: what a continuation left is continued from its own deltas, again and again', async () => {
  const bed = bench()
  const one = await bed.interrupted(['There', ' was', ' once'], 11)
  const two = await bed.interrupted([' once', ' a', ' fox'], 9, growing('There was o', one.sessionId))
  expect(two.first.continues).toEqual({ run_id: one.runId, position: 9 })
  // 9 units stay, and 9 new ones were seen.
  const three = await bed.interrupted([' fox', ' call'], undefined, growing('There was once a f', one.sessionId))
  expect(three.first.continues).toEqual({ run_id: two.runId, position: 16 })
  expect(three.reply.request.prefill).toBe('There was once a')
  const four = await bed.start(growing('There was once a fox call', one.sessionId))
  expect(four.first.continues).toEqual({ run_id: three.runId, position: 25 })
  expect(four.reply.request).toMatchObject({ prefill: 'There was once a fox call', messages: [question] })
})

test('continue: interrupted before it said anything, again and again, it takes no further word away', async () => {
  const bed = bench()
  const { sessionId } = await bed.interrupted(['There', ' was', ' once'])
  for (let i = 0; i < 3; i++) {
    const { first, reply } = await bed.interrupted([], 0, growing('There was once', sessionId))
    expect(first.continues?.position).toBe(14)
    expect(reply.request.prefill).toBe('There was once')
  }
})

test('continue: a partial cut back behind what the last run added is continued all the same', async () => {
  const bed = bench()
  const one = await bed.interrupted(['There', ' was', ' once'])
  await bed.interrupted([' a', ' fox'], undefined, growing('There was once', one.sessionId))
  const { first } = await bed.start(growing('There wa', one.sessionId))
  expect(first.continues?.position).toBe(5)
})

const died = (): ChatError => new ChatError('upstream_unreachable', 'Gone.', { retryable: true })

test('continue: when the model server dies meanwhile, all of the text so far goes up', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was'])
  const { frames, reply } = await bed.start(growing('There was', before.sessionId))
  reply.send(' once ')
  reply.fail(died())
  const retry = (await frames.until((event) => event.attempt !== undefined)).at(-1)
  expect(retry?.event.status).toBe('recovering')
  // A wait ends up to 10 ms late.
  bed.clock.advance((retry?.event.retry_in_ms ?? 0) + 10)
  const again = await bed.upstream.next()
  expect(again.request).toMatchObject({ prefill: 'There was once', messages: [question] })
  again.send(' a fox')
  again.finish()
  expect(textOf(await frames.rest())).toBe('a fox')
})

test('continue: when the server dies before it said anything, the same goes up again, thinking or not', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was'])
  const { frames, reply } = await bed.start(growing('There was', before.sessionId))
  reply.send({ thinking: 'Hm' }, ' ')
  reply.fail(died())
  const retry = (await frames.until((event) => event.attempt !== undefined)).at(-1)
  // A wait ends up to 10 ms late.
  bed.clock.advance((retry?.event.retry_in_ms ?? 0) + 10)
  expect((await bed.upstream.next()).request.prefill).toBe('There was')
})

test('continue: one JSON answer holds the new text and what it continues', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was', ' on'], 11)
  const answer = bed.post({ ...growing('There was o', before.sessionId), stream: false })
  const reply = await bed.upstream.next()
  expect(reply.request.prefill).toBe('There was')
  reply.send(' once')
  reply.finish()
  expect(await (await answer).json()).toMatchObject({
    message: { role: 'assistant', content: ' once' },
    continues: { run_id: before.runId, position: 9 },
  })
})

test('continue: a reader that comes later is told what it continues, too', async () => {
  const bed = bench()
  const before = await bed.interrupted(['There', ' was'])
  const { runId, reply } = await bed.start(growing('There was', before.sessionId))
  reply.finish()
  const late = frameReader((await bed.call(`/runs/${runId}`)).body)
  expect((await late.next())?.event.continues).toEqual({ run_id: before.runId, position: 9 })
})

test('continue: a run that grows nothing says no continues', async () => {
  const { first } = await bench().start({ messages: [question] })
  expect(first).not.toHaveProperty('continues')
})

// The note, and what the session knows

const note = '[interrupted by the user]'
const wentUp = ({ request }: ScriptedReply): unknown => ollamaQuestion(request, 'native', '').body['messages']

test('continue: no note is put behind the partial that grows, flagged or not', async () => {
  for (const interrupted of [{ interrupted: true }, {}]) {
    const bed = bench()
    const before = await bed.interrupted(['There', ' was'])
    const messages = [question, partial('There was', interrupted)]
    const { reply } = await bed.start({ messages, resume: 'continue', session_id: before.sessionId })
    expect(wentUp(reply)).toEqual([question, { role: 'assistant', content: 'There was' }])
  }
})

test('continue: an earlier reply with the very text of the partial is not taken for it', async () => {
  const bed = bench()
  const before = await bed.interrupted(['Yes', '.'], undefined, { messages: [question, partial('Yes.'), question] })
  const messages = [question, partial('Yes.'), question, partial('Yes.')]
  const { reply } = await bed.start({ messages, resume: 'continue', session_id: before.sessionId })
  expect(wentUp(reply)).toEqual(messages)
})

test('continue: a note that the app asks for behind an earlier reply goes up', async () => {
  const messages = [question, partial('Once', { interrupted: true }), question, partial('Twice upon.')]
  const { reply } = await bench().start({ messages, resume: 'continue' })
  expect(wentUp(reply)).toEqual([question, partial(`Once\n\n${note}`), question, partial('Twice upon.')])
})

test('continue: the system prompt of the gateway goes up with it', async () => {
  const { reply } = await bench({ system: 'Be brief.' }).start(growing('There was.'))
  expect(wentUp(reply)).toEqual([{ role: 'system', content: 'Be brief.' }, question, partial('There was.')])
})

test('continue: after an interrupted continuation the gateway knows the whole reply, and tells the model of the cut', async () => {
  const bed = bench()
  const one = await bed.interrupted(['There', ' was', ' once'], 11)
  await bed.interrupted([' once', ' a', ' fox'], 9, growing('There was o', one.sessionId))
  const whole = 'There was once a f'
  const { reply } = await bed.start({ messages: [question, partial(whole), question], session_id: one.sessionId })
  expect(wentUp(reply)).toEqual([question, partial(`${whole}\n\n${note}`), question])
})

test('continue: after a continuation that was not interrupted the model is told of no cut', async () => {
  const bed = bench()
  const one = await bed.interrupted(['There', ' was'])
  const { frames, reply } = await bed.start(growing('There was', one.sessionId))
  reply.send(' one.')
  reply.finish()
  await frames.rest()
  const messages = [question, partial('There was one.'), question]
  expect(wentUp((await bed.start({ messages, session_id: one.sessionId })).reply)).toEqual(messages)
})

// What is refused

test.for<[what: string, body: Record<string, unknown>]>([
  ['whose last message is of the user', { messages: [question], resume: 'continue' }],
  [
    'whose last message has tool calls',
    { messages: [question, partial('', { tool_calls: [{ id: 'c', name: 'n', arguments: {} }] })], resume: 'continue' },
  ],
  ['with another word', { messages: [question, partial('a')], resume: 'again' }],
  ['that says true', { messages: [question, partial('a')], resume: true }],
  ['without messages', { messages: [], resume: 'continue' }],
])('continue: one %s is 400, and the upstream is not asked', async ([, body]) => {
  const bed = bench()
  const response = await bed.post(body)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { code: 'bad_request', retryable: false } })
  expect(bed.upstream.replies).toHaveLength(0)
})

test('continue: a last message of the assistant without resume is 400', async () => {
  expect((await bench().post({ messages: [question, partial('a')] })).status).toBe(400)
})

test('continue: an empty partial is 400', async () => {
  const answer = await bench().post(growing(''))
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'bad_request' } }])
})

// Ollama's words

const request: UpstreamRequest = {
  model: 'qwen3',
  messages: [{ role: 'user', content: 'Hello' }],
  prefill: '',
  interruptedNote: note,
}

test('ollama: a prefill is a trailing assistant message, without thinking', () => {
  expect(ollamaQuestion({ ...request, prefill: 'Hel' }, 'native', '').body).toEqual({
    model: 'qwen3',
    stream: true,
    messages: [...request.messages, { role: 'assistant', content: 'Hel' }],
    think: false,
  })
})

test.for([true, false, 'high'])(
  'ollama: think %s goes up with a reply from the start, and never with a prefill',
  (think) => {
    expect(ollamaQuestion({ ...request, think }, 'native', '').body['think']).toBe(think)
    expect(ollamaQuestion({ ...request, think, prefill: 'Hel' }, 'native', '').body['think']).toBe(false)
  },
)

test('ollama: without a prefill nothing is said of thinking', () => {
  expect(ollamaQuestion(request, 'native', '').body).not.toHaveProperty('think')
})

test('ollama: a history that ends in a reply is never two assistant messages in a row', () => {
  const messages = [...request.messages, { role: 'assistant' as const, content: 'One.', interrupted: true as const }]
  expect(ollamaQuestion({ ...request, messages, prefill: 'Two' }, 'native', '').body['messages']).toEqual([
    ...request.messages,
    { role: 'assistant', content: `One.\n\n${note}\n\nTwo` },
  ])
})
