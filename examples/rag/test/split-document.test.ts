import { expect, test } from 'vitest'
import { splitDocument } from '../search/split-document.ts'

const short = (passages: ReturnType<typeof splitDocument>): string[] =>
  passages.map(({ title, from, to, text }) => `${title} ${from}-${to}: ${text.split('\n')[0]}`)

test('split: a passage has the headings it stands under and its lines in the file', () => {
  const text = '# House\n\nOld.\n\n## Roof\n\nRed tiles.\n\nTwo chimneys.\n\n### Gutter\nZinc.\n\n## Cellar\n\nDry.\n'
  expect(short(splitDocument('a/house.md', text))).toEqual([
    'House 3-3: Old.',
    'House › Roof 7-9: Red tiles.',
    'House › Roof › Gutter 12-12: Zinc.',
    'House › Cellar 16-16: Dry.',
  ])
  expect(splitDocument('a/house.md', text)[1]).toMatchObject({
    id: 'a/house.md#L7-L9',
    file: 'a/house.md',
    text: 'Red tiles.\n\nTwo chimneys.',
  })
})

test('split: lines are right behind front matter, tables, lists, code and other line ends', () => {
  const text =
    '---\r\ntitle: x\r\ntags:\r\n  - a\r\n---\r\n\r\nTitle\r\n=====\r\n\r\n- one\r\n- two\r\n\r\n```sh\r\n# no heading\r\n```\r\n\r\n| a | b |\r\n|---|---|\r\n| 1 | 2 |\r\n\r\n## End\r\n\r\n\tlast'
  expect(short(splitDocument('x.md', text))).toEqual(['Title 10-19: - one', 'Title › End 23-23: \tlast'])
})

test('split: a rule at the top is no front matter', () => {
  expect(short(splitDocument('x.md', '---\n\nText.\n\n---\n\nMore.'))).toEqual(['x 1-7: ---'])
})

test('split: a level that is left out is not made up', () => {
  expect(short(splitDocument('x.md', '### Deep\n\na\n\n## Less\n\nb'))).toEqual(['Deep 3-3: a', 'Less 7-7: b'])
})

test('split: a text is split at empty lines and titled by its file', () => {
  const long = 'x'.repeat(500)
  expect(short(splitDocument('notes.txt', `# one\ntwo\n \n${long}\n\n\n${long}`))).toEqual([
    'notes 1-4: # one',
    `notes 7-7: ${long}`,
  ])
})

test('split: a paragraph that is too long is cut at the end of a sentence, and nothing of it is lost', () => {
  const sentence = '水表每六年检定一次，电池十年更换一次。'
  const passages = splitDocument('x.md', sentence.repeat(100))
  expect(passages.length).toBeGreaterThan(1)
  for (const { text } of passages) {
    expect(text.length).toBeLessThanOrEqual(800)
    expect(text.endsWith('。')).toBe(true)
  }
  expect(passages.map(({ text }) => text).join('')).toBe(sentence.repeat(100))
})

test('split: text without any place to cut is cut between characters', () => {
  const passages = splitDocument('x.txt', `a${'😀'.repeat(900)}`)
  expect(passages.map(({ text }) => text).join('')).toBe(`a${'😀'.repeat(900)}`)
  for (const { text } of passages) expect(text.isWellFormed()).toBe(true)
})

test('split: an empty document has no passages', () => {
  expect(splitDocument('x.md', '')).toEqual([])
  expect(splitDocument('x.txt', ' \n\n')).toEqual([])
})
