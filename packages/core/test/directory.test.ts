import { expect, test } from 'vitest'
import {
  createDirectory,
  keepDefaults,
  keptBytes,
  resolveKeep,
  type KeptRun,
  type Directory,
} from '../src/gateway/directory.ts'
import { startRun } from './support/start-run.ts'
import { manualClock, type ManualClock } from '../src/testing/manual-clock.ts'
import { fuseDefaults } from '../src/run/fuse.ts'
import { isChatError } from '../src/wire/errors.ts'
import { createId } from '../src/wire/ids.ts'

/** A run whose log holds `text`, kept as active. */
async function add(
  directory: Directory,
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
  const kept = { run, owner, body: 'hash' }
  directory.add(kept)
  return kept
}

/** What somebody who asks for a run is told. */
function told(directory: Directory, runId: string, owner: string): string {
  try {
    return directory.find(runId, owner, 0) ? 'found' : 'never seen'
  } catch (error) {
    return isChatError(error) ? error.code : 'a fault'
  }
}

function end(directory: Directory, clock: ManualClock, { run }: KeptRun): void {
  run.interrupt('person')
  directory.end(run.runId, clock.now())
}

test('keep options: five minutes, 1 000 runs, 64 MiB; 0 is allowed, less and NaN throw', () => {
  expect(resolveKeep()).toEqual({ keepRunMs: 300_000, maxRuns: 1_000, maxBytes: 64 * 1024 * 1024 })
  expect(resolveKeep({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })).toEqual({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })
  for (const name of Object.keys(keepDefaults)) {
    expect(() => resolveKeep({ [name]: -1 })).toThrow(name)
    expect(() => resolveKeep({ [name]: Number.NaN })).toThrow(RangeError)
  }
})

test('directory: an id never seen is unknown, not expired', () => {
  expect(createDirectory(keepDefaults).get(createId('run'), 0)).toBeUndefined()
})

test('directory: an active run is there however old and however many there are', async () => {
  const clock = manualClock()
  const directory = createDirectory({ keepRunMs: 0, maxRuns: 0, maxBytes: 0 })
  const kept = [await add(directory, clock), await add(directory, clock), await add(directory, clock)]
  for (const one of kept) expect(directory.get(one.run.runId, 1e12)).toBe(one)
  expect(directory.activeCount).toBe(3)
  expect([...directory.active()]).toEqual(kept)
})

test('directory: an ended run is readable for keepRunMs, then expired', async () => {
  const clock = manualClock()
  const directory = createDirectory(keepDefaults)
  const kept = await add(directory, clock)
  clock.sleep(1_000)
  end(directory, clock, kept)
  expect(directory.activeCount).toBe(0)
  expect(directory.get(kept.run.runId, 300_999)).toBe(kept)
  expect(directory.get(kept.run.runId, 301_000)).toBe('expired')
  expect([told(directory, kept.run.runId, 'ann'), told(directory, kept.run.runId, 'bob')]).toEqual([
    'expired',
    'not_found',
  ])
})

test('directory: the run that ended first is the first to go when there are too many', async () => {
  const clock = manualClock()
  const directory = createDirectory({ ...keepDefaults, maxRuns: 2 })
  const [a, b, c] = [await add(directory, clock), await add(directory, clock), await add(directory, clock)]
  for (const kept of [b, c, a]) end(directory, clock, kept)
  expect(directory.get(b.run.runId, 0)).toBe('expired')
  expect(directory.get(c.run.runId, 0)).toBe(c)
  expect(directory.get(a.run.runId, 0)).toBe(a)
})

/** What a run of so much text weighs. */
async function weighed(chars: number): Promise<number> {
  const clock = manualClock()
  return keptBytes(await add(createDirectory(keepDefaults), clock, 'x'.repeat(chars)))
}

test('directory: what is beyond maxBytes pushes the oldest out', async () => {
  const clock = manualClock()
  const directory = createDirectory({ ...keepDefaults, maxBytes: 2 * (await weighed(10)) })
  const [a, b] = [await add(directory, clock, 'x'.repeat(10)), await add(directory, clock, 'x'.repeat(10))]
  end(directory, clock, a)
  end(directory, clock, b)
  expect(directory.get(a.run.runId, 0)).toBe(a)
  const c = await add(directory, clock, 'x')
  end(directory, clock, c)
  expect(directory.get(a.run.runId, 0)).toBe('expired')
  expect(directory.get(b.run.runId, 0)).toBe(b)
  expect(directory.get(c.run.runId, 0)).toBe(c)
})

test('directory: what was pushed out makes room', async () => {
  const clock = manualClock()
  const directory = createDirectory({ ...keepDefaults, maxBytes: await weighed(5) })
  for (let i = 0; i < 50; i++) {
    const kept = await add(directory, clock, 'abcde')
    end(directory, clock, kept)
    expect(directory.get(kept.run.runId, 0)).toBe(kept)
  }
})

test('directory: a run longer than maxBytes is not kept', async () => {
  const clock = manualClock()
  const directory = createDirectory({ ...keepDefaults, maxBytes: await weighed(5) })
  const kept = await add(directory, clock, 'abcdef')
  end(directory, clock, kept)
  expect(directory.get(kept.run.runId, 0)).toBe('expired')
})

