import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const json = (path: string): Record<string, unknown> => JSON.parse(read(path)) as Record<string, unknown>
const load = (path: string): Promise<unknown> => import(pathToFileURL(join(root, path)).href)

interface Entry {
  readonly name: string
  readonly version: string
  readonly file: string
}
interface Npm {
  has(spec: string): Promise<boolean>
  publish(entry: Entry): Promise<void>
}
interface Publishing {
  publishMissing(packages: readonly Entry[], npm: Npm): Promise<void>
  isPublished(spec: string): Promise<boolean>
}
const { publishMissing, isPublished } = (await load('scripts/publish.mjs')) as Publishing
const { versionSource } = (await load('scripts/version.mjs')) as { versionSource(version: unknown): string }

let server: Server | undefined
let folder: string | undefined
afterEach(async () => {
  vi.unstubAllEnvs()
  if (folder) await rm(folder, { recursive: true, force: true })
  server?.closeAllConnections()
  server?.close()
})

test('release: a dry run of what is packed lists every file, says what stands against it, and publishes nothing', async () => {
  const args = ['scripts/release.mjs', '--dry-run', '--packed']
  const { stdout } = await run(process.execPath, args, { cwd: root, timeout: 60_000 })
  const version = String(json('packages/core/package.json')['version'])
  for (const name of ['core', 'client', 'react']) expect(stdout).toContain(`@midstream/${name}@${version}: `)
  const listed = stdout.split('\n').map((line) => line.trim())
  expect(listed.filter((line) => line === 'dist/index.js')).toHaveLength(3)
  expect(listed).toContain('dist/gateway/index.d.ts')
  expect(stdout.includes('nobody has said where the repository is')).toBe(
    json('package.json')['repository'] === undefined,
  )
  expect(stdout).not.toContain('different versions')
  expect(stdout).not.toContain('says another version')
  expect(stdout.trimEnd().endsWith('A dry run: nothing was published.')).toBe(true)
}, 90_000)

test('release: what broke off in the middle is finished by the next run', async () => {
  const entries = ['core', 'client', 'react'].map((name) => ({ name, version: '1.0.0', file: `${name}.tgz` }))
  const there = new Set<string>()
  const tried: string[] = []
  let isDown = true
  const npm: Npm = {
    has: async (spec) => there.has(spec),
    publish: async ({ name, version }) => {
      tried.push(name)
      if (name === 'client' && isDown) throw new Error('npm publish ended with 1')
      there.add(`${name}@${version}`)
    },
  }
  vi.spyOn(console, 'log').mockReturnValue()
  await expect(publishMissing(entries, npm)).rejects.toThrow('ended with 1')
  expect(tried).toEqual(['core', 'client'])
  isDown = false
  await publishMissing(entries, npm)
  expect(tried).toEqual(['core', 'client', 'client', 'react'])
  await publishMissing(entries, npm)
  expect(tried).toHaveLength(4)
})

test('release: npm is asked what the registry has, and a registry that fails is no “not there”', async () => {
  const versions = { '1.0.0': { name: '@a/there', version: '1.0.0', dist: {} } }
  const there = { name: '@a/there', 'dist-tags': { latest: '1.0.0' }, versions }
  server = createServer(({ url = '' }, response) => {
    const status = url.includes('there') ? 200 : url.includes('none') ? 404 : 500
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(status === 200 ? there : {}))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server!.once('listening', resolve))
  // npm itself comes from where it always does; only this scope is asked here.
  const { port } = server.address() as AddressInfo
  folder = await mkdtemp(join(tmpdir(), 'midstream-'))
  await writeFile(join(folder, 'npmrc'), `@a:registry=http://127.0.0.1:${port}\n`)
  vi.stubEnv('npm_config_globalconfig', join(folder, 'npmrc'))
  vi.stubEnv('npm_config_fetch_retries', '0')
  const asked = ['@a/there@1.0.0', '@a/there@1.0.1', '@a/none@1.0.0', '@a/broken@1.0.0']
  const said = await Promise.allSettled(asked.map(isPublished))
  expect(said.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
    true,
    false,
    false,
    expect.stringContaining('npm view @a/broken@1.0.0 ended with'),
  ])
}, 60_000)

test('release: the version in the code is what `npm run release:version` writes there', () => {
  expect(read('packages/core/src/version.ts')).toBe(versionSource(json('packages/core/package.json')['version']))
})

interface Workflow {
  readonly permissions: object
  readonly jobs: Readonly<Record<string, { readonly permissions: object; readonly steps: readonly Step[] }>>
}
interface Step {
  readonly uses?: string
  readonly run?: string
}

test('release: its workflow has no rights but those it needs, and runs nothing that can change under it', () => {
  const { parse } = createRequire(join(root, 'docs/'))('yaml') as { parse(text: string): Workflow }
  const { permissions, jobs } = parse(read('.github/workflows/release.yml'))
  expect(permissions).toEqual({})
  expect(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions]))).toEqual({
    publish: { contents: 'read', 'id-token': 'write' },
    tag: { contents: 'write' },
  })
  const steps = Object.values(jobs).flatMap((job) => job.steps)
  for (const { uses } of steps) if (uses) expect(uses).toMatch(/^actions\/[\w-]+@[0-9a-f]{40}$/)
  const commands = steps.map(({ run: command = '' }) => command).join('\n')
  const named = [...commands.matchAll(/^npm (?:run )?(test|release)$/gm)].map(([, name]) => name)
  expect(named).toEqual(['test', 'release'])
  expect(Object.keys(json('package.json')['scripts'] as object)).toEqual(expect.arrayContaining(named))
})
