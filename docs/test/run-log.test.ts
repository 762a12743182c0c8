import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inLanguage } from '../.vitepress/theme/run-log.ts'

const svg = readFileSync(join(import.meta.dirname, '../.vitepress/theme/run-log.svg'), 'utf8')
const wordsOf = (text: string): string[] => [...text.matchAll(/>([^<>\n]+)</g)].map(([, words = '']) => words)

test('run log: on a Chinese page every word of the picture is Chinese, and nothing else has changed', () => {
  const chinese = inLanguage(svg, 'zh-CN')
  expect(wordsOf(chinese).length).toBeGreaterThan(20)
  expect(wordsOf(chinese).filter((words) => /[a-z]/i.test(words))).toEqual([])
  expect(chinese.replaceAll(/>[^<>\n]+</g, '><')).toBe(svg.replaceAll(/>[^<>\n]+</g, '><'))
  expect(inLanguage(svg, 'en')).toBe(svg)
})

test('run log: the positions are those of the text that stands in the cells', () => {
  for (const lang of ['en', 'zh-CN']) {
    const words = wordsOf(inLanguage(svg, lang))
    const at = words.indexOf(lang === 'en' ? 'Once' : '从前，')
    // In English a word brings the space before it.
    const kept = words.slice(at, at + 4)
    const ends = kept.map((_, index) => kept.slice(0, index + 1).join(lang === 'en' ? ' ' : '').length)
    expect(words.slice(at + 8, at + 13).map(Number)).toEqual([0, ...ends])
  }
})