test('directory: an owner who ends many runs pushes out their own, and nobody else’s', async () => {
  const clock = manualClock()
  const directory = createDirectory({ ...keepDefaults, maxRuns: 10 })
  const bobs = await add(directory, clock, 'a', 'sess_1', 'bob')
  end(directory, clock, bobs)
  const anns = []
  for (let i = 0; i < 30; i++) {
    const kept = await add(directory, clock, 'a', 'sess_2', 'ann')
    end(directory, clock, kept)
    anns.push(kept)
  }
  expect(directory.get(bobs.run.runId, 0)).toBe(bobs)
  expect(anns.filter(({ run }) => directory.get(run.runId, 0) !== 'expired')).toEqual(anns.slice(-9))
})

test('directory: forget expires the ended runs of one session, and no others', async () => {
  const clock = manualClock()
  const directory = createDirectory(keepDefaults)
  const [mine, running, other] = [
    await add(directory, clock),
    await add(directory, clock),
    await add(directory, clock, 'a', 'sess_2'),
  ]
  end(directory, clock, mine)
  end(directory, clock, other)
  directory.forget('sess_1')
  expect(directory.get(mine.run.runId, 0)).toBe('expired')
  expect(directory.get(running.run.runId, 0)).toBe(running)
  expect(directory.get(other.run.runId, 0)).toBe(other)
})

test('directory: the end of a run that is not there does nothing, nor does a second end', async () => {
  const clock = manualClock()
  const directory = createDirectory(keepDefaults)
  directory.end(createId('run'), 0)
  const kept = await add(directory, clock)
  end(directory, clock, kept)
  directory.end(kept.run.runId, 0)
  expect(directory.get(kept.run.runId, 0)).toBe(kept)
})

test('directory: an id that was barred counts as expired, something that is no id is not remembered', () => {
  const directory = createDirectory(keepDefaults)
  const id = createId('run')
  directory.bar(id, 'ann')
  directory.bar('no id', 'ann')
  expect(directory.get(id, 0)).toBe('expired')
  expect([told(directory, id, 'ann'), told(directory, id, 'bob')]).toEqual(['expired', 'not_found'])
  expect(directory.get('no id', 0)).toBeUndefined()
})

test('directory: 10 000 expired ids are remembered, and the oldest goes first', () => {
  const directory = createDirectory(keepDefaults)
  const ids = Array.from({ length: 10_001 }, () => createId('run'))
  for (const id of ids) directory.bar(id, undefined)
  expect(directory.get(ids[0] ?? '', 0)).toBeUndefined()
  expect(ids.slice(1).every((id) => directory.get(id, 0) === 'expired')).toBe(true)
})

test('directory: it sets no timer', async () => {
  const clock = manualClock()
  const directory = createDirectory(keepDefaults)
  end(directory, clock, await add(directory, clock))
  expect(clock.timers).toBe(0)
})

test('directory: whoever bars the most ids loses one of theirs first, and nobody else does', () => {
  const directory = createDirectory(keepDefaults)
  const bobs = [createId('run'), createId('run')]
  for (const id of bobs) directory.bar(id, 'bob')
  const anns = Array.from({ length: 20_000 }, () => createId('run'))
  for (const id of anns) directory.bar(id, 'ann')
  expect(bobs.map((id) => [directory.get(id, 0), told(directory, id, 'bob')])).toEqual([
    ['expired', 'expired'],
    ['expired', 'expired'],
  ])
  expect([directory.get(anns[0]!, 0), directory.get(anns.at(-1)!, 0)]).toEqual([undefined, 'expired'])
  expect(anns.filter((id) => directory.get(id, 0) === 'expired')).toHaveLength(9_998)
})

test('directory: an id that is barred twice is one id, of whoever barred it last', () => {
  const directory = createDirectory(keepDefaults)
  const id = createId('run')
  for (let i = 0; i < 20_000; i++) directory.bar(id, i % 2 === 0 ? 'ann' : 'bob')
  for (let i = 0; i < 9_999; i++) directory.bar(createId('run'), 'carl')
  expect([directory.get(id, 0), told(directory, id, 'bob')]).toEqual(['expired', 'expired'])
})

test('directory: of a run that somebody wants ended, only one’s own that goes on can be, and what was never seen is barred', async () => {
  const clock = manualClock()
  const directory = createDirectory(keepDefaults)
  const kept = await add(directory, clock)
  const { runId } = kept.run
  expect([directory.stoppable(runId, 'bob', 0), directory.stoppable(runId, 'ann', 0)]).toEqual([undefined, kept])
  end(directory, clock, kept)
  expect(directory.stoppable(runId, 'ann', 0)).toBeUndefined()
  const unseen = createId('run')
  expect(directory.stoppable(unseen, 'ann', 0)).toBeUndefined()
  expect([told(directory, unseen, 'ann'), told(directory, unseen, 'bob')]).toEqual(['expired', 'not_found'])
})
