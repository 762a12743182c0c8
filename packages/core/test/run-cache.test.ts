import { expect, test } from 'vitest'
import {
  createRunCache,
  keepDefaults,
  keptBytes,
  resolveKeep,
  type KeptRun,
  type RunCache,
} from '../src/gateway/run-cache.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { createId } from '../src/wire/ids.ts'

/** A run whose log holds `text`, kept as active. */
async function add(
  cache: RunCache,
  clock: ManualClock,
  text = 'a',
  sessionId = 'sess_1',
  owner = 'ann',
): Promise<KeptRun> {
  const run = startRun({
    runId: createId('run'),
    sessionId,
    model: 'm',
    async *generate() {
      yield [{ message: text }]
      await new Promise(() => undefined)
    },
    clock,
    fuse: fuseDefaults,
    orphanMs: 0,
  })
  const logged = new Promise<void>((resolve) => run.attach(() => resolve()))
  await logged
  const kept = { run, owner, body: 'hash', begun: '' }
  cache.add(kept)
  return kept
}

function end(cache: RunCache, clock: ManualClock, { run }: KeptRun): void {
  run.interrupt('person')
  cache.end(run.runId, clock.now())
}

test('keep options: five minutes, 1 000 runs, 64 MiB; 0 is allowed, less and NaN throw', () => {
  expect(resolveKeep()).toEqual({ keepRunMs: 300_000, maxRuns: 1_000, maxBytes: 64 * 1024 * 1024 })
  expect(resolveKeep({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })).toEqual({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })
  for (const name of Object.keys(keepDefaults)) {
    expect(() => resolveKeep({ [name]: -1 })).toThrow(name)
    expect(() => resolveKeep({ [name]: Number.NaN })).toThrow(RangeError)
  }
})

test('run cache: an id never seen is unknown, not expired', () => {
  expect(createRunCache(keepDefaults).get(createId('run'), 0)).toBeUndefined()
})

test('run cache: an active run is there however old and however many there are', async () => {
  const clock = manualClock()
  const cache = createRunCache({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })
  const kept = [await add(cache, clock), await add(cache, clock), await add(cache, clock)]
  for (const one of kept) expect(cache.get(one.run.runId, 1e12)).toBe(one)
  expect(cache.activeCount).toBe(3)
  expect([...cache.active()]).toEqual(kept)
})

test('run cache: an ended run is readable for keepRunMs, then expired', async () => {
  const clock = manualClock()
  const cache = createRunCache(keepDefaults)
  const kept = await add(cache, clock)
  clock.sleep(1_000)
  end(cache, clock, kept)
  expect(cache.activeCount).toBe(0)
  expect(cache.get(kept.run.runId, 300_999)).toBe(kept)
  expect(cache.get(kept.run.runId, 301_000)).toBe('expired')
  expect(cache.expiredOwner(kept.run.runId)).toBe('ann')
})

test('run cache: the run that ended first is the first to go when there are too many', async () => {
  const clock = manualClock()
  const cache = createRunCache({ ...keepDefaults, maxRuns: 2 })
  const [a, b, c] = [await add(cache, clock), await add(cache, clock), await add(cache, clock)]
  for (const kept of [b, c, a]) end(cache, clock, kept)
  expect(cache.get(b.run.runId, 0)).toBe('expired')
  expect(cache.get(c.run.runId, 0)).toBe(c)
  expect(cache.get(a.run.runId, 0)).toBe(a)
})

/** What a run of so much text weighs. */
async function weighed(chars: number): Promise<number> {
  const clock = manualClock()
  return keptBytes(await add(createRunCache(keepDefaults), clock, 'x'.repeat(chars)))
}

test('run cache: what is beyond maxBytes pushes the oldest out', async () => {
  const clock = manualClock()
  const cache = createRunCache({ ...keepDefaults, maxBytes: 2 * (await weighed(10)) })
  const [a, b] = [await add(cache, clock, 'x'.repeat(10)), await add(cache, clock, 'x'.repeat(10))]
  end(cache, clock, a)
  end(cache, clock, b)
  expect(cache.get(a.run.runId, 0)).toBe(a)
  const c = await add(cache, clock, 'x')
  end(cache, clock, c)
  expect(cache.get(a.run.runId, 0)).toBe('expired')
  expect(cache.get(b.run.runId, 0)).toBe(b)
  expect(cache.get(c.run.runId, 0)).toBe(c)
})

test('run cache: what was pushed out makes room', async () => {
  const clock = manualClock()
  const cache = createRunCache({ ...keepDefaults, maxBytes: await weighed(5) })
  for (let i = 0; i < 50; i++) {
    const kept = await add(cache, clock, 'abcde')
    end(cache, clock, kept)
    expect(cache.get(kept.run.runId, 0)).toBe(kept)
  }
})

