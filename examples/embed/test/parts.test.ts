import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isSendKey } from '../element/send-key.ts'
import { dictionary, languageOf } from '../element/words/index.ts'
import { readFlags } from '../server/flags.ts'

test('languageOf: the nearest tag decides', () => {
  expect(languageOf(null, 'zh-Hant-TW')).toBe('zh')
  expect(languageOf('en', 'zh-CN')).toBe('en')
  expect(languageOf('de', 'zh-CN')).toBe('en')
  expect(languageOf('ZH')).toBe('zh')
  expect(languageOf('zha')).toBe('en')
  expect(languageOf('', undefined)).toBe('en')
})

test('words: no language leaves anything unsaid', () => {
  for (const words of Object.values(dictionary)) {
    const { note, ...rest } = words
    for (const text of [...Object.values(rest), ...Object.values(note)]) expect(text.trim()).not.toBe('')
  }
})

test('isSendKey: Enter alone sends, and not while an input method composes', () => {
  const press = { key: 'Enter', keyCode: 13, shiftKey: false, altKey: false, isComposing: false }
  expect(isSendKey(press)).toBe(true)
  expect(isSendKey({ ...press, shiftKey: true })).toBe(false)
  expect(isSendKey({ ...press, isComposing: true })).toBe(false)
  expect(isSendKey({ ...press, keyCode: 229 })).toBe(false)
})

test('readFlags: fills in the defaults and refuses what makes no sense', () => {
  expect(readFlags([])).toEqual({ port: 8080, upstream: undefined, model: 'qwen3:32b', allowedOrigins: [] })
  expect(readFlags(['--allow-origin', 'https://a.example', '--allow-origin', 'https://b.example'])).toMatchObject({
    allowedOrigins: ['https://a.example', 'https://b.example'],
  })
  expect(readFlags(['-h'])).toBe('help')
  expect(() => readFlags(['--port', '70000'])).toThrow(/--port/)
  expect(() => readFlags(['--upstream', 'gpu:11434'])).toThrow(/--upstream/)
  expect(() => readFlags(['--model', 'nano'])).toThrow(/--upstream/)
  expect(() => readFlags(['--prot', '1'])).toThrow(/--prot/)
})

test.each(['index.html', 'zh.html'])('blog: %s shows the very script and element that it has', (name) => {
  const html = readFileSync(new URL(`../blog/${name}`, import.meta.url), 'utf8')
  const [before = '', shown = '', after = ''] = html.split(/<pre><code>|<\/code><\/pre>/)
  const lines = shown.replaceAll('&lt;', '<').replaceAll('&gt;', '>').split('\n')
  expect(lines).toHaveLength(2)
  for (const line of lines) expect(before + after).toContain(line)
})
