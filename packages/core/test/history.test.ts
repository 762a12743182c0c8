import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { lostResult, missingResult, normaliseHistory } from '../src/upstream/history/history.ts'
import type { ChatTurn, Role } from '../src/wire/messages.ts'

const note = '[interrupted by the user]'
const user = (content: string): ChatTurn => ({ role: 'user', content })
const reply = (content: string, more: Partial<ChatTurn> = {}): ChatTurn => ({ role: 'assistant', content, ...more })
const call = (id: string) => ({ id, name: 'now', arguments: {} })
const result = (id: string, content: string): ChatTurn => ({ role: 'tool', content, tool_call_id: id })

const text = fc.oneof(
  fc.constantFrom('', ' ', '\n', 'Hi', note, missingResult),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
)
const id = fc.constantFrom('a', 'b', 'c')
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
const history = fc.array(turn, { maxLength: 12 })
/** White space beside a call is dropped when the call is, so there is none in what must stay. */
const spoken = history.map((turns) => turns.map((one) => (one.content.trim() === '' ? { ...one, content: '' } : one)))
const anyNote = fc.constantFrom(note, null)
const isKept = ({ role, content, tool_calls: calls = [] }: ChatTurn): boolean =>
  role !== 'tool' && (role !== 'assistant' || content.trim() !== '' || calls.length > 0)
const textsOf = (turns: readonly ChatTurn[], role: Role): string =>
  turns
    .filter((one) => one.role === role && one.content !== '')
    .map(({ content }) => content)
    .join('\n\n')

test('history: normalising it again changes nothing', () => {
  fc.assert(
    fc.property(history, anyNote, anyNote, (turns, said, again) => {
      const once = normaliseHistory(turns, said)
      expect(normaliseHistory(once, again)).toEqual(once)
    }),
    { numRuns: 1_000 },
  )
})

