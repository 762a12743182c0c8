import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { anthropicQuestion } from '../src/upstream/anthropic/body.ts'
import { withToldNames } from '../src/upstream/history/call-names.ts'
import { lostResult, missingQuestion, missingRequest, missingResult } from '../src/upstream/history/history.ts'
import type { UpstreamRequest } from '../src/upstream/upstream.ts'
import type { ChatTurn, Role } from '../src/wire/messages.ts'
import { anthropicBreaches } from './support/anthropic-rules.ts'

const note = '[interrupted by the user]'
const instruction = 'Go on.'
const user = (content: string): ChatTurn => ({ role: 'user', content })
const reply = (content: string, more: Partial<ChatTurn> = {}): ChatTurn => ({ role: 'assistant', content, ...more })
const call = (id: string, name = 'now') => ({ id, name, arguments: {} })
const result = (id: string, content: string): ChatTurn => ({ role: 'tool', content, tool_call_id: id })
const request: UpstreamRequest = { model: 'claude-sonnet-4-5', messages: [], prefill: '', interruptedNote: null }

interface Body {
  readonly system?: string
  readonly thinking?: unknown
  readonly output_config?: unknown
  readonly tools?: unknown
  readonly tool_choice?: unknown
  readonly max_tokens: number
  readonly messages: readonly { readonly role: string; readonly content: readonly Record<string, unknown>[] }[]
}
interface Options {
  readonly way?: 'native' | 'instruction'
  readonly extra?: Record<string, unknown>
  readonly maxTokens?: number
}
const question = (more: Partial<UpstreamRequest>, { way = 'native', extra = {}, maxTokens = 4_096 }: Options = {}) =>
  anthropicQuestion({ ...request, ...more }, { way, instruction, extra, maxTokens })
const bodyOf = (more: Partial<UpstreamRequest>, options?: Options): Body =>
  JSON.parse(JSON.stringify(question(more, options).body)) as Body
const messagesOf = (messages: readonly ChatTurn[], more: Partial<UpstreamRequest> = {}): Body['messages'] =>
  bodyOf({ messages, ...more }).messages
const text = (words: string): Record<string, unknown> => ({ type: 'text', text: words })
const said = (role: 'user' | 'assistant', ...content: Record<string, unknown>[]): unknown => ({ role, content })

// Any history

