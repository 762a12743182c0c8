import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSessionCache, resolveSessions, sessionDefaults } from '../src/session/session-cache.ts'
import type { Session } from '../src/session/claim.ts'

const session = (id: string, usedAt: number, activeRunId: string | null = null): Session => ({
  id,
  owner: undefined,
  createdAt: 0,
  usedAt,
  runs: 1,
  activeRunId,
  lastRun: null,
  digest: [],
})

test('session options: 1 000 idle sessions, 100 of one owner, half an hour; what makes no sense throws', () => {
  expect(resolveSessions()).toEqual({ maxIdle: 1_000, maxIdlePerOwner: 100, idleMs: 1_800_000 })
  expect(resolveSessions({ maxIdle: 0 })).toMatchObject({ maxIdle: 0 })
  expect(() => resolveSessions({ maxIdle: -1 })).toThrow('maxIdle')
  expect(() => resolveSessions({ maxIdlePerOwner: -1 })).toThrow('maxIdlePerOwner')
  expect(() => resolveSessions({ idleMs: 0 })).toThrow('idleMs')
  expect(() => resolveSessions({ idleMs: Number.NaN })).toThrow(RangeError)
})

test('session cache: the idle session used longest ago goes first', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 2 })
  for (const id of ['a', 'b', 'a', 'c']) cache.put(session(id, 0), 0)
  expect(['a', 'b', 'c'].map((id) => cache.get(id, 0)?.id)).toEqual(['a', undefined, 'c'])
})

const of = (owner: string | undefined, id: string): Session => ({ ...session(id, 0), owner })

test('session cache: an owner of many sessions loses their own, and nobody else’s', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 10, maxIdlePerOwner: 5 })
  for (const id of ['b1', 'b2']) cache.put(of('bob', id), 0)
  for (let i = 0; i < 50; i++) cache.put(of('ann', `a${i}`), 0)
  const left = ['b1', 'b2', 'a44', 'a45', 'a49'].map((id) => cache.get(id, 0)?.id)
  expect([left, cache.size]).toEqual([['b1', 'b2', undefined, 'a45', 'a49'], 7])
})

test('session cache: of too many sessions, those who have the most lose one first', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 6 })
  cache.put(of('bob', 'b1'), 0)
  for (let i = 0; i < 20; i++) {
    cache.put(of('ann', `a${i}`), 0)
    cache.put(of(undefined, `u${i}`), 0)
  }
  expect([cache.get('b1', 0)?.id, cache.get('a19', 0)?.id, cache.get('u19', 0)?.id, cache.size]).toEqual([
    'b1',
    'a19',
    'u19',
    6,
  ])
})

test('session cache: looking at a session does not make it recent', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 2 })
  cache.put(session('a', 0), 0)
  cache.put(session('b', 0), 0)
  cache.get('a', 0)
  cache.put(session('c', 0), 0)
  expect(cache.get('a', 0)).toBeUndefined()
})

test('session cache: an idle session expires idleMs after its last use, and each use starts the time anew', () => {
  const cache = createSessionCache(sessionDefaults)
  cache.put(session('a', 0), 0)
  cache.put(session('a', 1_000_000), 1_000_000)
  expect(cache.get('a', 2_799_999)?.id).toBe('a')
  expect(cache.get('a', 2_800_000)).toBeUndefined()
  expect(cache.size).toBe(0)
})

test('session cache: a session with an active run neither expires nor is evicted', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 0, idleMs: 1 })
  for (let i = 0; i < 200; i++) cache.put(session(`live ${i}`, 0, 'run_1'), 0)
  cache.put(session('idle', 1e12), 1e12)
  expect(cache.size).toBe(200)
  expect(cache.get('live 0', 1e12)?.activeRunId).toBe('run_1')
})

test('session cache: live sessions take no place from idle ones', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 1 })
  cache.put(session('idle', 0), 0)
  for (let i = 0; i < 10; i++) cache.put(session(`live ${i}`, 0, 'run_1'), 0)
  expect(cache.get('idle', 0)?.id).toBe('idle')
})

test('session cache: a session whose run ends is idle from then on', () => {
  const cache = createSessionCache({ ...sessionDefaults, maxIdle: 5, idleMs: 100 })
  cache.put(session('a', 0, 'run_1'), 0)
  cache.put(session('a', 1_000), 1_000)
  expect(cache.size).toBe(1)
  expect(cache.get('a', 1_099)?.activeRunId).toBeNull()
  expect(cache.get('a', 1_100)).toBeUndefined()
})

test('session cache: delete forgets idle and live sessions', () => {
  const cache = createSessionCache(sessionDefaults)
  cache.put(session('a', 0), 0)
  cache.put(session('b', 0, 'run_1'), 0)
  for (const id of ['a', 'b', 'c']) cache.delete(id)
  expect(cache.size).toBe(0)
})

test('session cache: 10 000 sessions leave 100', () => {
  const cache = createSessionCache(sessionDefaults)
  for (let i = 0; i < 10_000; i++) {
    cache.put(session(`s${i}`, i, `run_${i}`), i)
    cache.put(session(`s${i}`, i), i)
    expect(cache.size).toBeLessThanOrEqual(101)
  }
  expect(cache.size).toBe(100)
  expect(cache.get('s9900', 10_000)?.id).toBe('s9900')
  expect(cache.get('s9899', 10_000)).toBeUndefined()
})

test('session cache: does what a list in order of use does', () => {
  const policy = { maxIdle: 3, maxIdlePerOwner: 3, idleMs: 10 }
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.oneof(
    fc.record({ put: id, active: fc.boolean() }),
    fc.record({ get: id }),
    fc.record({ drop: id }),
    fc.record({ wait: fc.integer({ min: 1, max: 6 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cache = createSessionCache(policy)
      let list: Session[] = []
      let now = 0
      const sweep = (): void => {
        list = list.filter((one) => one.activeRunId !== null || now - one.usedAt < policy.idleMs)
        const idle = list.filter((one) => one.activeRunId === null)
        const evicted = new Set(idle.slice(0, Math.max(0, idle.length - policy.maxIdle)))
        list = list.filter((one) => !evicted.has(one))
      }
      for (const one of steps) {
        if ('wait' in one) now += one.wait
        else if ('put' in one) {
          const put = session(one.put, now, one.active ? 'run_1' : null)
          list = [...list.filter((other) => other.id !== one.put), put]
          sweep()
          cache.put(put, now)
        } else if ('drop' in one) {
          list = list.filter((other) => other.id !== one.drop)
          cache.delete(one.drop)
        } else {
          sweep()
          expect(cache.get(one.get, now)).toBe(list.find((other) => other.id === one.get))
        }
      }
      sweep()
      cache.get('', now)
      expect(cache.size).toBe(list.length)
    }),
    { numRuns: 300 },
  )
})
