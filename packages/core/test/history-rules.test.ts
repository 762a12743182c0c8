import type { TransportRequest, TransportSink } from '../src/upstream/http/transport.ts'
import { eventsOf } from '../src/upstream/events-of.ts'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DialectName } from '../src/upstream/openai/dialect.ts'
import { dialects } from '../src/upstream/openai/dialects.ts'
import { missingQuestion, missingRequest, missingResult } from '../src/upstream/history/history.ts'
import { ollama } from '../src/upstream/ollama/ollama.ts'
import { continueInstruction } from '../src/upstream/history/continuation.ts'
import { missingReply, openAiMessages } from '../src/upstream/openai/messages.ts'
import { openaiCompatible } from '../src/upstream/openai/openai.ts'
import type { UpstreamRequest } from '../src/upstream/upstream.ts'
import type { ToolCall } from '../src/wire/events.ts'
import type { ChatTurn, Role } from '../src/wire/messages.ts'
import { breaches, type Body, type Kind } from './support/dialect-rules.ts'
import { answering, type Answer } from './support/expected.ts'

// Any history -> the bodies that go up -> the rules of each server, which know nothing of how they were made.

const kinds: readonly Kind[] = [...(Object.keys(dialects) as DialectName[]), 'ollama /api/chat']
const note = '[interrupted by the user]'

/** Refuses to continue by the server's own means, so that it is asked in words as well. */
const refusal: Answer = {
  status: 400,
  type: 'application/json',
  pieces: [Buffer.from('{"error":{"message":"This model does not support assistant message prefill."}}')],
  ended: 'end',
}

/** What goes up: one body, or the native one and the one in words. */
async function bodiesOf(kind: Kind, request: Omit<UpstreamRequest, 'model'>): Promise<Body[]> {
  const bodies: Body[] = []
  const refuse = answering(() => refusal)
  // A model whose replies it goes on with.
  const model = kind === 'openrouter' ? 'anthropic/claude-sonnet-4.5' : 'm'
  const options = {
    model,
    transport: (asked: TransportRequest, sink: TransportSink) => {
      const body = JSON.parse(asked.body ?? '{}') as Body
      // Ollama is asked first how it renders a partial.
      if (asked.url.includes('/chat') && !('_debug_render_only' in body)) bodies.push(body)
      refuse(asked, sink)
    },
  }
  const upstream = kind === 'ollama /api/chat' ? ollama(options) : openaiCompatible({ ...options, dialect: kind })
  const reply = eventsOf(upstream, { model, ...request }, new AbortController().signal)
  await expect(reply[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'upstream_rejected' })
  return bodies
}

// Histories