test('history: what people and models said stays to the character, in order; only gaps and the note are added', () => {
  fc.assert(
    fc.property(spoken, anyNote, (turns, said) => {
      const made = normaliseHistory(turns, said)
      const noted = structuredClone(turns.filter(isKept)) as { -readonly [Key in keyof ChatTurn]: ChatTurn[Key] }[]
      for (const one of noted) {
        const isCut = said !== null && one.role === 'assistant' && one.interrupted && one.content.trim() !== ''
        if (isCut) one.content += `\n\n${said}`
      }
      for (const role of ['system', 'user', 'assistant'] as const) {
        expect(textsOf(made, role)).toBe(textsOf(noted, role))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('history: the order of what was said stays', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<Role>('system', 'user', 'assistant')), (roles) => {
      const made = normaliseHistory(
        roles.map((role, i) => ({ role, content: `<${i}>` })),
        null,
      )
      expect(made.map(({ content }) => content).join('\n\n')).toBe(roles.map((_, i) => `<${i}>`).join('\n\n'))
    }),
  )
})

test('history: results are those of the app, or say that there is none', () => {
  fc.assert(
    fc.property(history, (turns) => {
      const given = turns.filter(({ role }) => role === 'tool').map(({ content }) => content)
      for (const { role, content } of normaliseHistory(turns, null)) {
        if (role === 'tool') expect([...given, missingResult, lostResult]).toContain(content)
      }
    }),
  )
})

test('history: the one it is given stays as it is', () => {
  fc.assert(
    fc.property(history, (turns) => {
      const before = structuredClone(turns)
      normaliseHistory(turns, note)
      expect(turns).toEqual(before)
    }),
  )
})

test('note: it follows a reply that a person cut off, and no other', () => {
  expect(
    normaliseHistory([user('a'), reply('b', { interrupted: true }), user('c'), reply('d'), user('e')], note),
  ).toStrictEqual([user('a'), reply(`b\n\n${note}`), user('c'), reply('d'), user('e')])
})

test('note: as often as a reply with text was cut off', () => {
  const plain = fc.array(
    turn.filter(({ content }) => !content.includes('[')),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(plain, (turns) => {
      const cut = turns.filter(
        ({ role, interrupted, content }) => role === 'assistant' && interrupted && content.trim() !== '',
      )
      const said = JSON.stringify(normaliseHistory(turns, note)).split(note).length - 1
      expect(said).toBe(cut.length)
      expect(JSON.stringify(normaliseHistory(turns, null))).not.toContain(note)
    }),
  )
})

test('note: null says nothing, and the flag does not go up', () => {
  expect(normaliseHistory([user('a'), reply('b', { interrupted: true }), user('c')], null)).toStrictEqual([
    user('a'),
    reply('b'),
    user('c'),
  ])
})

test('history: a reply cut off before its first delta is dropped, and the questions around it are one', () => {
  expect(normaliseHistory([user('a'), reply('', { interrupted: true }), user('b')], note)).toStrictEqual([
    user('a\n\nb'),
  ])
})

test('history: thinking is dropped, and a reply of nothing else with it', () => {
  expect(
    normaliseHistory(
      [user('a'), reply('b', { thinking: 'Hm' }), user('c'), reply('', { thinking: 'Hm' }), user('d')],
      note,
    ),
  ).toStrictEqual([user('a'), reply('b'), user('c\n\nd')])
})

test('history: a call without a result gets one', () => {
  expect(
    normaliseHistory([user('a'), reply('', { tool_calls: [call('1'), call('2')] }), result('2', 'x'), user('b')], note),
  ).toStrictEqual([
    user('a'),
    reply('', { tool_calls: [call('1'), call('2')] }),
    result('1', lostResult),
    result('2', 'x'),
    user('b'),
  ])
})

test('history: that a person cut in is said of a call only where that is known', () => {
  const calls = { tool_calls: [call('1')] }
  const made = normaliseHistory([user('a'), reply('b', { ...calls, interrupted: true }), user('c')], null)
  expect(made[2]).toEqual(result('1', missingResult))
  expect(normaliseHistory([user('a'), reply('b', calls), user('c')], null)[2]).toEqual(result('1', lostResult))
})

test('history: a result that strayed comes back behind its call, one without a call is dropped', () => {
  const turns = [user('a'), reply('', { tool_calls: [call('1')] }), user('b'), result('1', 'x'), result('2', 'y')]
  expect(normaliseHistory(turns, note)).toStrictEqual([
    user('a'),
    reply('', { tool_calls: [call('1')] }),
    result('1', 'x'),
    user('b'),
  ])
})

test('history: a call that comes twice, in one reply or in two, with no result between is one', () => {
  const twice = [
    user('a'),
    reply('', { tool_calls: [call('1'), call('1')] }),
    reply('b', { tool_calls: [call('1')] }),
    result('1', 'x'),
  ]
  expect(normaliseHistory(twice, note)).toStrictEqual([
    user('a'),
    reply('', { tool_calls: [call('1')] }),
    result('1', 'x'),
    reply('b'),
  ])
})

const of = (id: string, city: string) => ({ id, name: 'w', arguments: { city } })
const calling = (...calls: readonly ReturnType<typeof of>[]): ChatTurn => reply('', { tool_calls: calls })

test('history: an id that comes again in a later reply is of another call, each with its own result', () => {
  expect(
    normaliseHistory(
      [user('a'), calling(of('c', 'A')), result('c', 'sunny'), calling(of('c', 'B')), result('c', 'rain')],
      note,
    ),
  ).toStrictEqual([
    user('a'),
    calling(of('c', 'A')),
    result('c', 'sunny'),
    calling(of('c_2', 'B')),
    result('c_2', 'rain'),
  ])
})

test('history: the very same call behind its result, or behind words of the user, is another one', () => {
  const again = [user('a'), calling(of('c', 'A')), result('c', '1'), calling(of('c', 'A')), result('c', '2')]
  expect(normaliseHistory(again, note).map(({ content }) => content)).toEqual(['a', '', '1', '', '2'])
  const asked = [user('a'), calling(of('c', 'A')), user('Again'), calling(of('c', 'A')), result('c', '2')]
  expect(normaliseHistory(asked, note).map(({ content }) => content)).toEqual(['a', '', lostResult, 'Again', '', '2'])
})

test('history: calls of one reply under one id are answered in their order', () => {
  const turns = [user('a'), calling(of('c', 'A'), of('c', 'B')), result('c', 'of A'), result('c', 'of B')]
  expect(normaliseHistory(turns, note)).toStrictEqual([
    user('a'),
    calling(of('c', 'A'), of('c_2', 'B')),
    result('c', 'of A'),
    result('c_2', 'of B'),
  ])
})

test('history: a result belongs to the nearest reply before it whose call of that id has none', () => {
  const turns = [user('a'), calling(of('c', 'A')), calling(of('c', 'B')), result('c', 'of B')]
  expect(normaliseHistory(turns, note).map(({ content }) => content)).toEqual(['a', '', lostResult, '', 'of B'])
  // One whose call was left out with the oldest messages is nobody's.
  const cut = [result('c', 'of none'), user('a'), calling(of('c', 'A')), user('b')]
  expect(normaliseHistory(cut, note).map(({ content }) => content)).toEqual(['a', '', lostResult, 'b'])
})

test('history: an id that is made is that of no other call, and keeps the form in which models count', () => {
  const ids = ['c', 'c_2', 'c', 'f.w:0', 'f.w:1', 'f.w:0', 'f.w:0']
  const turns = ids.flatMap((one, i) => [calling(of(one, `${i}`)), result(one, `${i}`)])
  const made = normaliseHistory(turns, note)
  expect(made.flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id))).toEqual([
    'c',
    'c_2',
    'c_3',
    'f.w:0',
    'f.w:1',
    'f.w:2',
    'f.w:3',
  ])
  expect(normaliseHistory(made, note)).toEqual(made)
})

test('history: neighbours that merge keep the calls', () => {
  expect(normaliseHistory([reply('a'), reply('b', { tool_calls: [call('1')] }), result('1', 'x')], note)).toStrictEqual(
    [reply('a\n\nb', { tool_calls: [call('1')] }), result('1', 'x')],
  )
})