const words = fc.oneof(
  fc.constantFrom('', ' ', '\n', 'Hi', 'Hi ', note, missingResult),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
)
const id = fc.constantFrom('a', 'b', 'functions.f:0', 'functions_f_0', '', '春')
const name = fc.constantFrom('now', 'a.b', '', 'n'.repeat(80))
const turn: fc.Arbitrary<ChatTurn> = fc.oneof(
  fc.record({ role: fc.constantFrom<Role>('system', 'user'), content: words }),
  fc.record(
    {
      role: fc.constant<Role>('assistant'),
      content: words,
      interrupted: fc.constant<true>(true),
      thinking: words,
      tool_calls: fc.array(
        fc.record({ id, name, arguments: fc.dictionary(fc.string({ maxLength: 3 }), fc.integer()) }),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.record(
    { role: fc.constant<Role>('tool'), content: words, tool_call_id: id },
    { requiredKeys: ['role', 'content'] },
  ),
)
const anyRequest: fc.Arbitrary<UpstreamRequest> = fc.record({
  model: fc.constantFrom('claude-sonnet-4-5', 'claude-opus-5-5', 'glm-5'),
  messages: fc.array(turn, { maxLength: 12 }),
  tools: fc.constantFrom(undefined, [], [{ name: 'now' }]),
  think: fc.constantFrom(undefined, false, true, 'low', 'max'),
  options: fc.constantFrom(undefined, { max_tokens: 1_025 }, { temperature: 1 }),
  prefill: words,
  interruptedNote: fc.constantFrom(note, null),
})
const anyOptions = fc.record({
  way: fc.constantFrom<'native' | 'instruction'>('native', 'instruction'),
  extra: fc.constantFrom({}, { thinking: { type: 'enabled', budget_tokens: 1_024 } }),
})

test('anthropic: any history becomes a request that the API takes', () => {
  fc.assert(
    fc.property(anyRequest, anyOptions, (any, options) => {
      // As every request goes up.
      const named = withToldNames(any)
      expect(anthropicBreaches(JSON.stringify(question(named, options).body))).toEqual([])
    }),
    { numRuns: 3_000 },
  )
})

test("anthropic: a prefill goes up without thinking, also without the app's own", () => {
  fc.assert(
    fc.property(anyRequest, anyOptions, (any, options) => {
      const { messages, thinking } = bodyOf(any, options)
      expect(messages.at(-1)?.role === 'assistant' && thinking !== undefined).toBe(false)
      expect(messages.at(-1)?.role === 'assistant').toBe(options.way === 'native' && any.prefill.trim() !== '')
    }),
  )
})

test('anthropic: what people and models said stays to the character, in order', () => {
  const textsOf = (messages: Body['messages'], role: string): string =>
    messages
      .filter((message) => message.role === role)
      .flatMap(({ content }) => content)
      .flatMap((block) => (block['type'] === 'text' ? [block['text']] : []))
      .filter((words) => words !== missingQuestion && words !== missingRequest)
      .join('\n\n')
  fc.assert(
    fc.property(anyRequest, (any) => {
      const body = bodyOf(any)
      const shown = any.messages.filter(({ content }) => content.trim() !== '')
      const own = (role: Role): string[] =>
        shown
          .filter((one) => one.role === role)
          .map(({ content, interrupted, role: whose }) =>
            whose === 'assistant' && interrupted && any.interruptedNote !== null ? `${content}\n\n${note}` : content,
          )
      const begun = any.prefill.trimEnd()
      expect(body.system ?? '').toBe(own('system').join('\n\n'))
      expect(textsOf(body.messages, 'user')).toBe(own('user').join('\n\n'))
      expect(textsOf(body.messages, 'assistant')).toBe(
        [...own('assistant'), ...(begun === '' ? [] : [begun])].join('\n\n'),
      )
    }),
    { numRuns: 1_000 },
  )
})

test.for<[string, object]>([
  ['the assistant first', { messages: [said('assistant', text('a')), said('user', text('a'))] }],
  ['two neighbours', { messages: [said('user', text('a')), said('user', text('a'))] }],
  ['a system message among them', { messages: [{ role: 'system', content: 'a' }] }],
  ['no text', { messages: [said('user')] }],
  ['white space for a text', { messages: [said('user', text(' '))] }],
  ['white space at the end of a prefill', { messages: [said('user', text('a')), said('assistant', text('a '))] }],
  [
    'a call without a result',
    {
      messages: [
        said('user', text('a')),
        said('assistant', { type: 'tool_use', id: 'a', name: 'n', input: {} }),
        said('user', text('a')),
      ],
      tools: [{ name: 'n', input_schema: {} }],
    },
  ],
  [
    'a result without a call',
    {
      messages: [said('user', { type: 'tool_result', tool_use_id: 'a' })],
      tools: [{ name: 'n', input_schema: {} }],
    },
  ],
  [
    'thinking without a signature',
    {
      messages: [
        said('user', text('a')),
        said('assistant', { type: 'thinking', thinking: 'Hm' }, text('a')),
        said('user', text('a')),
      ],
    },
  ],
  [
    'a budget as large as the answer',
    {
      messages: [said('user', text('a'))],
      thinking: { type: 'enabled', budget_tokens: 4_096 },
    },
  ],
])('anthropic: the validator finds %s', ([, body]) => {
  const breaches = anthropicBreaches(JSON.stringify({ model: 'm', max_tokens: 4_096, ...body }))
  expect(breaches.length).toBeGreaterThanOrEqual(1)
})

// Each rule by itself

test('anthropic: system messages are no messages, and what was on both sides of one becomes one', () => {
  const body = bodyOf({
    messages: [
      { role: 'system', content: 'Be brief.' },
      user('a'),
      { role: 'system', content: 'Be kind.' },
      user('b'),
      { role: 'system', content: ' ' },
    ],
  })
  expect(body.system).toBe('Be brief.\n\nBe kind.')
  expect(body.messages).toEqual([said('user', text('a\n\nb'))])
  expect(bodyOf({ messages: [user('a')] })).not.toHaveProperty('system')
})

test('anthropic: calls and results are blocks, and all results begin the next turn of the user', () => {
  const calls = [call('a'), call('b', 'then')]
  expect(
    messagesOf([user('q'), reply('Wait', { tool_calls: calls }), result('b', '2'), result('a', ''), user('and?')]),
  ).toEqual([
    said('user', text('q')),
    said(
      'assistant',
      text('Wait'),
      { type: 'tool_use', id: 'a', name: 'now', input: {} },
      { type: 'tool_use', id: 'b', name: 'then', input: {} },
    ),
    said(
      'user',
      { type: 'tool_result', tool_use_id: 'a' },
      { type: 'tool_result', tool_use_id: 'b', content: '2' },
      text('and?'),
    ),
  ])
})

test('anthropic: a call that was cut off before it had run gets a result', () => {
  expect(messagesOf([user('q'), reply(' ', { tool_calls: [call('a')] }), user('stop')]).slice(1)).toEqual([
    said('assistant', { type: 'tool_use', id: 'a', name: 'now', input: {} }),
    said('user', { type: 'tool_result', tool_use_id: 'a', content: lostResult }, text('stop')),
  ])
})

test('anthropic: ids of other servers become such that it takes, and different ids stay different', () => {
  const calls = [call('f:0'), call('f_0'), call('f.0')]
  const [, assistant, results] = messagesOf([user('q'), reply('', { tool_calls: calls }), result('f:0', '1')])
  expect(assistant?.content.map(({ id, name }) => [id, name])).toEqual([
    ['f_0_2', 'now'],
    ['f_0', 'now'],
    ['f_0_3', 'now'],
  ])
  expect(results?.content.map(({ tool_use_id, content }) => [tool_use_id, content])).toEqual([
    ['f_0_2', '1'],
    ['f_0', lostResult],
    ['f_0_3', lostResult],
  ])
})

test('anthropic: thinking is unsigned and stays here; a reply that is nothing else is dropped with it', () => {
  expect(messagesOf([user('a'), reply('b', { thinking: 'Hm' }), user('c')])[1]).toEqual(said('assistant', text('b')))
  expect(messagesOf([user('a'), reply(' ', { thinking: 'Hm' }), user('c')])).toEqual([said('user', text('a\n\nc'))])
})

test('anthropic: white space at the end of a reply stays, but for a prefill', () => {
  expect(messagesOf([user('a'), reply('b \n'), user('c')])[1]).toEqual(said('assistant', text('b \n')))
  const { sent, tail } = question({ messages: [user('a')], prefill: 'b \n' })
  expect([sent, tail]).toEqual(['b', ' \n'])
  expect(messagesOf([user('a')], { prefill: 'b \n' }).at(-1)).toEqual(said('assistant', text('b')))
})

test('anthropic: the note stands behind a reply that a person cut off, and behind no other one', () => {
  const turns = [user('a'), reply('b', { interrupted: true }), user('c'), reply('d'), user('e')]
  const messages = messagesOf(turns, { interruptedNote: note })
  expect(messages[1]).toEqual(said('assistant', text(`b\n\n${note}`)))
  expect(messages[3]).toEqual(said('assistant', text('d')))
  expect(messagesOf(turns)[1]).toEqual(said('assistant', text('b')))
})

test('anthropic: the user begins and ends, also where there was no message, or a blank one', () => {
  expect(messagesOf([reply('Welcome'), user('Hi')])).toEqual([
    said('user', text(missingQuestion)),
    said('assistant', text('Welcome')),
    said('user', text('Hi')),
  ])
  expect(messagesOf([user('Hi'), reply('Hello'), user(' ')]).at(-1)).toEqual(said('user', text(missingRequest)))
  expect(messagesOf([])).toEqual([said('user', text(missingQuestion))])
})

test('anthropic: a reply that has begun is asked for in words where the model does not take it', () => {
  const body = bodyOf({ messages: [user('a')], prefill: 'b ', think: true }, { way: 'instruction' })
  expect(body.messages).toEqual([
    said('user', text('a')),
    said('assistant', text('b')),
    said('user', text(instruction)),
  ])
  expect(body.thinking).toBeDefined()
})

// Tools, thinking, the app's own fields

test('anthropic: tools have an input schema', () => {
  const schema = { type: 'object', properties: { x: { type: 'number' } } }
  const tools = [{ name: 'f', description: 'does', parameters: schema }, { name: 'g' }]
  const own = { type: 'web_search_20250305', name: 'web_search' }
  const written = [
    { name: 'f', description: 'does', input_schema: schema },
    { name: 'g', input_schema: { type: 'object', properties: {} } },
  ]
  expect(bodyOf({ tools }).tools).toEqual(written)
  expect(bodyOf({ tools }, { extra: { tools: [own] } }).tools).toEqual([own, ...written])
  expect(bodyOf({}, { extra: { tools: [own] } }).tools).toEqual([own])
})

test('anthropic: tools that only the history knows are declared, and may not be called', () => {
  const messages = [user('q'), reply('', { tool_calls: [call('a'), call('b'), call('c', 'then')] }), user('r')]
  expect(bodyOf({ messages })).toMatchObject({
    tools: [{ name: 'now' }, { name: 'then' }],
    tool_choice: { type: 'none' },
  })
  expect(bodyOf({ messages, tools: [{ name: 'x' }] })).not.toHaveProperty('tool_choice')
  expect(bodyOf({ messages: [user('q')] })).not.toHaveProperty('tools')
})

const adaptive = { thinking: { type: 'adaptive', display: 'summarized' } }
const budget = (tokens: number): object => ({ thinking: { type: 'enabled', budget_tokens: tokens } })
test.for<[string, boolean | string | undefined, object]>([
  ['claude-sonnet-4-5-20250929', true, budget(2_048)],
  ['claude-3-7-sonnet-20250219', 'low', budget(1_024)],
  ['claude-opus-4-20250514', 'high', budget(3_072)],
  ['claude-haiku-4-5', 'level of tomorrow', budget(2_048)],
  ['glm-5', true, budget(2_048)],
  ['claude-opus-4-6', true, adaptive],
  ['anthropic.claude-sonnet-4-6-v1', 'low', { ...adaptive, output_config: { effort: 'low' } }],
  ['claude-mythos-preview', true, adaptive],
  ['claude-fable-5-2', 'max', { ...adaptive, output_config: { effort: 'max' } }],
  ['claude-opus-5', false, { thinking: { type: 'disabled' } }],
  ['claude-sonnet-5', false, { thinking: { type: 'disabled' } }],
  ['claude-haiku-5-5', false, { thinking: { type: 'disabled' } }],
  ['claude-sonnet-5-5', false, { thinking: { type: 'between_tools' } }],
  ['claude-opus-5-5', false, {}],
  ['claude-fable-5-1', false, {}],
  ['claude-opus-4-8', false, {}],
  ['claude-sonnet-4-5', false, {}],
  ['glm-5', false, {}],
  ['claude-opus-5', undefined, {}],
])('anthropic: thinking of %s, asked for as %s', ([model, think, fields]) => {
  const { thinking, output_config } = bodyOf({ model, think, messages: [user('a')] })
  expect({ thinking, output_config }).toEqual({ thinking: undefined, output_config: undefined, ...fields })
})

test('anthropic: a budget that has no room, or comes in the middle of a turn with tools, is left out', () => {
  const think = true
  expect(bodyOf({ think }, { maxTokens: 1_024 }).thinking).toBeUndefined()
  expect(bodyOf({ think }, { maxTokens: 1_025 }).thinking).toEqual({ type: 'enabled', budget_tokens: 1_024 })
  const messages = [user('q'), reply('', { tool_calls: [call('a')] }), result('a', '1')]
  expect(bodyOf({ think, messages }).thinking).toBeUndefined()
  expect(bodyOf({ messages }, { extra: { thinking: { type: 'enabled' } } }).thinking).toBeUndefined()
  expect(bodyOf({ think, messages, model: 'claude-opus-5' }).thinking).toBeDefined()
  expect(bodyOf({ think, messages: [...messages, reply('x'), user('y')] }).thinking).toBeDefined()
})

test("anthropic: the request's options win over the app's fields, and neither changes what the gateway relies on", () => {
  const extra = {
    max_tokens: 9,
    temperature: 0,
    stream: false,
    model: 'x',
    system: 'own',
    output_config: { format: 'f' },
  }
  expect(bodyOf({ messages: [user('a')], options: { temperature: 1 } }, { extra })).toMatchObject({
    max_tokens: 9,
    temperature: 1,
    stream: true,
    model: 'claude-sonnet-4-5',
    system: 'own',
  })
  expect(bodyOf({ messages: [{ role: 'system', content: 's' }] }, { extra }).system).toBe('s')
  expect(bodyOf({ model: 'claude-opus-5', think: 'low' }, { extra }).output_config).toEqual({
    format: 'f',
    effort: 'low',
  })
})
