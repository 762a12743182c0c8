import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitPages } from '../src/conversation/pages.ts'
import { withoutFetches } from '../src/conversation/without-fetches.ts'

test('withoutFetches: a picture becomes a link, HTML that fetches none, and nobody is called', () => {
  expect(withoutFetches('![a](https://x.example/?said)')).toBe('! [a](https://x.example/?said)')
  expect(withoutFetches('[![a][b]](c) \\![d][e]')).toBe('[! [a][b]](c) \\! [d][e]')
  expect(withoutFetches('!![a](b)')).toBe('!! [a](b)')
  expect(withoutFetches('<img src=x><IMG\nsrc=x><video/><svg>')).toBe('<img_ src=x><IMG_\nsrc=x><video_/><svg_>')
  expect(withoutFetches('<@all>')).toBe('< @all>')
})

test('withoutFetches: other text, and code, stays what it is', () => {
  for (const text of ['Hello! [a](b)', '#include <stdio.h>', 'vector<int> <T>', 'a < b', '**b** `c`'])
    expect(withoutFetches(text)).toBe(text)
})

const signs = fc.array(fc.constantFrom('!', '[', '<', '@', 'img', 'a', ' ', '>', '\n', '](b)', '中'), { maxLength: 40 })

test('withoutFetches: what grows keeps its start, and no page or cut holds a picture or a tag', () => {
  fc.assert(
    fc.property(signs, fc.nat(), fc.integer({ min: 8, max: 40 }), (given, cut, bytes) => {
      const text = given.join('')
      const whole = withoutFetches(text)
      // Only what waits for its next character may be told apart by it.
      expect(whole.startsWith(withoutFetches(text.slice(0, cut % (text.length + 1))).replace(/_$/, ''))).toBe(true)
      for (const page of splitPages(whole, bytes)) expect(page).not.toMatch(/!\[|<@|<(?:img|a)[\s/>]/)
      expect(whole.replaceAll('! [', '![').length).toBeGreaterThanOrEqual(text.replaceAll('! [', '![').length)
    }),
  )
})
