import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const json = (path: string): Record<string, unknown> => JSON.parse(read(path)) as Record<string, unknown>
const load = (path: string): Promise<unknown> => import(pathToFileURL(join(root, path)).href)

const { versionSource } = (await load('scripts/version.mjs')) as { versionSource(version: unknown): string }

let folder: string | undefined
afterEach(async () => {
  if (folder) await rm(folder, { recursive: true, force: true })
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

/** Runs the workflow's own step that publishes, with a stand-in for npm; says what was published, in order. */
async function publishStep(view: Readonly<Record<string, string>>): Promise<{ published: string[]; code: number }> {
  folder = await mkdtemp(join(tmpdir(), 'midstream-'))
  const bin = join(folder, 'bin')
  await mkdir(join(folder, 'package'))
  await mkdir(bin)
  for (const name of ['core', 'client', 'react']) {
    await writeFile(join(folder, 'package/package.json'), JSON.stringify({ version: '1.0.0' }))
    await run('tar', ['-czf', `midstream-${name}.tgz`, 'package'], { cwd: folder })
  }
  const answers = Object.entries(view).map(([name, answer]) => `"view @midstream/${name}@1.0.0 version") ${answer};;`)
  const npm = `#!/bin/sh\ncase "$*" in\n${answers.join('\n')}\npublish*) echo "$*" >> published;;\n"config get registry") echo https://registry.example/;;\nesac\n`
  await writeFile(join(bin, 'npm'), npm, { mode: 0o755 })
  const script = workflow().jobs['publish']!.steps.at(-1)!.run!
  const env = { ...process.env, NPM_TOKEN: '', PATH: `${bin}:${process.env['PATH']}` }
  const code = await run('bash', ['-e', '-c', script], { cwd: folder, env }).then(
    () => 0,
    (error: { code: number }) => error.code,
  )
  const published = await readFile(join(folder, 'published'), 'utf8').catch(() => '')
  return { code, published: published.split('\n').filter(Boolean) }
}
const missing = 'echo "npm error code E404"; exit 1'
const publish = (name: string): string =>
  `publish ./midstream-${name}.tgz --access public --provenance --ignore-scripts`

test('release: what is not there yet is published, what others depend on first', async () => {
  const { code, published } = await publishStep({ core: missing, client: missing, react: missing })
  expect({ code, published }).toEqual({ code: 0, published: ['core', 'client', 'react'].map(publish) })
})

test('release: what broke off in the middle is finished by the next run', async () => {
  const { code, published } = await publishStep({ core: 'echo 1.0.0', client: missing, react: missing })
  expect({ code, published }).toEqual({ code: 0, published: ['client', 'react'].map(publish) })
})

test('release: a registry that fails is no “not there”', async () => {
  const { code, published } = await publishStep({ core: 'echo "npm error code E500"; exit 1' })
  expect({ code, published }).toEqual({ code: 1, published: [] })
})

test('release: the version in the code is what `npm run release:version` writes there', () => {
  expect(read('packages/core/src/version.ts')).toBe(versionSource(json('packages/core/package.json')['version']))
})

interface Workflow {
  readonly permissions: object
  readonly jobs: Readonly<Record<string, Job>>
}
interface Job {
  readonly needs?: string
  readonly permissions: object
  readonly steps: readonly Step[]
}
interface Step {
  readonly uses?: string
  readonly run?: string
}

function workflow(): Workflow {
  const { parse } = createRequire(join(root, 'docs/'))('yaml') as { parse(text: string): Workflow }
  return parse(read('.github/workflows/release.yml'))
}

test('release: its workflow has no rights but those it needs, and runs nothing that can change under it', () => {
  const { permissions, jobs } = workflow()
  expect(permissions).toEqual({})
  expect(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions]))).toEqual({
    build: { contents: 'read' },
    publish: { 'id-token': 'write' },
    tag: { contents: 'write' },
  })
  const steps = Object.values(jobs).flatMap((job) => job.steps)
  for (const { uses } of steps) if (uses) expect(uses).toMatch(/^actions\/[\w-]+@[0-9a-f]{40}$/)
  const commands = steps.map(({ run: command = '' }) => command).join('\n')
  const named = [...commands.matchAll(/^npm (?:run )?(test|release)(?: -- --pack)?$/gm)].map(([, name]) => name)
  expect(named).toEqual(['test', 'release'])
  expect(Object.keys(json('package.json')['scripts'] as object)).toEqual(expect.arrayContaining(named))
})

test('release: the job that may publish installs and builds nothing, and takes only what the build packed', () => {
  const { build, publish: job } = workflow().jobs
  expect(JSON.stringify(build)).not.toMatch(/secrets\.|id-token|NPM_TOKEN/)
  expect(job?.needs).toBe('build')
  const text = JSON.stringify(job)
  expect(text).not.toMatch(/checkout|npm (?:ci|install|test|run|exec)|npx|pnpm|node (?:scripts|\.)/)
  const [, , check, step] = job!.steps
  expect(check?.run).toMatch(/sha256sum --check --strict/)
  expect(step?.run).toContain('--ignore-scripts')
})
