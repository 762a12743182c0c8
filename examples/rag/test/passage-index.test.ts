import { manualClock } from '@midstream/core/testing'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openDocumentFolder } from '../search/document-folder.ts'
import { createPassageIndex, type PassageIndex } from '../search/passage-index.ts'
import type { Passage } from '../search/passage.ts'
import { indexTerms, questionTerms } from '../search/terms.ts'

const passage = (id: string, text: string, title = ''): Passage => ({ id, file: id, title, from: 1, to: 1, text })

function indexOf(texts: Readonly<Record<string, string>>): PassageIndex {
  const index = createPassageIndex()
  for (const [id, text] of Object.entries(texts)) index.put(id, [passage(id, text)])
  return index
}
const found = (index: PassageIndex, text: string, context?: string): string[] =>
  index.search({ text, context }, 5).map(({ id }) => id)

test('terms: Chinese is found by pairs, everything else by words', () => {
  expect(indexTerms('带薪年假为 20 天,ＡＢＣ don’t')).toEqual([
    '带薪',
    '薪年',
    '年假',
    '假为',
    '20',
    '天',
    'abc',
    'don’t',
  ])
})

test('terms: a Chinese question is asked by its words, and what the dictionary does not know, by pairs', () => {
  expect(questionTerms('我每年有多少天年假？')).toEqual(['每年', '年假'])
  expect(questionTerms('水表的保修期有多久')).toEqual(['水表', '保修', '修期'])
  expect(questionTerms('新加坡的半导体')).toEqual(['新加', '加坡', '半导', '导体'])
  expect(questionTerms('卡拉OK')).toEqual(indexTerms('卡拉OK'))
  expect(questionTerms('的')).toEqual([])
})

test('search: a Chinese word is found wherever it stands, however the dictionary splits it there', () => {
  const index = indexOf({
    leave: '全职员工享有二十天带薪年假。',
    travel: '差旅补贴每天二百一十元。',
    slang: '看懵逼了',
  })
  expect(found(index, '年假有几天？')).toEqual(['leave'])
  expect(found(index, '差旅补贴是多少')).toEqual(['travel'])
  // The dictionary makes 懵 and 逼了 of the one, 懵 and 逼 of the other.
  expect(found(index, '懵逼')).toEqual(['slang'])
  expect(found(index, '薪')).toEqual(['leave'])
})

test('search: other forms of a word and slips of the pen are found', () => {
  const index = indexOf({ a: 'Passwords are reset with your card.', b: 'Hotels cost 140 euros.' })
  expect(found(index, 'How do I reset my password?')).toEqual(['a'])
  expect(found(index, 'my passwrds')).toEqual(['a'])
  expect(found(index, 'HOTEL')).toEqual(['b'])
})

test('search: what the documents have nothing on finds nothing', () => {
  const index = indexOf({ a: 'The help desk answers at extension 4400.', b: '员工手册' })
  expect(found(index, 'What is the capital of France, and who was the king there?')).toEqual([])
  expect(found(index, 'Hello, what can you do for me?')).toEqual([])
  expect(found(index, '法国的首都在哪里？')).toEqual([])
  // One word of four in common is chance.
  expect(found(index, 'Which desk did Napoleon Bonaparte prefer?')).toEqual([])
})

test('search: the question before tips the scales, and does not outweigh the new one', () => {
  const index = indexOf({
    holiday: 'Annual leave of part-timers is in proportion.',
    sick: 'Sick pay of part-timers is in proportion.',
    other: 'Annual leave lapses in March.',
  })
  expect(found(index, 'And part-timers?', 'What about annual leave?')[0]).toBe('holiday')
  expect(found(index, 'And part-timers?', 'What about sick pay?')[0]).toBe('sick')
  expect(found(index, 'And the sick pay?', 'What about annual leave?')[0]).toBe('sick')
})

test('search: what holds the words of the new question comes first, however much the question before said', () => {
  const index = indexOf({
    holiday:
      'Annual leave: full-time staff have twenty-seven days of annual leave a year, and may carry over five days.',
    refund: 'A refund of travel costs takes a month.',
  })
  const long = 'How many days of annual leave do full-time staff have a year, and how many days may they carry over?'
  expect(found(index, 'And a refund?', long)).toEqual(['refund', 'holiday'])
  expect(found(index, 'And how fast is a refund?', long)).toEqual(['refund', 'holiday'])
  // Where the new question finds nothing by itself, the one before does.
  expect(found(index, 'Any details?', 'What about annual leave?')).toEqual(['holiday'])
  expect(found(index, 'How many?', 'What about annual leave?')).toEqual(['holiday'])
  const better = indexOf({ a: 'Annual fees.', b: 'Annual leave.' })
  expect(found(better, 'How many?', 'What about annual leave?')).toEqual(['b', 'a'])
})

test('search: of two that hold words of the new question, all that was said before does not lift the poorer one', () => {
  const index = indexOf({
    both: 'Sick pay goes on in full.',
    one: 'Pay day is the last of the month, in every branch, for staff, interns, drivers, cooks and guards.',
  })
  const long = 'Is the last day of the month the same in every branch, for staff, interns, drivers, cooks and guards?'
  expect(found(index, 'And the sick pay?', long)).toEqual(['both', 'one'])
})

test('search: a question in another language finds what it finds alone, and finds it first', async () => {
  const folder = fileURLToPath(new URL('../documents', import.meta.url))
  const { search } = await openDocumentFolder(folder, { clock: manualClock() })
  const titles = async (text: string, context?: string): Promise<string[]> =>
    (await search({ text, context }, 5, AbortSignal.timeout(10_000))).map(({ file, title }) => `${file} ${title}`)
  const inChinese = '员工手册.md 蕨水仪器上海分公司员工手册 › 带薪年假'
  expect((await titles('年假有几天？'))[0]).toBe(inChinese)
  expect((await titles('年假有几天？', 'How many days of annual leave do I have?'))[0]).toBe(inChinese)
  const inEnglish = await titles('How many days of annual leave do I have?')
  expect((await titles('How many days of annual leave do I have?', '我每年有多少天年假？'))[0]).toBe(inEnglish[0])
})

test('search: a word in the title counts, and no more than the limit is given', () => {
  const index = createPassageIndex()
  index.put('x', [
    passage('2', 'It is red.', 'Roof'),
    passage('1', 'It is red.', 'Roof'),
    passage('3', 'A roof is above a house, if it has one.', 'House'),
  ])
  expect(index.search({ text: 'roof' }, 2).map(({ id }) => id)).toEqual(['1', '2'])
})

test('search: a file that was put again is found by its new text alone, as if the old one had never been', () => {
  const index = indexOf({ a: 'Meters made of brass.', b: 'Meters made of steel, with brass screws.' })
  index.put('a', [passage('a', 'Meters made of copper.')])
  index.put('a', [passage('a', 'Meters made of brass.')])
  const fresh = indexOf({ b: 'Meters made of steel, with brass screws.', a: 'Meters made of brass.' })
  expect(found(index, 'copper')).toEqual([])
  expect(found(index, 'brass meters')).toEqual(found(fresh, 'brass meters'))
  index.put('a', [])
  expect(found(index, 'brass meters')).toEqual(['b'])
  expect(index.size).toBe(1)
})

test('search: a letter pasted as a question is looked at only so far', () => {
  const index = indexOf({ a: 'needle' })
  expect(found(index, `needle ${'the '.repeat(2_000)}`)).toEqual(['a'])
  expect(found(index, `${'the '.repeat(2_000)} needle`)).toEqual([])
})