test('run cache: a run longer than maxBytes is not kept', async () => {
  const clock = manualClock()
  const cache = createRunCache({ ...keepDefaults, maxBytes: await weighed(5) })
  const kept = await add(cache, clock, 'abcdef')
  end(cache, clock, kept)
  expect(cache.get(kept.run.runId, 0)).toBe('expired')
})

test('run cache: an owner who ends many runs pushes out their own, and nobody else’s', async () => {
  const clock = manualClock()
  const cache = createRunCache({ ...keepDefaults, maxRuns: 10 })
  const bobs = await add(cache, clock, 'a', 'sess_1', 'bob')
  end(cache, clock, bobs)
  const anns = []
  for (let i = 0; i < 30; i++) {
    const kept = await add(cache, clock, 'a', 'sess_2', 'ann')
    end(cache, clock, kept)
    anns.push(kept)
  }
  expect(cache.get(bobs.run.runId, 0)).toBe(bobs)
  expect(anns.filter(({ run }) => cache.get(run.runId, 0) !== 'expired')).toEqual(anns.slice(-9))
})

test('run cache: forget expires the ended runs of one session, and no others', async () => {
  const clock = manualClock()
  const cache = createRunCache(keepDefaults)
  const [mine, running, other] = [
    await add(cache, clock),
    await add(cache, clock),
    await add(cache, clock, 'a', 'sess_2'),
  ]
  end(cache, clock, mine)
  end(cache, clock, other)
  cache.forget('sess_1')
  expect(cache.get(mine.run.runId, 0)).toBe('expired')
  expect(cache.get(running.run.runId, 0)).toBe(running)
  expect(cache.get(other.run.runId, 0)).toBe(other)
})

test('run cache: the end of a run that is not there does nothing, nor does a second end', async () => {
  const clock = manualClock()
  const cache = createRunCache(keepDefaults)
  cache.end(createId('run'), 0)
  const kept = await add(cache, clock)
  end(cache, clock, kept)
  cache.end(kept.run.runId, 0)
  expect(cache.get(kept.run.runId, 0)).toBe(kept)
})

test('run cache: an id that was barred counts as expired, something that is no id is not remembered', () => {
  const cache = createRunCache(keepDefaults)
  const id = createId('run')
  cache.bar(id, 'ann')
  cache.bar('no id', 'ann')
  expect(cache.get(id, 0)).toBe('expired')
  expect(cache.expiredOwner(id)).toBe('ann')
  expect(cache.get('no id', 0)).toBeUndefined()
})

test('run cache: 10 000 expired ids are remembered, and the oldest goes first', () => {
  const cache = createRunCache(keepDefaults)
  const ids = Array.from({ length: 10_001 }, () => createId('run'))
  for (const id of ids) cache.bar(id, undefined)
  expect(cache.get(ids[0] ?? '', 0)).toBeUndefined()
  expect(ids.slice(1).every((id) => cache.get(id, 0) === 'expired')).toBe(true)
})

test('run cache: it sets no timer', async () => {
  const clock = manualClock()
  const cache = createRunCache(keepDefaults)
  end(cache, clock, await add(cache, clock))
  expect(clock.timers).toBe(0)
})

test('run cache: whoever bars the most ids loses one of theirs first, and nobody else does', () => {
  const cache = createRunCache(keepDefaults)
  const bobs = [createId('run'), createId('run')]
  for (const id of bobs) cache.bar(id, 'bob')
  const anns = Array.from({ length: 20_000 }, () => createId('run'))
  for (const id of anns) cache.bar(id, 'ann')
  expect(bobs.map((id) => [cache.get(id, 0), cache.expiredOwner(id)])).toEqual([
    ['expired', 'bob'],
    ['expired', 'bob'],
  ])
  expect([cache.get(anns[0]!, 0), cache.get(anns.at(-1)!, 0)]).toEqual([undefined, 'expired'])
  expect(anns.filter((id) => cache.get(id, 0) === 'expired')).toHaveLength(9_998)
})

test('run cache: an id that is barred twice is one id, of whoever barred it last', () => {
  const cache = createRunCache(keepDefaults)
  const id = createId('run')
  for (let i = 0; i < 20_000; i++) cache.bar(id, i % 2 === 0 ? 'ann' : 'bob')
  for (let i = 0; i < 9_999; i++) cache.bar(createId('run'), 'carl')
  expect([cache.get(id, 0), cache.expiredOwner(id)]).toEqual(['expired', 'bob'])
})
