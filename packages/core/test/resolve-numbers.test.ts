import { expect, test } from 'vitest'
import { resolveNumbers } from '../src/resolve-numbers.ts'

const defaults = Object.freeze({ size: 3, waitMs: 10 })

test('options: what is left out is the default, which stays as it is', () => {
  const resolved = resolveNumbers('group', { size: 5, waitMs: undefined }, defaults, '> 0')
  expect(resolved).toEqual({ size: 5, waitMs: 10 })
  expect(resolveNumbers('group', undefined, defaults, '> 0')).toEqual(defaults)
  const more: object = { other: 1 }
  expect(resolveNumbers('group', more, defaults, '> 0')).toEqual(defaults)
})

test.for([
  ['> 0', [0, -1, NaN, 'x'], [0.5, 1, Infinity]],
  ['>= 0', [-1, NaN], [0, 1]],
  ['>= 1', [0, 0.5, NaN], [1, Infinity]],
] as const)('options: a number that must be %s', ([bound, bad, good]) => {
  for (const size of good) expect(resolveNumbers('group', { size }, defaults, bound).size).toBe(size)
  for (const size of bad as readonly number[])
    expect(() => resolveNumbers('group', { size }, defaults, { size: bound, waitMs: '> 0' })).toThrow(
      new RangeError(`group.size must be ${bound}, got ${size}`),
    )
})
