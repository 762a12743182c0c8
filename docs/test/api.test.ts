import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { entries } from '../build/entries.ts'
import { readProject, writeApi } from '../build/project.ts'

let folder: string
const pages = new Map<string, string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'midstream-api-'))
  const { app, project } = await readProject()
  await writeApi(app, project, folder)
  for (const { name } of entries) pages.set(name, await readFile(join(folder, `${name}.md`), 'utf8'))
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

test('api: an option without a default is required, or has its own, or none; nothing reads as "off"', () => {
  const gateway = pages.get('@midstream/core/gateway') ?? ''
  const row = (name: string): string | undefined =>
    new RegExp(`^\\| <a id="property-${name}"></a> .*$`, 'm').exec(gateway)?.[0]
  expect(row('upstream')).toContain(' | required | ')
  expect(row('breaker')).toContain(' | its own | ')
  expect(row('system')).toContain(' | none | ')
  expect(row('orphanms')).toContain(' | `30000` | ')
  const testing = pages.get('@midstream/core/testing') ?? ''
  expect(testing).toContain('| `startAt?` | `number` | `0` |')
  expect([...pages.values()].join('\n')).not.toMatch(/(?<!\\)\| `undefined` \|/)
})
