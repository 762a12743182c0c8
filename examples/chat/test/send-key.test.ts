import { expect, test } from 'vitest'
import { isSendKey } from '../page/composer/send-key.ts'

const enter = { key: 'Enter', keyCode: 13, shiftKey: false, altKey: false, isComposing: false }

test('isSendKey: Enter sends', () => {
  expect(isSendKey(enter)).toBe(true)
})

test.each([
  ['Shift+Enter', { shiftKey: true }],
  ['Alt+Enter', { altKey: true }],
  ['Enter while composing', { isComposing: true }],
  ["Safari's Enter that ended a composition", { keyCode: 229 }],
  ['another key', { key: 'a', keyCode: 65 }],
])('isSendKey: %s does not send', (_, change) => {
  expect(isSendKey({ ...enter, ...change })).toBe(false)
})
