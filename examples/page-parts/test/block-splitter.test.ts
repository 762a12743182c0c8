import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBlockSplitter } from '../src/block-splitter.ts'
import { closeMarks } from '../src/close-marks.ts'

/** Lines that Markdown's block rules turn on, in any order. */
const markdown = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '#',
        '# a',
        '#a',
        '- a',
        '-',
        '---',
        '***',
        '**b**',
        '> q',
        '1. a',
        '1',
        '```',
        '```js',
        '    x',
        '| a |',
        '|---|',
        '<b>',
        '',
        '',
        '',
        '=',
        '  - b',
        '*',
        '~~~',
        '\t',
      ),
      fc.string({ maxLength: 6 }),
    ),
    { maxLength: 14 },
  )
  .map((lines) => lines.join('\n'))

test('createBlockSplitter: the blocks of a text that grew are those of the whole text', () => {
  fc.assert(
    fc.property(markdown, fc.array(fc.nat(), { maxLength: 30 }), (text, cuts) => {
      const split = createBlockSplitter()
      for (const cut of cuts.map((at) => at % (text.length + 1)).sort((a, b) => a - b)) {
        expect(split(text.slice(0, cut)).join('')).toBe(text.slice(0, cut))
      }
      expect(split(text)).toEqual(createBlockSplitter()(text))
      expect(split(text).join('')).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

test('createBlockSplitter: finished blocks stay the same strings', () => {
  const split = createBlockSplitter()
  const before = split('# a\n\nb\n\n- c\n- d\n\ne')
  expect(before).toEqual(['# a\n\n', 'b\n\n', '- c\n- d\n\n', 'e'])
  expect(split('# a\n\nb\n\n- c\n- d\n\ne f\n\ng')).toEqual(['# a\n\n', 'b\n\n', '- c\n- d\n\n', 'e f\n\n', 'g'])
})

test('createBlockSplitter: only a blank line outside of a block splits', () => {
  expect(createBlockSplitter()('a\n\n```js\nx\n\n# y\n```\nb\n\nc')).toEqual([
    'a\n\n',
    '```js\nx\n\n# y\n```\nb\n\n',
    'c',
  ])
})

test('createBlockSplitter: a text that defines links stays whole', () => {
  const text = '[a]\n\nb\n\n[a]: http://x.example'
  expect(createBlockSplitter()(text)).toEqual([text])
})

test('closeMarks: closes what is open, and takes nothing away', () => {
  expect(closeMarks('a **bo')).toBe('a **bo**')
  expect(closeMarks('中文**注意')).toBe('中文**注意**')
  expect(closeMarks('a `co')).toBe('a `co`')
  for (const text of ['[a](http://b', '![a', 'a <b', '- > 2', '2~3', 'x\n-', '```\na **b', '$$x'])
    expect(closeMarks(text)).toBe(text)
})