const call = (id: string): ToolCall => ({ id, name: 'now', arguments: { at: id } })
/** What Mistral gets for the id `a`: it may as well be the own id of another call. */
const [shortOfA] = openAiMessages(
  [{ role: 'assistant', content: '', tool_calls: [call('a')] }],
  null,
  dialects.mistral.history,
).flatMap(({ tool_call_id: id }) => (typeof id === 'string' ? [id] : []))
const id = fc.constantFrom('a', 'b', shortOfA!, 'call_990c393e2c1c44f8b22a09c1', 'dnEN4JsJy', '__proto__')
const text = fc.oneof(
  fc.constantFrom('', ' ', '\n', 'Hi', 'Hi ', '\n Hi', note, missingResult),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
)
const turn: fc.Arbitrary<ChatTurn> = fc.oneof(
  fc.record({ role: fc.constantFrom<Role>('system', 'user'), content: text }),
  fc.record(
    {
      role: fc.constant<Role>('assistant'),
      content: text,
      interrupted: fc.constant<true>(true),
      thinking: text,
      tool_calls: fc.array(id.map(call), { maxLength: 3 }),
    },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record(
    { role: fc.constant<Role>('tool'), content: text, tool_call_id: id },
    { requiredKeys: ['role', 'content'] },
  ),
)

/** Every text is another one: where it goes can be told. */
const isBlank = ({ content }: ChatTurn): boolean => content.trim() === ''
const marked = (turns: readonly ChatTurn[]): ChatTurn[] =>
  turns.map((one, i) => (isBlank(one) ? one : { ...one, content: `«${i}»${one.content}` }))

/** Somebody asked something: any other history is refused at the gate. */
const history = fc
  .array(turn, { maxLength: 12 })
  .filter((turns) => turns.some(({ role }) => role === 'user'))
  .map(marked)
const request = fc.record({
  messages: history,
  prefill: fc.constantFrom('', '', 'Once', 'Once upon ', ' \n'),
  interruptedNote: fc.constantFrom(note, null),
  think: fc.constantFrom(undefined, true, false),
})

test.for(kinds)('history: any history, and any partial on top of it, is one that %s takes', async (kind) => {
  const holds = fc.asyncProperty(request, async (asked) => {
    const isContinuation = asked.prefill.trim() !== ''
    const bodies = await bodiesOf(kind, asked)
    expect(bodies.length).toBeGreaterThan(0)
    for (const body of bodies) expect([breaches(kind, body, isContinuation), body]).toEqual([[], body])
  })
  await fc.assert(holds, { numRuns: 400 })
})

/** All that a request may hold besides what was said. */
const added = ['\n\n', note, missingReply, missingQuestion, missingRequest, continueInstruction]

test.for(kinds)('history: what people and models said goes up to %s to the character, in order', async (kind) => {
  const holds = fc.asyncProperty(request, async (asked) => {
    const { messages, prefill } = asked
    const said = messages.filter((one) => (one.role === 'user' || one.role === 'assistant') && !isBlank(one))
    const texts = [...said.map(({ content }) => content), ...(prefill.trim() === '' ? [] : [prefill.trimEnd()])]
    for (const body of await bodiesOf(kind, asked)) {
      const spoken = body.messages.filter(({ role }) => role === 'user' || role === 'assistant')
      let rest = spoken.map(({ content }) => String(content)).join('\0')
      for (const one of texts) {
        const [before, ...after] = rest.split(one)
        expect([one, after.length]).not.toEqual([one, 0])
        // Nothing in front of it but gaps and what a server needs.
        expect(
          added
            .reduce((left, word) => left.replaceAll(word, ''), before!)
            .replaceAll('\0', '')
            .trim(),
        ).toBe('')
        rest = after.join(one)
      }
      expect(
        added
          .reduce((left, word) => left.replaceAll(word, ''), rest)
          .replaceAll('\0', '')
          .trim(),
      ).toBe('')
    }
  })
  await fc.assert(holds, { numRuns: 200 })
})

test.for(kinds)('history: the system messages go up to %s to the character, in order', async (kind) => {
  const holds = fc.asyncProperty(request, async (asked) => {
    const given = asked.messages.filter((one) => one.role === 'system' && !isBlank(one)).map(({ content }) => content)
    for (const { messages } of await bodiesOf(kind, asked)) {
      const sent = messages.filter(({ role }) => role === 'system').map(({ content }) => String(content))
      let rest = sent.join('\n\n')
      for (const one of given) {
        expect(rest).toContain(one)
        rest = rest.slice(rest.indexOf(one) + one.length)
      }
    }
  })
  await fc.assert(holds, { numRuns: 100 })
})

// The rules

const user = { role: 'user', content: 'a' }
const reply = { role: 'assistant', content: 'b' }
const called = { id: 'abcdefghi', type: 'function', function: { name: 'now', arguments: '{}' } }
const calling = { role: 'assistant', content: '', tool_calls: [called] }
const result = { role: 'tool', content: 'x', tool_call_id: 'abcdefghi' }
const system = { role: 'system', content: 's' }

test.for<[what: string, kind: Kind, body: Body, breach: RegExp]>([
  ['no message', 'openai', { messages: [] }, /no message/],
  ['two users', 'openai', { messages: [user, user] }, /two user in a row/],
  ['an empty reply', 'openai', { messages: [user, { ...reply, content: ' ' }, user] }, /an empty reply/],
  ['no content', 'ollama', { messages: [{ role: 'user', content: null }] }, /no text/],
  ['unsigned thinking', 'openai', { messages: [user, { ...reply, thinking: 'Hm' }, user] }, /the key thinking/],
  ['a call without its result', 'openai', { messages: [user, calling, user] }, /a call without its result/],
  ['a last call without its result', 'openai', { messages: [user, calling] }, /end: a call without/],
  ['a result without its call', 'openai', { messages: [user, result] }, /a result without its call/],
  ['a call twice', 'openai', { messages: [user, calling, result, calling, result] }, /twice/],
  ['a last reply', 'openai', { messages: [user, reply] }, /Expected last role/],
  ['a partial without its field', 'sglang', { messages: [user, reply] }, /continue_final_message is not true/],
  ['a partial without its field', 'mistral', { messages: [user, reply] }, /prefix is not true/],
  [
    'a partial with calls',
    'openrouter',
    { messages: [user, calling, result, { ...calling, content: 'x' }] },
    /contains tool calls/,
  ],
  [
    'a partial that ends in white space',
    'openrouter',
    { messages: [user, { ...reply, content: 'b ' }] },
    /white space/,
  ],
  ['a field of another server', 'openrouter', { messages: [user, { ...reply, prefix: true }] }, /another server/],
  [
    'a question that is continued',
    'llamacpp',
    { messages: [user], continue_final_message: true },
    /nothing to continue/,
  ],
  ['a late system message', 'vllm', { messages: [user, system, user] }, /at the beginning/],
  ['an assistant that begins', 'llamacpp', { messages: [system, reply, user] }, /must alternate/],
  ['a long id', 'mistral', { messages: [user, { ...calling, tool_calls: [{ ...called, id: 'a' }] }] }, /length of 9/],
  ['a user behind a result', 'mistral', { messages: [user, calling, result, user] }, /Unexpected role 'user'/],
  ['no thinking in a turn with calls', 'deepseek', { messages: [user, calling, result] }, /must be passed back/],
  [
    'thinking in another turn',
    'deepseek',
    { messages: [user, { ...reply, reasoning_content: 'Hm' }, user] },
    /reasoning/,
  ],
  ['arguments as text', 'ollama /api/chat', { messages: [user, calling, result] }, /words of another server/],
  ['a result without a name', 'ollama /api/chat', { messages: [user, calling, result] }, /name of its tool/],
])('history: the rules find %s (%s)', ([, kind, body, breach]) => {
  expect(breaches(kind, body, true).join('\n')).toMatch(breach)
})

test('history: the rules find nothing in what servers took', () => {
  expect(breaches('openai', { messages: [system, user, calling, result, reply, user] }, false)).toEqual([])
  expect(breaches('mistral', { messages: [user, { ...reply, prefix: true }] }, true)).toEqual([])
  expect(breaches('openrouter', { messages: [user, reply] }, true)).toEqual([])
})
