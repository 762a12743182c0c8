import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestOf, isSameConversation } from '../src/session/digest.ts'
import { hash64 } from '../src/wire/hash64.ts'
import type { ChatTurn, Role } from '../src/wire/messages.ts'

const turnOf = (role: Role, content: string): ChatTurn => ({ role, content })
const user = (content: string): ChatTurn => turnOf('user', content)

test('hash64: is 16 hex digits, and the same for the same text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(hash64(text)).toMatch(/^[0-9a-f]{16}$/)
      expect(hash64(text.slice(0, 2) + text.slice(2))).toBe(hash64(text))
    }),
  )
})

/** Texts that are alike: what a weak hash mixes up. */
function* corpus(): Generator<string> {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789 .,!?你好春光'.split('')
  for (const a of letters) {
    yield a
    for (const b of letters) {
      yield a + b
      for (const c of letters) yield a + b + c
    }
  }
  for (let i = 0; i < 20_000; i++) {
    yield `Tell me about ${i}, please.`
    yield `${i} ${i + 1}`
    yield 'a'.repeat(i % 2_000) + '\0'.repeat(Math.floor(i / 2_000) + 1)
    yield String.fromCharCode(i % 65_536, (i * 7) % 65_536, 65_535 - i)
  }
  const long = 'The quick brown fox jumps over the lazy dog. '.repeat(20)
  for (let i = 0; i < long.length; i++) {
    yield `${long.slice(0, i)}_${long.slice(i + 1)}`
    yield `${long.slice(0, i)}_${long.slice(i)}`
    yield long.slice(0, i) + long.slice(i + 1, i + 2) + long.slice(i, i + 1) + long.slice(i + 2)
  }
}

test('hash64: texts that are alike have hashes of their own, and so has each half of them nearly always', () => {
  const texts = new Set(corpus())
  const hashes = new Set<string>()
  const halves = [new Set<string>(), new Set<string>()] as const
  for (const text of texts) {
    const hash = hash64(text)
    hashes.add(hash)
    halves[0].add(hash.slice(0, 8))
    halves[1].add(hash.slice(8))
  }
  expect(texts.size).toBeGreaterThan(150_000)
  expect(hashes.size).toBe(texts.size)
  // By chance n² / 2³³ pairs meet in 32 bits: about 5 here.
  for (const half of halves) expect(texts.size - half.size).toBeLessThan(40)
})

test('hash64: a changed unit changes about half of the bits', () => {
  let flipped = 0
  const rounds = 2_000
  for (let i = 0; i < rounds; i++) {
    const [a, b] = [hash64(`question ${i}`), hash64(`question ${i}!`)].map((hash) => BigInt(`0x${hash}`))
    flipped += ((a ?? 0n) ^ (b ?? 0n)).toString(2).replaceAll('0', '').length
  }
  expect(flipped / rounds).toBeGreaterThan(30)
  expect(flipped / rounds).toBeLessThan(34)
})

test('digest: is of the first three user messages, whatever stands between them', () => {
  const digest = digestOf([
    turnOf('system', 's'),
    user('a'),
    turnOf('assistant', 'x'),
    user('b'),
    turnOf('tool', 't'),
    user('c'),
    user('d'),
  ])
  expect(digest).toEqual([hash64('a'), hash64('b'), hash64('c')])
  expect(digestOf([turnOf('system', 's')])).toEqual([])
})

test('digest: an answer that changed is the same conversation, a question that changed is not', () => {
  const history = (question: string, answer: string): ChatTurn[] => [
    user(question),
    turnOf('assistant', answer),
    user('b'),
  ]
  expect(digestOf(history('a', 'x'))).toEqual(digestOf(history('a', 'y')))
  expect(isSameConversation(digestOf(history('a', 'x')), digestOf(history('A', 'x')))).toBe(false)
})

test('digest: a conversation that grew is the same one, in either order', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), fc.nat(), (questions, cut) => {
      const whole = digestOf(questions.map(user))
      const start = digestOf(questions.slice(0, cut % (questions.length + 1)).map(user))
      expect(isSameConversation(start, whole)).toBe(true)
      expect(isSameConversation(whole, start)).toBe(true)
    }),
  )
})

test.for([
  [[], [], true],
  [[], ['a'], true],
  [['a'], ['a', 'b'], true],
  [['a', 'b', 'c'], ['a', 'b', 'c'], true],
  [['a'], ['b'], false],
  [['a', 'b'], ['a', 'c', 'd'], false],
  [['a', 'b', 'c'], ['b', 'c'], false],
] as const)('digest: %j and %j are one conversation: %s', ([a, b, same]) => {
  expect(isSameConversation(a, b)).toBe(same)
  expect(isSameConversation(b, a)).toBe(same)
})
