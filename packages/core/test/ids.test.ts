import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createId, isId, type IdKind } from '../src/wire/ids.ts'

const kinds = ['sess', 'run', 'msg', 'call'] as const satisfies IdKind[]

test.for(kinds)('createId: a %s id holds every bit of its 16 random bytes and is one', (kind) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (random) => {
      const id = createId(kind, (bytes) => {
        bytes.set(random)
        return bytes
      })
      expect(id).toBe(`${kind}_${Buffer.from(random).toString('hex')}`)
      expect(isId(kind, id)).toBe(true)
    }),
  )
})

test('createId: the platform gives the bytes, and no two ids are alike', () => {
  expect(new Set(Array.from({ length: 1_000 }, () => createId('run')))).toHaveLength(1_000)
})

test('isId: an id of another kind is none', () => {
  for (const kind of kinds) {
    for (const other of kinds) expect(isId(kind, createId(other))).toBe(kind === other)
  }
})

test.for([
  ['22 characters', `run_${'a'.repeat(22)}`, true],
  ['64 characters', `run_${'a'.repeat(64)}`, true],
  ['base64url', 'run_AZaz09-_AZaz09-_AZaz09', true],
  ['21 characters', `run_${'a'.repeat(21)}`, false],
  ['65 characters', `run_${'a'.repeat(65)}`, false],
  ['a path', `run_${'a'.repeat(20)}/../`, false],
  ['a line end', `run_${'a'.repeat(22)}\n`, false],
  ['other letters', `run_${'é'.repeat(22)}`, false],
  ['no prefix', 'a'.repeat(26), false],
  ['no text', 7, false],
  ['nothing', undefined, false],
] as const)('isId: %s', ([, value, valid]) => {
  expect(isId('run', value)).toBe(valid)
})
