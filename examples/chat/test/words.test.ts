import { expect, test } from 'vitest'
import { problemOf } from '../page/problem.ts'
import { languageOf } from '../page/words/language.ts'
import { dictionary } from '../page/words/index.ts'

/** Every text of a dictionary by its path. */
function texts(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return [[path, value]]
  if (typeof value === 'function') return [[path, (value as (count: number) => string)(3)]]
  return Object.entries(value as object).flatMap(([key, inner]) => texts(inner, `${path}.${key}`))
}

test('words: both languages say the same things, and none is empty', () => {
  const [en, zh] = [texts(dictionary.en), texts(dictionary.zh)]
  expect(zh.map(([path]) => path)).toEqual(en.map(([path]) => path))
  for (const [path, text] of [...en, ...zh]) expect([path, text.trim()]).not.toEqual([path, ''])
})

test('words: nothing of the Chinese dictionary is left in English', () => {
  const english = new Set(texts(dictionary.en).map(([, text]) => text))
  expect(texts(dictionary.zh).filter(([, text]) => english.has(text) || !/\p{Script=Han}/u.test(text))).toEqual([])
})

test.each([
  [['zh-CN', 'en'], 'zh'],
  [['en-GB', 'zh-CN'], 'en'],
  [['de', 'fr', 'zh-Hant-TW', 'en'], 'zh'],
  [['ZH'], 'zh'],
  [['de'], 'en'],
  [[], 'en'],
])('languageOf: %j is %s', (languages, language) => {
  expect(languageOf(languages)).toBe(language)
})

test('problemOf: a code of a newer gateway is a failure like any other', () => {
  expect(problemOf('upstream_stalled')).toBe('silent')
  expect(problemOf('toString' as 'dropped')).toBe('failed')
  expect(problemOf('upstream_on_fire' as 'dropped')).toBe('failed')
})
