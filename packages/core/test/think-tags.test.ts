import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { createSeam } from '../src/upstream/reply/seam.ts'
import { createThinkTags, withoutThinkTags, withThinkTags } from '../src/upstream/reply/think-tags.ts'
import type { UpstreamEvent } from '../src/upstream/upstream.ts'

interface Shown {
  readonly thinking: string
  readonly text: string
}
function shown(pieces: readonly string[], opensThinking = false): Shown {
  const stage = createThinkTags(opensThinking)
  const events = [...pieces.flatMap((message) => stage.push([{ message }])), ...stage.push([{ finish: 'stop' }])]
  expect(events.at(-1)).toEqual({ finish: 'stop' })
  expect(stage.end()).toEqual([])
  const all = (name: 'thinking' | 'message'): string =>
    events.map((event) => (event as Record<string, string>)[name] ?? '').join('')
  return { thinking: all('thinking'), text: all('message') }
}

test.for<[string, string, Shown]>([
  ['a tag', '<think>\nHm</think>\n\nHi', { thinking: 'Hm', text: 'Hi' }],
  ['a tag behind white space', ' \n<think>Hm</think>Hi', { thinking: 'Hm', text: 'Hi' }],
  ['another tag', '<reasoning>Hm</think></reasoning>Hi', { thinking: 'Hm</think>', text: 'Hi' }],
  ['a longer name', '<thinking>Hm</thinking>Hi', { thinking: 'Hm', text: 'Hi' }],
  ['brackets', '[THINK]Hm[/THINK]Hi', { thinking: 'Hm', text: 'Hi' }],
  ['two of them', '<think>A</think>\n<think>B</think>\nHi', { thinking: 'AB', text: 'Hi' }],
  ['an empty one', '<think>\n\n</think>\n\nHi', { thinking: '', text: 'Hi' }],
  ['one that never closes', '<think>Hm</thin', { thinking: 'Hm</thin', text: '' }],
  ['a closing tag alone at the start', '</think>\n\nHi', { thinking: '', text: 'Hi' }],
  ['a tag in mid-text', 'Write `<think>`x</think>', { thinking: '', text: 'Write `<think>`x</think>' }],
  ['a tag behind thinking and text', '<think>A</think>B<think>C</think>', { thinking: 'A', text: 'B<think>C</think>' }],
  ['no tag', ' <thin ice> is', { thinking: '', text: ' <thin ice> is' }],
  ['half a tag', '<thi', { thinking: '', text: '<thi' }],
  ['white space', ' \n ', { thinking: '', text: ' \n ' }],
  [
    'more white space than is held back',
    `${' '.repeat(2_000)}<think>x`,
    { thinking: '', text: `${' '.repeat(2_000)}<think>x` },
  ],
])('think tags: %s is the same in any pieces', ([, said, expected]) => {
  expect(shown([said])).toEqual(expected)
  fc.assert(
    fc.property(fc.array(fc.nat(said.length), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), said.length]
      const pieces = at.slice(1).map((end, i) => said.slice(at[i], end))
      // Where white space ends up in more than one read, too much of it is found out earlier.
      expect(shown(pieces.filter(Boolean))).toEqual(expected)
    }),
    { numRuns: 200 },
  )
  expect(shown(said.split(''))).toEqual(expected)
})

test('think tags: any text of tags and words is the same in any pieces, and what is outside of tags stays', () => {
  const word = fc.constantFrom(
    '<think>',
    '</think>',
    '<thinking>',
    '[/THINK]',
    '<th',
    'ink>',
    ' ',
    '\n',
    'Hi',
    '<',
    '>',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.boolean(), (words, opens) => {
      const whole = shown([words.join('')], opens)
      expect(shown(words, opens)).toEqual(whole)
      expect(shown(words.join('').split(''), opens)).toEqual(whole)
      if (!opens && !/^\s*[<[]/.test(words.join(''))) expect(whole).toEqual({ thinking: '', text: words.join('') })
    }),
    { numRuns: 2_000 },
  )
})

test('think tags: a reply whose prompt opened the thinking is thinking up to its closing tag', () => {
  expect(shown(['Hm', ', so</th', 'ink>\n\nHi'], true)).toEqual({ thinking: 'Hm, so', text: 'Hi' })
  expect(shown(['<think>Hm</think>Hi'], true)).toEqual({ thinking: 'Hm', text: 'Hi' })
  expect(shown(['</think>Hi'], true)).toEqual({ thinking: '', text: 'Hi' })
  expect(shown(['Hi', ' there'], true)).toEqual({ thinking: 'Hi there', text: 'Hi there' })
  const stage = createThinkTags(true)
  expect(stage.push([{ thinking: 'Hm' }, { message: 'Hi' }])).toEqual([{ thinking: 'Hm' }, { message: 'Hi' }])
})

test('think tags: text is given on at once where it can be no tag, and is alive where it can', () => {
  const stage = createThinkTags()
  expect(stage.push([{ message: '<th' }])).toEqual([{ alive: true }])
  expect(stage.push([{ message: 'is' }])).toEqual([{ message: '<this' }])
  const rest: UpstreamEvent[] = [{ message: ' <think>' }]
  expect(stage.push(rest)).toEqual(rest)
  expect(createThinkTags().push([{ message: 'Hi' }])).toEqual([{ message: 'Hi' }])
})

test('think tags: what is held back stands in front of a tool call, an error and the end', () => {
  const call: UpstreamEvent = { tool_call: { id: 'a', name: 'now', arguments: {} } }
  expect(createThinkTags().push([{ message: '<' }, call])).toEqual([{ alive: true }, { message: '<' }, call])
  const inside = createThinkTags()
  expect(inside.push([{ message: '<think>a<' }, call])).toEqual([{ thinking: 'a' }, { thinking: '<' }, call])
  expect(inside.push([{ message: '/think>b' }])).toEqual([{ thinking: '/think>b' }])
})

test('think tags: a reply in words thinks in tags, and then says again what the person has', () => {
  const sent = 'There was once a fox that'
  const seam = withThinkTags(createSeam({ sent, tail: '', copies: 'overlap' }))
  const events = ['<think>On', 'ce</think>\nThere was once ', 'a fox that ran'].flatMap((message) =>
    seam.push([{ message }]),
  )
  expect([...events, ...seam.end()].filter((event) => !('alive' in event))).toEqual([
    { thinking: 'On' },
    { thinking: 'ce' },
    { message: ' ran' },
  ])
})

test('history: replies do not begin with thinking in tags, open or closed', () => {
  const said = (content: string, role: 'assistant' | 'user' = 'assistant'): string =>
    withoutThinkTags([{ role, content }])[0]!.content
  expect(said('<think>half a tho')).toBe('')
  expect(said(' <think>a</think>\n<thinking>b</thinking>\n Hi <think>')).toBe('Hi <think>')
  expect(said('Use `<think>`')).toBe('Use `<think>`')
  expect(said('<think>mine', 'user')).toBe('<think>mine')
  const messages = [{ role: 'assistant', content: ' Hi' } as const]
  expect(withoutThinkTags(messages)).toBe(messages)
})
