import { expect, test } from 'vitest'
import { digestOf } from '../src/session/digest.ts'
import {
  claimSession,
  releaseSession,
  type Claim,
  type Claimed,
  type LastRun,
  type Session,
} from '../src/session/claim.ts'

const ours = digestOf([{ role: 'user', content: 'Hello' }])
const theirs = digestOf([{ role: 'user', content: 'Something else' }])
const lastRun: LastRun = { runId: 'run_0', interruptedBy: 'person', reply: 'hash' }
const idle: Session = {
  id: 'sess_1',
  owner: 'ann',
  createdAt: 1,
  usedAt: 2,
  runs: 3,
  activeRunId: null,
  lastRun,
  digest: ours,
}
const busy: Session = { ...idle, activeRunId: 'run_active' }
const claim: Claim = {
  now: 100,
  owner: 'ann',
  runId: 'run_new',
  digest: ours,
  sessionId: 'sess_1',
  forkId: 'sess_fork',
  interrupts: undefined,
  whenBusy: 'interrupt',
}
const claiming = (session: Session | undefined, change: Partial<Claim> = {}): Claimed =>
  claimSession(session, { ...claim, ...change })
const fresh: Session = {
  id: 'sess_1',
  owner: 'ann',
  createdAt: 100,
  usedAt: 100,
  runs: 1,
  activeRunId: 'run_new',
  lastRun: null,
  digest: ours,
}
const goesOn: Session = { ...idle, usedAt: 100, runs: 4, activeRunId: 'run_new' }

test.for<[what: string, session: Session | undefined, change: Partial<Claim>, claimed: Claimed]>([
  ['an id nobody knows is adopted', undefined, {}, { session: fresh, ends: null }],
  [
    'an adopted id still ends the run that interrupts names',
    undefined,
    { interrupts: { run_id: 'run_x', position: 7 } },
    { session: fresh, ends: { runId: 'run_x', position: 7 } },
  ],
  ['an idle session goes on', idle, {}, { session: goesOn, ends: null }],
  ['an idle session that is to reject goes on', idle, { whenBusy: 'reject' }, { session: goesOn, ends: null }],
  [
    'an idle session ends nothing for a stale interrupts',
    idle,
    { interrupts: { run_id: 'run_old', position: 7 } },
    { session: goesOn, ends: null },
  ],
  [
    'a busy session ends its run at the end of the log',
    busy,
    {},
    { session: goesOn, ends: { runId: 'run_active', position: undefined } },
  ],
  [
    'a busy session ends its run at the position that interrupts says',
    busy,
    { interrupts: { run_id: 'run_active', position: 7 } },
    { session: goesOn, ends: { runId: 'run_active', position: 7 } },
  ],
  [
    'interrupts without a position means the end',
    busy,
    { interrupts: { run_id: 'run_active' } },
    { session: goesOn, ends: { runId: 'run_active', position: undefined } },
  ],
  ['a busy session that is to reject does', busy, { whenBusy: 'reject' }, { busy: 'run_active' }],
  [
    'a busy session that is to reject lets through who names its run',
    busy,
    { whenBusy: 'reject', interrupts: { run_id: 'run_active', position: 0 } },
    { session: goesOn, ends: { runId: 'run_active', position: 0 } },
  ],
  [
    'a busy session rejects a stale interrupts',
    busy,
    { whenBusy: 'reject', interrupts: { run_id: 'run_old', position: 7 } },
    { busy: 'run_active' },
  ],
  [
    'the position of a stale interrupts never cuts the run that is active',
    busy,
    { interrupts: { run_id: 'run_old', position: 7 } },
    { session: goesOn, ends: { runId: 'run_active', position: undefined } },
  ],
  [
    'another conversation under an old id forks and leaves its run alone',
    busy,
    { digest: theirs },
    { session: { ...fresh, id: 'sess_fork', digest: theirs }, ends: null },
  ],
  [
    'a fork does not reject, as it is not busy',
    busy,
    { digest: theirs, whenBusy: 'reject' },
    { session: { ...fresh, id: 'sess_fork', digest: theirs }, ends: null },
  ],
  [
    'a fork ends the old run when interrupts names it',
    busy,
    { digest: theirs, interrupts: { run_id: 'run_active', position: 7 } },
    { session: { ...fresh, id: 'sess_fork', digest: theirs }, ends: { runId: 'run_active', position: 7 } },
  ],
])('claim: %s', ([, session, change, claimed]) => {
  expect(claiming(session, change)).toStrictEqual(claimed)
})

test('claim: a request that leaves out the opening stays in its session, which keeps its digest', () => {
  expect(claiming(idle, { digest: undefined })).toStrictEqual({ session: { ...goesOn, digest: ours }, ends: null })
  expect(claiming(undefined, { digest: undefined })).toMatchObject({ session: { digest: [] } })
})

test('claim: a conversation that grew stays in its session, which remembers the longer digest', () => {
  const longer = [...ours, ...theirs]
  expect(claiming(idle, { digest: longer })).toStrictEqual({ session: { ...goesOn, digest: longer }, ends: null })
})

test('claim: the session it is given stays as it is', () => {
  const frozen = Object.freeze({ ...busy })
  claiming(frozen)
  expect(frozen).toEqual(busy)
})

test('claim: of two in a row the second ends the first, so one run at most is active', () => {
  const first = claiming(undefined, { runId: 'run_a' })
  const second = 'session' in first ? claiming(first.session, { runId: 'run_b' }) : first
  expect(second).toMatchObject({ session: { activeRunId: 'run_b', runs: 2 }, ends: { runId: 'run_a' } })
})

test('release: the end of the active run frees its session', () => {
  const ended: LastRun = { runId: 'run_active', interruptedBy: null, reply: 'h' }
  expect(releaseSession(busy, ended, 200)).toStrictEqual({ ...busy, usedAt: 200, activeRunId: null, lastRun: ended })
})

test('release: the end of a superseded run leaves the newer one active', () => {
  const ended: LastRun = { runId: 'run_old', interruptedBy: 'superseded', reply: 'h' }
  expect(releaseSession(busy, ended, 200)).toMatchObject({ activeRunId: 'run_active', lastRun: ended })
})
